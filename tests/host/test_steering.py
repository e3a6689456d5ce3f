"""What is ordered and said when a show is late, and a session that stepped is replayed to the bit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from synthhost.backends.cost import StepCost
from synthhost.core.board import BLOCK_BUCKETS
from synthhost.core.messages import Accepted, Failed, SetOption, SetParam, TakeRung
from synthhost.host.assembly import describe
from synthhost.host.chunking import Choice
from synthhost.host.journal import JOURNAL_NAME, Journal, JournalWriter, header_of
from synthhost.host.lead import Lead
from synthhost.host.offline import OfflineEngine, OfflineResult
from synthhost.host.plan import Plan
from synthhost.host.planning import offline_plan
from synthhost.host.replay import replay
from synthhost.host.steering import Steering
from synthhost.native.compiled import why_missing

LADDER = [
    {"backend": "torch"},
    {"backend": "native", "threads": 1},
]  # one sounds, by its rounding, unlike the other
SAMPLES = 9000


class Machine:
    """One track, a clock, and counts that a test moves."""

    def __init__(self, rungs: int, ahead_samples: int = 960, *, moves: bool = False) -> None:
        body = {"model": "glow", "ladder": [{"steps": 9 - rung} for rung in range(rungs)], "rung": 0}
        playing = SimpleNamespace(body=body, name="preset")
        self.track = SimpleNamespace(name="voice", playing=playing, model_seconds=0.0)
        self.status: dict[str, Any] = {
            "late_blocks": 0,
            "block_times": np.zeros(BLOCK_BUCKETS, np.int64),
            "ahead_samples": ahead_samples,
        }
        self.now_s = 0.0
        self.orders: list[TakeRung] = []
        self.said: list[str] = []
        calm = Choice(4, StepCost(4, 0.004, 0.005, 0.02), keeps_up=True)
        renderer: Any = SimpleNamespace(tracks=[self.track], sample_rate=48000)
        admission: Any = SimpleNamespace(choices={"glow": calm})
        status: Any = self.status
        self.steering = Steering(
            renderer,
            admission,
            status,
            30.0,
            order=self.orders.append,
            say=self.said.append,
            lead=Lead(lambda: 20.0, 5.0, 10.0) if moves else None,
            stay_ahead=self.stay_ahead,
            clock=lambda: self.now_s,
        )

    def stay_ahead(self, ahead_ms: float) -> None:
        self.status["ahead_samples"] = int(ahead_ms * 48)

    def play(self, seconds: float, share: float, *, late_ms: float = 0.0) -> None:
        for _ in range(int(2 * seconds)):
            self.now_s += 0.5
            self.track.model_seconds += 0.5 * share
            if late_ms:
                self.status["late_blocks"] += 1
                self.steering.longest_late_ms = max(self.steering.longest_late_ms, late_ms)
            used_ms = late_ms + self.status["ahead_samples"] / 48.0 if late_ms else 15.0
            self.steering.most_used_ms = max(self.steering.most_used_ms, used_ms)
            self.steering.look()


def test_a_late_show_is_stepped_down_by_a_command_and_told_in_a_sentence() -> None:
    machine = Machine(rungs=2)
    machine.play(4.0, 1.1, late_ms=12.0)
    (order,) = machine.orders
    assert (order.track, order.preset, order.rung, order.crossfade_ms) == ("voice", "preset", 1, 30.0)
    assert machine.said == [f"Track voice steps down to rung 1 of 2 with steps=9: {order.why}."]
    assert "blocks were late within" in order.why


def test_a_show_whose_ring_is_too_short_is_told_what_would_have_held() -> None:
    machine = Machine(rungs=1)
    machine.play(4.0, 0.2, late_ms=12.0)
    machine.play(60.0, 0.2, late_ms=11.0)  # held by the same ring, so no news
    assert machine.orders == []
    assert machine.said == [
        "Blocks were up to 12 ms late, 20 ms ahead of the sink: --ahead-ms 35 would have held them."
    ]
    machine.play(4.0, 0.2, late_ms=31.0)
    assert machine.said[1:] == [
        "Blocks were up to 31 ms late, 20 ms ahead of the sink: --ahead-ms 55 would have held them."
    ]


def test_a_length_that_nobody_asked_for_follows_what_is_used_of_it_and_that_is_said() -> None:
    machine = Machine(rungs=1, moves=True)
    machine.play(0.5, 0.2, late_ms=12.0)
    assert machine.status["ahead_samples"] == 45 * 48
    machine.play(300.0, 0.2)
    assert machine.status["ahead_samples"] == 30 * 48  # 15 ms and half as much again, and a block
    assert machine.orders == []
    late, earlier = machine.said
    assert late.startswith("Blocks were up to 12 ms late, 20 ms ahead of the sink: it is 45 ms from now on")
    assert "it is 30 ms from now on, and controls are heard so much earlier" in earlier


def test_what_hands_could_not_follow_is_advised_only() -> None:
    machine = Machine(rungs=0, moves=True)
    machine.play(4.0, 0.2, late_ms=400.0)
    assert machine.status["ahead_samples"] == 960
    assert machine.said == [
        "Blocks were up to 400 ms late, 20 ms ahead of the sink: --ahead-ms 425 would have held them."
    ]


def test_models_that_take_all_the_time_are_held_by_no_length() -> None:
    machine = Machine(rungs=0, moves=True)
    machine.play(30.0, 1.5, late_ms=30.0)
    assert machine.said[-1:] == [
        "The models take 150 % of the time, which no --ahead-ms holds: use fewer or smaller ones, or a "
        "ladder."
    ]
    assert machine.status["ahead_samples"] <= 85 * 48  # at once, before that was known


def test_what_no_ring_holds_is_said_too() -> None:
    machine = Machine(rungs=0)
    machine.play(4.0, 0.2, late_ms=5000.0)
    assert machine.said == [
        "Blocks were up to 5000 ms late, 20 ms ahead of the sink: no --ahead-ms holds that: the models need "
        "a faster machine."
    ]


class Session(OfflineEngine):
    """A performance that writes its journal, as the control process does."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self.journal = JournalWriter(header_of(plan, {}, {}), out / JOURNAL_NAME)
        self.failed: list[str] = []
        super().__init__(plan, out, self_activating=True)

    def _note(self, event: Any) -> None:
        super()._note(event)
        if isinstance(event, Failed):
            self.failed.append(event.reason)
            self.journal.fail(event, self.renderer.sample)
        elif isinstance(event, Accepted):
            self.journal.write(event)

    def play(self, *script: tuple[int, Any]) -> OfflineResult:
        self.record_all()
        waiting = list(script)
        while self.renderer.sample < SAMPLES:
            while waiting and waiting[0][0] <= self.renderer.sample:
                self.renderer.receive([waiting.pop(0)[1]])
            self.advance(SAMPLES)
        self.journal.close(SAMPLES)
        return self.finish()

    def track(self) -> dict[str, Any]:
        described: dict[str, Any] = describe(self.renderer, self.plan)["tracks"]["voice"]
        return described


