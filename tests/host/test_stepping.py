"""Stepping down and up ladders, by a clock and loads that are made up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from synthhost.core.board import BLOCK_BUCKETS, block_bucket
from synthhost.host.stepping import (
    AGAIN_S,
    BUILD_S,
    HOLD_S,
    LATE_BLOCKS,
    PATIENCE_S,
    SETTLE_S,
    WINDOW_S,
    Counts,
    Standing,
    Step,
    Stepping,
)

TICK_S = 0.5


@dataclass
class Show:
    """Tracks whose models take what their rung says, times how slow the machine is."""

    factors: dict[str, Sequence[float | None]]
    rungs: dict[str, int] = field(default_factory=dict)
    slowness: float = 1.0
    stalling: bool = False  # late blocks that are no model's
    deaf: set[str] = field(default_factory=set)  # tracks whose steps are never built
    now_s: float = 100.0
    late: int = 0

    def __post_init__(self) -> None:
        self.stepping = Stepping()
        self.spent = dict.fromkeys(self.factors, 0.0)
        self.times = np.zeros(BLOCK_BUCKETS, np.int64)
        self.steps: list[tuple[float, Step]] = []

    def factor(self, name: str) -> float:
        factor = self.factors[name][self.rungs.get(name, 0)]
        return self.slowness * (0.5 if factor is None else factor)

    def counts(self) -> Counts:
        tracks = [
            Standing(name, "preset", self.rungs.get(name, 0), self.factors[name], self.spent[name])
            for name in self.factors
        ]
        return Counts(self.late, self.times.copy(), tracks)

    def play(self, seconds: float) -> list[Step]:
        """Go on for so long; return the steps that were ordered, which are taken at once."""
        end_s, before = self.now_s + seconds, len(self.steps)
        while self.now_s < end_s:
            self.now_s += TICK_S
            shares = {name: self.factor(name) for name in self.factors}
            self.late += sum(shares.values()) > 1.0 or self.stalling
            self.times[block_bucket(1000 * TICK_S * sum(shares.values()))] += 1
            for name, share in shares.items():
                self.spent[name] += TICK_S * share
            step = self.stepping.look(self.now_s, self.counts())
            if step is not None:
                self.steps.append((self.now_s, step))
                if step.track not in self.deaf:
                    self.rungs[step.track] = step.rung
        return [step for _, step in self.steps[before:]]


def test_a_show_in_time_is_left_alone() -> None:
    show = Show({"a": [0.4, 0.2], "b": [0.3, 0.1]})
    assert show.play(1000.0) == []


def test_the_dearest_track_steps_down_when_blocks_are_late_again_and_again() -> None:
    show = Show({"a": [0.4, 0.2], "b": [0.9, 0.3], "c": [0.95]})
    (step,) = show.play(WINDOW_S)
    assert (step.track, step.rung) == ("b", 1)
    assert step.why.startswith(f"{LATE_BLOCKS} blocks were late within")
    assert "the models took 225 % of the time" in step.why
    assert "at p99.9" in step.why


def test_it_goes_on_down_until_the_show_is_in_time_and_no_further() -> None:
    show = Show({"a": [2.0, 1.5, 0.6, 0.2]})
    assert [step.rung for step in show.play(HOLD_S)] == [1, 2]


def test_after_a_step_nothing_is_judged_until_it_has_settled() -> None:
    show = Show({"a": [2.0, 1.5, 0.6]})
    show.play(HOLD_S)
    (first_s, _), (second_s, _) = show.steps
    assert second_s - first_s >= SETTLE_S


def test_a_few_late_blocks_change_nothing() -> None:
    show = Show({"a": [0.9, 0.3]})
    for _ in range(20):
        show.late += LATE_BLOCKS - 1
        assert show.play(2 * WINDOW_S) == []


def test_lateness_that_is_not_the_models_steps_nobody_down_and_is_helpless() -> None:
    show = Show({"a": [0.2, 0.1]}, stalling=True)
    assert show.play(60.0) == []
    assert show.stepping.helpless(show.now_s, show.counts())


def test_without_a_rung_left_it_is_helpless() -> None:
    show = Show({"a": [2.0]})
    assert show.play(60.0) == []
    assert show.stepping.helpless(show.now_s, show.counts())


def test_it_steps_up_again_when_there_has_been_room_for_a_while() -> None:
    show = Show({"a": [0.6, 0.3]}, slowness=2.0)
    assert [step.rung for step in show.play(20.0)] == [1]
    show.slowness = 1.0
    (step,) = show.play(HOLD_S)
    (down_s, _), (up_s, _) = show.steps
    assert up_s - down_s >= HOLD_S
    assert (step.track, step.rung) == ("a", 0)
    assert "there the models need 60 % of the time" in step.why
    assert show.play(500.0) == []


def test_it_stays_where_the_higher_rung_would_not_fit() -> None:
    show = Show({"a": [1.2, 0.3]})
    assert [step.rung for step in show.play(1000.0)] == [1]
    slow = Show({"a": [0.6, 0.3]}, slowness=1.8)  # the machine stays slower than when it was measured
    assert [step.rung for step in slow.play(1000.0)] == [1]


def test_a_rung_that_was_never_measured_is_not_stepped_up_to() -> None:
    show = Show({"a": [None, 0.1]}, slowness=3.0)
    assert [step.rung for step in show.play(20.0)] == [1]
    show.slowness = 1.0
    assert show.play(1000.0) == []


def test_a_step_up_that_had_to_be_taken_back_is_not_tried_again_so_soon() -> None:
    show = Show({"a": [0.7, 0.3]}, slowness=2.0)
    show.play(20.0)
    gaps_s = []
    for _ in range(3):
        show.slowness = 1.0
        begun_s = show.now_s
        while not show.play(TICK_S):
            pass
        gaps_s.append(show.now_s - begun_s)
        show.slowness = 2.0
        assert [step.rung for step in show.play(20.0)] == [1]
    assert gaps_s[1] > 1.5 * gaps_s[0]
    assert gaps_s[2] > 1.5 * gaps_s[1]


def test_a_ladder_whose_step_is_never_built_is_given_up() -> None:
    show = Show({"a": [2.0, 0.5]}, deaf={"a"})
    assert len(show.play(AGAIN_S)) == 1
    assert show.stepping.helpless(show.now_s, show.counts())
    (told,) = show.stepping.take_news()
    assert told.startswith("Track a is not on rung 1 of its ladder 30 s after that was asked for")
    assert show.stepping.take_news() == []


def test_a_ladder_that_was_given_up_is_tried_again_later() -> None:
    show = Show({"a": [2.0, 0.5]}, deaf={"a"})
    show.play(AGAIN_S)
    show.deaf.clear()
    assert [step.rung for step in show.play(2 * PATIENCE_S)] == [1]


def test_while_a_step_is_not_built_the_other_tracks_are_judged_on() -> None:
    show = Show({"a": [0.8, 0.1], "b": [0.6, 0.1]}, deaf={"a"})
    assert [step.track for step in show.play(BUILD_S + WINDOW_S + SETTLE_S)] == ["a", "b"]
    show = Show({"a": [2.0, 0.5], "b": [0.1, 0.05]}, deaf={"a"})  # what b could give up would not do
    assert [step.track for step in show.play(BUILD_S + WINDOW_S)] == ["a"]
    assert show.stepping.helpless(show.now_s, show.counts())


def test_a_rung_that_takes_no_less_is_passed_by_on_the_way_down_and_up() -> None:
    show = Show({"a": [0.6, 0.8, 0.3]}, slowness=2.0)
    assert [step.rung for step in show.play(HOLD_S)] == [2]
    show.slowness = 1.0
    assert [step.rung for step in show.play(2 * HOLD_S)] == [0]
    dearer = Show({"a": [1.2, 1.3]})
    assert dearer.play(60.0) == []
    assert dearer.stepping.helpless(dearer.now_s, dearer.counts())


def test_nothing_is_given_up_for_a_track_that_does_not_fit_anyway() -> None:
    show = Show({"a": [1.5, 1.2], "b": [0.1, 0.05]})
    assert [step.track for step in show.play(60.0)] == ["a"]
    assert show.stepping.helpless(show.now_s, show.counts())
