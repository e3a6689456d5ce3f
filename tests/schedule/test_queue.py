from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.messages import NOW, Command, SetParam
from synthhost.schedule.queue import EventQueue

HORIZON = 1_000_000
samples = st.one_of(st.just(NOW), st.integers(0, 2_000))


def command(at_sample: int, number: int = 0) -> SetParam:
    return SetParam("voice", "speed", float(number), at_sample)


@given(
    st.lists(st.lists(samples, max_size=8), min_size=1, max_size=20),
    st.lists(st.integers(1, 300), min_size=1, max_size=20),
)
def test_each_command_comes_once_at_its_sample_or_late_at_the_edge(
    arrivals: list[list[int]], blocks: list[int]
) -> None:
    queue = EventQueue(HORIZON, max_cuts=10_000)
    number = first = late = worst = 0
    wanted: dict[float, int] = {}
    got: list[tuple[int, float]] = []
    for turn in range(60):
        for at in arrivals[turn] if turn < len(arrivals) else []:
            assert queue.push(command(at, number))
            wanted[number] = max(at, first)
            if NOW != at < first:
                late, worst = late + 1, max(worst, first - at)
            number += 1
        size = blocks[turn % len(blocks)] if turn < 40 else 2_000
        for offset, commands in queue.due(first, size):
            assert 0 <= offset < size
            got += [(first + offset, each.value) for each in commands if isinstance(each, SetParam)]
        first += size
    assert {value: at for at, value in got} == wanted
    assert len(got) == number
    assert [at for at, _ in got] == sorted(at for at, _ in got)
    assert (queue.late, queue.worst_late_samples, len(queue)) == (late, worst, 0)


@given(st.lists(st.integers(0, 20), max_size=60), st.integers(1, 20))
def test_the_order_of_one_block_does_not_depend_on_how_it_is_cut(places: list[int], size: int) -> None:
    whole, cut = EventQueue(HORIZON, max_cuts=100), EventQueue(HORIZON, max_cuts=100)
    for number, at in enumerate(places):
        whole.push(command(at, number))
        cut.push(command(at, number))
    in_one = [each for _, commands in whole.due(0, 40) for each in commands]
    in_many = [
        each for first in range(0, 40, size) for _, commands in cut.due(first, size) for each in commands
    ]
    assert in_one == in_many == sorted(in_one, key=lambda each: each.at_sample)


@given(st.lists(st.integers(0, 255), max_size=80))
def test_a_block_is_cut_at_most_sixteen_times_and_merges_are_counted(places: list[int]) -> None:
    queue = EventQueue(HORIZON)
    for number, at in enumerate(places):
        queue.push(command(at, number))
    cuts = queue.due(0, 256)
    kept = sorted(set(places))[:16]
    assert [offset for offset, _ in cuts] == kept
    assert sum(len(commands) for _, commands in cuts) == len(places)
    assert queue.merged_cuts == sum(at not in kept for at in places)


def test_a_bundle_an_hour_ahead_holds_nothing_back() -> None:
    hour = 3600 * 48_000
    queue = EventQueue(3660 * 48_000)
    assert queue.push_bundle([command(hour, 1), command(hour, 2)])
    assert queue.push(command(NOW, 3))
    assert queue.push(command(10, 4))
    assert [offset for offset, _ in queue.due(0, 256)] == [0, 10]
    for block in range(1, 1000):
        assert queue.due(block * 256, 256) == []
    assert len(queue) == 2
    assert queue.due(hour - 5, 256) == [(5, [command(hour, 1), command(hour, 2)])]


def test_beyond_the_horizon_or_the_capacity_is_refused_and_counted() -> None:
    queue = EventQueue(1000, capacity=3)
    assert not queue.push(command(1001))
    assert queue.push(command(1000))
    assert not queue.push_bundle([command(1), command(2), command(3)])
    assert not queue.push_bundle([command(1), command(2000)])
    assert queue.push_bundle([command(1), command(2)])
    assert not queue.push(command(NOW))
    assert (len(queue), queue.refused) == (3, 1 + 3 + 2 + 1)


def test_the_horizon_moves_with_time() -> None:
    queue = EventQueue(100)
    assert not queue.push(command(150))
    queue.due(0, 64)
    assert queue.push(command(150))


def test_a_late_command_comes_before_one_for_now() -> None:
    queue = EventQueue(HORIZON)
    queue.due(0, 256)
    queue.push(command(NOW, 1))
    queue.push(command(256, 2))
    queue.push(command(100, 3))
    ((offset, commands),) = queue.due(256, 256)
    values = [each.value for each in commands if isinstance(each, SetParam)]
    assert (offset, values) == (0, [3.0, 1.0, 2.0])
    assert (queue.late, queue.worst_late_samples) == (1, 156)


def test_a_command_for_now_is_never_late() -> None:
    queue = EventQueue(HORIZON)
    queue.push(command(NOW))
    skipped: list[tuple[int, list[Command]]] = queue.due(5000, 256)
    assert [offset for offset, _ in skipped] == [0]
    assert queue.late == 0


def test_a_flood_for_one_sample_is_spread_over_blocks_in_order() -> None:
    queue = EventQueue(HORIZON, max_commands=100)
    flood = [command(10) for _ in range(250)]
    assert queue.push_bundle(flood)
    taken = [sum(len(some) for _, some in queue.due(256 * block, 256)) for block in range(4)]
    assert taken == [100, 100, 50, 0]
    assert queue.late == 150
