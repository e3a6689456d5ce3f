"""Admission: what is measured, and what is said of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.backends.cost import StepCost
from synthhost.core.computing import Computed
from synthhost.host import admission
from synthhost.host.admission import Admission
from synthhost.host.chunking import Choice
from synthhost.host.plan import Plan


def make_admission(told: list[str]) -> Admission:
    plan = Plan({"tracks": [{}]}, 48000, 256, 0)
    return Admission(plan, lambda: True, told.append)


class Networked:
    """A model that shares its steps among threads."""

    def __init__(self, threads: int) -> None:
        self.computed = Computed("native", "cpu", "compiled", threads)
        self.runner = SimpleNamespace(spec=SimpleNamespace(sha256="1" * 64, name="wide", chunk_unit=1))

    def with_options(self, threads: int) -> Networked:
        return Networked(threads)


TWO = Choice(4, StepCost(4, 0.01, 0.011, 0.02), keeps_up=True, threads=2)


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let models be found to need two threads; give the room of each measurement."""
    rooms: list[Any] = []

    def fitted(_model: Any, room: Any) -> Any:
        rooms.append(room)
        return Networked(2), TWO

    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "shares_steps", lambda _: True)
    monkeypatch.setattr(admission, "fitted", fitted)
    monkeypatch.setattr(Admission, "_faster", lambda _, _reference, model: model)
    return rooms


@pytest.mark.usefixtures("measured")
def test_a_verdict_names_the_threads_that_were_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = replace(TWO, cost=StepCost(4, 0.03, 0.03, 0.02), keeps_up=False)
    monkeypatch.setattr(admission, "fitted", lambda *_: (Networked(2), slow))
    plan = Plan({"tracks": [{}]}, 48000, 256, 0, most_threads=4, fixed_chunk=4)
    host, model = Admission(plan, lambda: False), Networked(1)
    host.measured("wide", host.preferred("wide", model).runner)  # type: ignore[arg-type]
    (verdict,) = host.verdicts(["wide"], left=False)
    assert "The chunk of 4 frames that is asked for does not keep up on 1 to 4 threads." in verdict


def test_a_fixed_chunk_holds_on_any_rung(measured: list[Any]) -> None:
    host, model = Admission(Plan({"tracks": [{}]}, 48000, 256, 0, fixed_chunk=3), lambda: False), Networked(1)
    for reference in ("wide", "wide?precision=int8"):
        host.preferred(reference, model)  # type: ignore[arg-type]
    assert [room.fixed for room in measured] == [3, 3]


def test_what_was_measured_at_a_fixed_chunk_does_not_count_at_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(
        admission,
        "measure_apart",
        lambda _reference, _share, fixed, *_: replace(TWO, chunk_frames=fixed or 1),
    )
    runner: Any = Networked(1).runner
    for fixed in (0, 3, 0, 5):
        host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0, fixed_chunk=fixed), lambda: True)
        assert host.chunk_of("wide", runner) == (fixed or 1)


def test_a_model_that_is_loaded_again_is_not_measured_again(measured: list[Any]) -> None:
    host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda: False)
    for _ in range(2):
        model: Any = Networked(1)
        model = host.preferred("wide", model)
        assert (model.computed.threads, host.measured("wide", model.runner).threads) == (2, 2)
    assert len(measured) == 1


@pytest.mark.usefixtures("measured")
def test_threads_that_were_needed_before_a_show_are_taken_during_it() -> None:
    for playing in (False, True):  # measured at first, remembered afterwards
        host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda playing=playing: playing)  # type: ignore[misc]
        model: Any = Networked(1)
        model = host.preferred("wide", model)
        assert (model.computed.threads, model.computed.reason) == (2, "compiled")
        assert host.chunk_of("wide", model.runner) == 4
        assert host.models()["wide"]["threads"] == 2


@pytest.mark.usefixtures("measured")
def test_what_was_found_with_more_threads_does_not_count_where_fewer_are_allowed() -> None:
    def host(most_threads: int, *, playing: bool) -> Admission:
        return Admission(Plan({"tracks": [{}]}, 48000, 256, 0, most_threads=most_threads), lambda: playing)

    model: Any = Networked(1)
    before = host(2, playing=False)
    before.measured("wide", before.preferred("wide", model).runner)
    assert host(2, playing=True).preferred("wide", model).computed.threads == 2
    assert host(1, playing=True).preferred("wide", model).computed.threads == 1


@pytest.mark.parametrize("playing", [False, True])
def test_threads_that_were_asked_for_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, playing: bool
) -> None:
    one = Choice(4, StepCost(4, 0.01, 0.011, 0.02), keeps_up=True)
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "shares_steps", lambda _: False)
    monkeypatch.setattr(admission, "choose_chunk", lambda *_: one)
    monkeypatch.setattr(admission, "measure_apart", lambda *_: one)
    monkeypatch.setattr(Admission, "_faster", lambda _, _reference, model: model)
    host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda: playing)
    model: Any = Networked(2)
    host.measured("wide?threads=2", host.preferred("wide?threads=2", model).runner)
    assert host.models()["wide?threads=2"]["threads"] == 2


def test_an_unknown_model_is_told_once_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    told_before: list[list[str]] = []

    def measured(*_: Any) -> Choice:
        told_before.append(list(told))
        return Choice(4, StepCost(4, 0.001, 0.002, 0.02), keeps_up=True)

    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "measure_apart", measured)
    runner: Any = SimpleNamespace(spec=SimpleNamespace(sha256="0" * 64, name="new", chunk_unit=1))
    one = make_admission(told)
    assert [one.chunk_of("new", runner) for _ in range(2)] == [4, 4]
    assert told_before == [["measuring new on this machine ..."]] == [told]
    make_admission(told).chunk_of("new", runner)  # it is remembered from then on
    assert len(told) == 1


