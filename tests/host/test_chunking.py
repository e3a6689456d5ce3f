"""Chunks and distance are chosen by what steps cost."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.backends.cost import StepCost
from synthhost.host import chunking
from synthhost.host.chunking import Choice, choose_ahead_samples, choose_chunk, measure

FRAME_S = 0.01


class Costs:
    """A machine on which a step takes `fixed + frames * each` seconds, and `worst` times that at worst."""

    def __init__(self, fixed_s: float, each_s: float, worst: float = 1.2) -> None:
        self.fixed_s, self.each_s, self.worst = fixed_s, each_s, worst
        self.asked: list[tuple[int, int]] = []

    def __call__(self, _runner: Any, chunk_frames: int, repeats: int, _running: Any) -> StepCost:
        self.asked.append((chunk_frames, repeats))
        seconds = self.fixed_s + self.each_s * chunk_frames
        return StepCost(chunk_frames, seconds, self.worst * seconds, chunk_frames * FRAME_S)


def chosen(monkeypatch: pytest.MonkeyPatch, costs: Costs, share: float = 0.75, **fixed: Any) -> Choice:
    monkeypatch.setattr(chunking, "running_state", lambda _runner, _chunk_frames: None)
    monkeypatch.setattr(chunking, "cost_per_step", costs)
    unit = fixed.pop("unit", 1)
    runner: Any = SimpleNamespace(spec=SimpleNamespace(chunk_unit=unit, clip_frames=0, notes=None))
    return choose_chunk(runner, share, **fixed)


@pytest.mark.parametrize(
    ("fixed_s", "share", "frames"),
    [(0.0, 0.75, 1), (0.006, 0.75, 1), (0.009, 0.75, 2), (0.02, 0.75, 4), (0.02, 0.3, 8), (0.1, 0.75, 16)],
)
def test_the_smallest_chunk_within_the_share_is_taken(
    monkeypatch: pytest.MonkeyPatch, fixed_s: float, share: float, frames: int
) -> None:
    choice = chosen(monkeypatch, Costs(fixed_s, 0.0005), share)
    assert (choice.chunk_frames, choice.keeps_up) == (frames, True)
    assert choice.real_time_factor <= share


def test_frames_of_a_sample_are_taken_many_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = Costs(0.02, 0.0)
    assert chosen(monkeypatch, costs, unit=64).chunk_frames == 64
    assert {frames for frames, _ in costs.asked} == {64}


def test_a_chunk_whose_worst_step_is_late_is_too_small(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, Costs(0.004, 0.0005, worst=4.0)).chunk_frames == 2


class Tails(Costs):
    """Steps that are long so seldom that only many show it."""

    def __init__(self, tail_s: float) -> None:
        super().__init__(0.002, 0.0005)
        self.tail_s = tail_s

    def __call__(self, runner: Any, chunk_frames: int, repeats: int, running: Any) -> StepCost:
        cost = super().__call__(runner, chunk_frames, repeats, running)
        return replace(cost, p999_seconds=self.tail_s if repeats >= 50 else 0.0, steps=repeats)


@pytest.mark.parametrize(("tail_s", "frames"), [(0.009, 1), (0.011, 2), (0.035, 4)])
def test_a_chunk_fits_when_one_step_in_a_thousand_does(
    monkeypatch: pytest.MonkeyPatch, tail_s: float, frames: int
) -> None:
    choice = chosen(monkeypatch, Tails(tail_s))
    assert (choice.chunk_frames, choice.keeps_up) == (frames, True)
    assert choice.cost.tail_seconds == tail_s


def test_the_cheapest_chunk_does_not_keep_up_when_its_tail_is_late(monkeypatch: pytest.MonkeyPatch) -> None:
    choice = chosen(monkeypatch, Tails(1.0))
    assert choice.real_time_factor < 0.75
    assert not choice.keeps_up
    assert chosen(monkeypatch, Tails(1.0), stalled_s=lambda _: 1.0).keeps_up
    assert not chosen(monkeypatch, Tails(1.0), fixed=2).keeps_up


def test_a_stall_of_the_machine_makes_no_chunk_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    assert chosen(monkeypatch, Tails(0.025), stalled_s=lambda _: 0.0).chunk_frames == 4
    assert chosen(monkeypatch, Tails(0.025), stalled_s=lambda _: 0.016).chunk_frames == 1


def test_timing_tails_is_bounded_though_none_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = Tails(0.1)
    chosen(monkeypatch, costs)
    many = [repeats * (0.002 + 0.0005 * frames) for frames, repeats in costs.asked if repeats >= 50]
    assert 1.0 < sum(many) < 3.5


@pytest.mark.parametrize(("tail_s", "most_s"), [(0.0024, 0.11), (0.0026, 1.01)])
def test_a_chunk_of_which_no_step_is_nearly_late_is_timed_shortly(
    monkeypatch: pytest.MonkeyPatch, tail_s: float, most_s: float
) -> None:
    costs = Tails(tail_s)
    costs.fixed_s, costs.each_s = 0.0, 0.001
    assert chosen(monkeypatch, costs).keeps_up
    assert max(repeats * 0.001 for _, repeats in costs.asked) == pytest.approx(most_s, abs=0.011)


def test_a_tail_is_named_after_how_many_steps_were_timed() -> None:
    assert StepCost(1, 0.001, 0.002, 0.01, 0.003, 1000).tail_name == "p99.9"
    assert StepCost(1, 0.001, 0.002, 0.01, 0.003, 38).tail_name == "the longest of 38 steps"
    assert StepCost(1, 0.001, 0.002, 0.01).tail_seconds == 0.002  # remembered from before tails were timed


def test_a_model_that_never_keeps_up_gets_its_cheapest_chunk_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choice = chosen(monkeypatch, Costs(0.05, 0.02))
    assert (choice.chunk_frames, choice.keeps_up) == (8, False)  # a step of which outlasts the largest chunk
    assert choice.real_time_factor > 2.0


@pytest.mark.parametrize(("each_s", "keeps_up"), [(0.005, True), (0.02, False)])
def test_a_fixed_chunk_is_kept_and_judged(
    monkeypatch: pytest.MonkeyPatch, each_s: float, keeps_up: bool
) -> None:
    costs = Costs(0.0, each_s)
    choice = chosen(monkeypatch, costs, fixed=3)
    assert (choice.chunk_frames, choice.keeps_up) == (3, keeps_up)
    assert {frames for frames, _ in costs.asked} == {3}


@pytest.mark.parametrize("step_s", [0.0, 0.001, 0.1, 30.0])
def test_measuring_is_bounded(monkeypatch: pytest.MonkeyPatch, step_s: float) -> None:
    costs = Costs(step_s, 0.0)
    monkeypatch.setattr(chunking, "running_state", lambda _runner, _chunk_frames: None)
    monkeypatch.setattr(chunking, "cost_per_step", costs)
    runner: Any = SimpleNamespace(spec=SimpleNamespace(clip_frames=0, notes=None))
    measure(runner, 1)
    assert costs.asked[0] == (1, 3)
    assert 5 <= costs.asked[1][1] <= 60


@given(st.lists(st.floats(0, 0.2), max_size=5), st.sampled_from([44100, 48000]), st.sampled_from([64, 256]))
def test_the_engine_stays_ahead_by_every_step_at_once_and_one_more(
    steps_s: list[float], rate: int, block: int
) -> None:
    choices = [Choice(1, StepCost(1, step / 2, step, 0.01), True) for step in steps_s]
    ahead = choose_ahead_samples(choices, rate, block)
    assert ahead % block == 0
    wanted = (sum(steps_s) + max(steps_s, default=0.0)) * rate
    assert wanted + 2 * block <= ahead < wanted + 4 * block + 0.01 * rate


@pytest.mark.parametrize(("look_ahead", "times"), [(0, 4), (900, 10)])
def test_clips_are_measured_as_several_that_begin_together_or_one_that_ends(
    monkeypatch: pytest.MonkeyPatch, look_ahead: int, times: int
) -> None:
    monkeypatch.setattr(chunking, "running_state", lambda _runner, _chunk_frames: None)
    monkeypatch.setattr(chunking, "cost_per_step", Costs(0.001, 0.0))
    spec = SimpleNamespace(
        chunk_unit=1, clip_frames=16, hop_samples=100, look_ahead_samples=look_ahead, notes=None
    )
    runner: Any = SimpleNamespace(spec=spec)
    cost = measure(runner, 1)
    assert cost.median_seconds == pytest.approx(0.004)
    assert cost.p99_seconds == pytest.approx(0.0012 * times)
