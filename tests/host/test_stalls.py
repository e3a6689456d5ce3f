"""How long the machine stands still, seen by a witness whose clock is made up."""

from __future__ import annotations

from threading import Event
from threading import enumerate as enumerate_threads
from time import sleep

import pytest

from synthhost.backends.cost import StepCost
from synthhost.host.chunking import Choice, choose_ahead_samples
from synthhost.host.stalls import LONGEST_STALL_S, StallWitness


class Clock:
    """Time that only passes while somebody sleeps: as asked, and now and then much longer."""

    def __init__(self, stall_s: float, every: int) -> None:
        self.now_s, self.naps, self.stall_s, self.every = 0.0, 0, stall_s, every

    def nap(self, seconds: float) -> None:
        self.naps += 1
        self.now_s += seconds + (self.stall_s if self.naps % self.every == 0 else 0.0)

    def time(self) -> float:
        return self.now_s


def witness(stall_s: float, *, every: int, looks: int) -> StallWitness:
    clock = Clock(stall_s, every)
    seen = StallWitness(clock.nap, clock.time, lambda: None)
    for _ in range(looks):
        seen.look()
    return seen


def test_a_stall_in_every_hundred_naps_is_seen_at_its_length() -> None:
    seen = witness(0.015, every=100, looks=1500)
    assert seen.stall_s == pytest.approx(0.015, abs=0.001)
    assert seen.longest_s == pytest.approx(0.015)


def test_one_short_stall_among_thousands_is_no_p999() -> None:
    seen = witness(0.003, every=4000, looks=5000)
    assert seen.stall_s == pytest.approx(0.0, abs=1e-9)
    assert seen.longest_s == pytest.approx(0.003)


def test_a_machine_that_is_slow_for_a_while_is_late_by_all_that_was_not_done() -> None:
    clock = Clock(0.0, 1)
    done = [0]

    def work() -> None:
        done[0] += 1
        clock.now_s += 0.003 if 1000 < done[0] <= 1020 else 0.0003

    seen = StallWitness(clock.nap, clock.time, work)
    for _ in range(3000):
        seen.look()
    assert seen.longest_s == pytest.approx(20 * 0.003 - 19 * 0.001 - 0.0003, abs=1e-4)
    assert seen.stall_s > 0.9 * seen.longest_s


def test_what_lies_between_two_measurements_is_no_stall() -> None:
    clock = Clock(0.0, 1)
    seen = StallWitness(clock.nap, clock.time, lambda: sleep(1e-4))
    for _ in range(2):
        clock.now_s += 5.0
        with seen.beside():
            before = seen.looks
            while seen.looks < before + 20:
                sleep(1e-3)
    assert seen.longest_s == 0.0


def test_few_looks_say_nothing_and_a_long_stall_is_held_to_a_bound() -> None:
    assert witness(0.015, every=2, looks=50).stall_s == 0.0
    assert witness(3.0, every=2, looks=500).stall_s == LONGEST_STALL_S


def test_the_longest_of_few_steps_is_held_against_the_longest_stall() -> None:
    seen = witness(0.003, every=4000, looks=5000)
    assert seen.stalled_s(1000) == pytest.approx(0.0, abs=1e-9)
    assert seen.stalled_s(30) == pytest.approx(0.003)
    assert witness(3.0, every=400, looks=500).stalled_s(30) == LONGEST_STALL_S


def test_the_ring_grows_by_what_the_machine_stands_still() -> None:
    choices = [Choice(1, StepCost(1, 0.001, 0.002, 0.01), keeps_up=True)]
    calm = choose_ahead_samples(choices, 48000, 48)
    assert choose_ahead_samples(choices, 48000, 48, 0.001) == calm  # within the usual margin
    assert choose_ahead_samples(choices, 48000, 48, 0.020) - calm == pytest.approx(0.026 * 48000, abs=48)


def test_a_witness_looks_while_something_else_is_done() -> None:
    napped = Event()

    def nap(seconds: float) -> None:
        sleep(seconds)
        napped.set()

    seen = StallWitness(nap)
    with seen.beside():
        assert napped.wait(30.0)
    assert seen.looks >= 1
    assert not any(thread.name == "stall-witness" for thread in enumerate_threads())