FAILING_S = (0.015, 0.0201, 0.03)  # of 0.02: the first for a tail's sake, the others by their median too


class Timed:
    """A runner whose steps are said to take so long."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.spec = SimpleNamespace(sha256="2" * 64, name="known", chunk_unit=1, clip_frames=0)


@pytest.fixture
def shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let shows measure what `Timed` says; give what was measured anew, and what was looked at shortly."""
    done: list[str] = []

    def cost(runner: Timed, chunk_frames: int) -> StepCost:
        return StepCost(chunk_frames, runner.seconds, runner.seconds, 0.01 * chunk_frames)

    def choose(runner: Timed, *_: Any) -> Choice:
        done.append("measured")
        chunk = 1 if runner.seconds < 0.009 else 2
        return Choice(chunk, cost(runner, chunk), keeps_up=runner.seconds not in FAILING_S)

    def look(runner: Timed, chunk_frames: int, *_: Any) -> StepCost:
        done.append("looked")
        return cost(runner, chunk_frames)

    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "choose_chunk", choose)
    monkeypatch.setattr("synthhost.host.chunking.measure", look)
    return done


@pytest.mark.parametrize(
    ("first_s", "then_s", "tracks", "done"),
    [
        (0.002, 0.0024, 1, ["looked"]),  # as it was
        (0.002, 0.004, 1, ["looked", "measured"]),  # slower: the machine is busy, or another
        (0.006, 0.002, 1, ["looked", "measured"]),  # faster: it was busy then
        (0.005, 0.005, 3, ["measured"]),  # more tracks share the core
        (0.012, 0.012, 1, ["looked"]),  # a larger chunk than the least, found lately
        (0.012, 0.0098, 1, ["looked", "measured"]),  # which is quicker now: it was busy then
        (0.012, 0.012, 2, ["measured"]),  # or that was asked of less room
        (0.03, 0.03, 1, ["looked"]),  # too slow by far, lately
        (0.03, 0.0295, 1, ["looked"]),
        (0.0201, 0.0185, 1, ["looked", "measured"]),  # too slow lately, and perhaps not any more
        (0.015, 0.015, 1, ["measured"]),  # too slow now and then: perhaps for that moment only
    ],
)
def test_a_show_takes_what_an_earlier_one_measured_where_a_short_look_agrees(
    shows: list[str], first_s: float, then_s: float, tracks: int, done: list[str]
) -> None:
    for seconds, count in ((first_s, 1), (then_s, tracks)):
        shows.clear()
        host = Admission(Plan({"tracks": [{}] * count}, 48000, 256, 0), lambda: False)
        runner: Any = Timed(seconds)
        host.measured("known", runner)
    assert shows == done


@pytest.mark.parametrize(
    ("first_s", "later_s", "done"),
    [
        (0.002, 1e7, ["looked"]),  # the least chunk that keeps up is the answer for good
        (0.012, 11 * 3600.0, ["looked"]),
        (0.012, 13 * 3600.0, ["measured"]),
        (0.012, -60.0, ["measured"]),  # a clock that was put back says nothing
    ],
)
def test_what_a_busy_machine_may_have_answered_holds_for_half_a_day(
    shows: list[str], monkeypatch: pytest.MonkeyPatch, first_s: float, later_s: float, done: list[str]
) -> None:
    for now_s in (1e9, 1e9 + later_s):
        shows.clear()
        monkeypatch.setattr(admission, "time", lambda now_s=now_s: now_s)
        host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda: False)
        host.measured("known", Timed(first_s))  # type: ignore[arg-type]
    assert shows == done


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("chunk_frames", "many"),
        ("share", None),
        ("chosen_s", "noon"),
        ("cost", 3),
        ("cost", {}),
        ("more", 1),
        ("threads", float("nan")),
        ("threads", 0),
        ("chunk_seconds", 0.0),
        ("median_seconds", -1.0),
        ("chunk_frames", 1.5),
        ("chunk_frames", 10**400),
    ],
)
def test_a_damaged_entry_of_the_book_is_measured_anew(
    shows: list[str], tmp_path: Path, field: str, value: object
) -> None:
    book, plan = tmp_path / "costs.json", Plan({"tracks": [{}]}, 48000, 256, 0)
    runner: Any = Timed(0.002)
    Admission(plan, lambda: False).measured("known", runner)
    plain = json.loads(book.read_text())
    for entry in plain.values():
        (entry if field in entry or field == "more" else entry["cost"])[field] = value
    book.write_text(json.dumps(plain))
    shows.clear()
    Admission(plan, lambda: False).measured("known", runner)
    assert shows == ["measured"]


def test_what_was_found_beside_a_show_is_measured_as_well_as_can_be_before_the_next(
    measured: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    hopeless = Choice(4, StepCost(4, 0.04, 0.04, 0.02), keeps_up=False)
    monkeypatch.setattr(admission, "measure_apart", lambda *_: hopeless)
    model: Any = Networked(1)
    for playing in (True, False):
        host = Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda playing=playing: playing)  # type: ignore[misc]
        host.measured("wide", host.preferred("wide", model).runner)
    assert len(measured) == 1, "on as many threads as it needs"
    assert host.models()["wide"]["threads"] == 2