def plan_of(studio: Path, *, rung: int = 0, ladder: list[dict[str, Any]] | None = None) -> Plan:
    plan = offline_plan(str(studio / "presets" / "same-set.yaml"), 1)
    preset = {**plan.set["tracks"][0]["preset"], "ladder": LADDER if ladder is None else ladder, "rung": rung}
    plan.set["tracks"][0]["preset"] = preset
    return plan


def sound(folder: Path) -> Any:
    return soundfile.read(folder / "master.wav", dtype="float32", always_2d=True)[0]


compiled = pytest.mark.skipif(why_missing() is not None, reason="no compiled extension")


@compiled
def test_a_session_that_stepped_down_and_up_replays_to_the_bit(studio: Path, tmp_path: Path) -> None:
    session = Session(plan_of(studio), tmp_path / "live")
    session.play(
        (1000, TakeRung("voice", 1, "late", 10.0)),
        (2500, SetParam("voice", "brightness", 0.4)),
        (3000, TakeRung("voice", 2, "still late", 10.0)),
        (6000, TakeRung("voice", 1, "room", 10.0)),
        (7500, TakeRung("voice", 0, "room", 10.0)),
    )
    assert session.failed == []
    plain = Session(plan_of(studio), tmp_path / "plain")
    plain.play((2500, SetParam("voice", "brightness", 0.4)))
    again = replay(Journal(tmp_path / "live"), tmp_path / "again", lambda _done, _all: None)
    heard = sound(tmp_path / "live")
    np.testing.assert_array_equal(sound(Path(again.folders[0])), heard)
    assert np.abs(heard - sound(tmp_path / "plain")).max() > 0.0  # the steps were heard


@compiled
def test_a_session_that_began_on_a_rung_replays_to_the_bit(studio: Path, tmp_path: Path) -> None:
    session = Session(plan_of(studio, rung=1), tmp_path / "live")
    told = session.track()
    assert (told["rung"], len(told["ladder"]), told["computed"]["backend"]) == (1, 2, "torch")
    session.play((2000, TakeRung("voice", 0, "room", 10.0)))
    assert session.failed == []
    again = replay(Journal(tmp_path / "live"), tmp_path / "again", lambda _done, _all: None)
    np.testing.assert_array_equal(sound(Path(again.folders[0])), sound(tmp_path / "live"))


def test_the_rung_and_its_reason_are_told_and_a_word_by_hand_begins_the_ladder_anew(
    studio: Path, tmp_path: Path
) -> None:
    ladder: list[dict[str, Any]] = [{"backend": "torch"}, {"steps": 4}, {"threads": 1}]  # it has no steps
    session = Session(plan_of(studio, ladder=ladder), tmp_path / "live")
    told: list[tuple[Any, ...]] = []
    for at, command in (
        (500, TakeRung("voice", 1, "late", 5.0)),
        (2000, SetOption("voice", "backend", "auto", 5.0)),
        (4000, TakeRung("voice", 3, "late", 5.0)),
    ):
        while session.renderer.sample < at:
            session.advance(SAMPLES)
        session.renderer.receive([command])
        while session.renderer.sample < at + 1000:
            session.advance(SAMPLES)
        track = session.track()
        told.append(
            (track["rung"], len(track["ladder"]), track["rung_reason"], track["option_values"]["backend"])
        )
    assert told[:2] == [(1, 2, "late", "torch"), (0, 1, "", "auto")]
    assert told[2] == told[1]
    assert session.failed == ["the track's present preset has 1 rungs, none is 3"]
    session.finish()
