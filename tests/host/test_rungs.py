"""Where tracks begin on their ladders, decided by costs that are made up."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.backends.cost import StepCost
from synthhost.core.errors import ConfigError
from synthhost.core.options import model_of
from synthhost.host import admission as admitting
from synthhost.host import fitting
from synthhost.host.admission import Admission
from synthhost.host.chunking import Choice
from synthhost.host.fitting import Room, fitted, most_tried
from synthhost.host.plan import Plan
from synthhost.host.planning import read_ladder
from synthhost.host.rungs import Rungs, begin_on_rungs, step_down_until_all_fit
from synthhost.host.verdicts import Tried, too_short


def costing(factor: float, *, keeps_up: bool | None = None, threads: int = 1) -> Choice:
    """Return a choice that needs so much of real time."""
    keeps_up = factor <= 0.95 if keeps_up is None else keeps_up
    return Choice(
        4, StepCost(4, 0.02 * factor, 0.021 * factor, 0.02, 0.022 * factor, 1000), keeps_up, threads
    )


def rungs_taken(*ladders: list[float]) -> list[int]:
    tracks = {str(index): Rungs([costing(one) for one in ladder]) for index, ladder in enumerate(ladders)}
    step_down_until_all_fit(tracks)
    return [one.rung for one in tracks.values()]


def test_what_keeps_up_stays_on_top() -> None:
    assert rungs_taken([0.5, 0.2]) == [0]
    assert rungs_taken([0.3, 0.1], [0.4]) == [0, 0]


def test_the_first_rung_that_fits_is_taken_and_the_last_if_none_does() -> None:
    assert rungs_taken([2.0, 1.1, 0.6, 0.2]) == [2]
    assert rungs_taken([4.0, 3.0, 2.0]) == [2]
    assert rungs_taken([4.0]) == [0]


def test_whoever_does_not_keep_up_alone_steps_before_the_others() -> None:
    assert rungs_taken([1.2, 0.3], [0.4, 0.1]) == [1, 0]


def test_together_the_dearest_steps_down_until_there_is_room() -> None:
    assert rungs_taken([0.5, 0.25], [0.4, 0.2], [0.1, 0.01]) == [1, 0, 0]
    assert rungs_taken([0.5, 0.44], [0.4, 0.2], [0.1, 0.01]) == [1, 1, 0]


def test_a_step_whose_tail_is_late_does_not_keep_up_though_its_median_fits() -> None:
    tracks = {"a": Rungs([costing(0.5, keeps_up=False), costing(0.4)])}
    step_down_until_all_fit(tracks)
    assert tracks["a"].rung == 1


def test_a_rung_that_takes_no_less_is_passed_by() -> None:
    assert rungs_taken([0.8, 1.3]) == [0]
    assert rungs_taken([1.6, 1.7, 0.5]) == [2]
    tracks = {"a": Rungs([costing(0.5, keeps_up=False), costing(0.6)])}  # it takes more and is not late
    step_down_until_all_fit(tracks)
    assert tracks["a"].rung == 1


def test_nobody_gives_anything_up_where_all_do_not_fit_anyway() -> None:
    assert rungs_taken([1.5], [0.1, 0.05]) == [0, 0]
    assert rungs_taken([1.5, 1.2], [0.4, 0.1]) == [1, 0]
    assert rungs_taken([0.7, 0.5], [0.6, 0.4]) == [1, 1]  # more than is wanted, and still within a core


class Machine:
    """Models by reference, with what each would cost, and what was asked."""

    def __init__(self, costs: dict[str, float], options: tuple[str, ...]) -> None:
        self.costs, self.asked, self.kept = costs, list[str](), list[int]()
        specs = [SimpleNamespace(name=name) for name in options]
        self.factory: Any = SimpleNamespace(model=self._model, keep=self.kept.append)
        self.admission: Any = SimpleNamespace(measured=self._measured, notes=[])
        self._specs = specs

    def _model(self, reference: str) -> Any:
        if reference not in self.costs:
            raise ConfigError("8-bit integers are computed by native code only")
        return SimpleNamespace(runner=reference, option_specs=self._specs)

    def _measured(self, reference: str, _runner: Any) -> Choice:
        self.asked.append(reference)
        return costing(self.costs[reference])


def plan_with(ladder: list[dict[str, Any]], preset: dict[str, Any] | None = None) -> Plan:
    preset = {"model": "glow", "options": {}, "ladder": [], "rung": 0, **(preset or {})}
    track = {"name": "voice", "preset": preset, "backend": "auto", "device": "cpu"}
    return Plan({"tracks": [track], "ladder": ladder}, 48000, 256, 0)


def test_every_rung_is_measured_and_the_plan_says_where_the_track_stands() -> None:
    machine = Machine(
        {"glow": 3.0, "glow?precision=int8": 1.4, "glow?precision=int8&steps=4": 0.5}, ("precision", "steps")
    )
    plan, reasons = begin_on_rungs(
        plan_with([{"precision": "int8"}, {"steps": 4}]), machine.factory, machine.admission
    )
    preset = plan.set["tracks"][0]["preset"]
    assert (preset["rung"], preset["ladder"]) == (2, [{"precision": "int8"}, {"steps": 4}])
    assert model_of(preset) == "glow?precision=int8&steps=4"
    assert reasons["voice"] == (
        "rung 2 of 2, precision=int8, steps=4: without it the model needs 300 % of one core, with it 50 %"
    )
    assert machine.asked == list(machine.costs)
    assert machine.kept == [3]  # so that none is loaded twice
    assert machine.admission.notes == [f"voice begins on {reasons['voice']}"]


def test_rungs_of_other_models_are_left_out_and_one_that_cannot_be_had_ends_the_ladder() -> None:
    machine = Machine({"glow": 3.0}, ("precision",))
    plan, reasons = begin_on_rungs(
        plan_with([{"steps": 4}, {"precision": "int8"}]), machine.factory, machine.admission
    )
    assert (plan.set["tracks"][0]["preset"]["rung"], reasons) == (0, {})
    assert "rung 1 of its ladder cannot be taken: 8-bit" in machine.admission.notes[0]
    assert plan.bodies()["voice"]["ladder"] == []


def test_a_ladder_that_ended_empty_stays_so_where_the_plan_is_written_down(tmp_path: Path) -> None:
    machine, bare = Machine({"glow": 3.0}, ("precision",)), plan_with([{"precision": "int8"}])
    assert bare.bodies()["voice"]["ladder"] == [{"precision": "int8"}]
    begin_on_rungs(bare, machine.factory, machine.admission)[0].save(tmp_path)
    assert Plan.load(tmp_path).bodies()["voice"]["ladder"] == []


def test_a_presets_own_rung_that_its_model_lacks_is_told() -> None:
    machine = Machine({"glow": 0.3, "glow?steps=9": 0.1}, ("steps",))
    begin_on_rungs(
        plan_with([], {"ladder": [{"stepz": 4}, {"steps": 9}]}), machine.factory, machine.admission
    )
    assert machine.admission.notes == [
        "voice: its model lacks options that its preset's ladder names, see `presets check`"
    ]


def test_a_presets_own_ladder_goes_before_the_sets_and_without_any_nothing_is_done() -> None:
    machine = Machine({"glow": 3.0, "glow?steps=9": 0.5}, ("precision", "steps"))
    plan, _ = begin_on_rungs(
        plan_with([{"precision": "int8"}], {"ladder": [{"steps": 9}]}), machine.factory, machine.admission
    )
    assert model_of(plan.set["tracks"][0]["preset"]) == "glow?steps=9"
    bare = plan_with([])
    assert begin_on_rungs(bare, machine.factory, machine.admission) == (bare, {})


def test_a_ladder_is_read_from_the_command_line() -> None:
    assert read_ladder("threads=2, precision=int8,steps=6&schedule=fast") == [
        {"threads": 2},
        {"precision": "int8"},
        {"steps": 6, "schedule": "fast"},
    ]
    assert (read_ladder(None), read_ladder("")) == (None, [])
    with pytest.raises(ConfigError, match="write rungs as precision=int8"):
        read_ladder("int8")


class Wide:
    """A model whose step takes less with more threads, and never less than one part of it."""

    def __init__(self, alone: float, serial: float, threads: int = 1, asked: int = 0) -> None:
        self.alone, self.serial, self.options = alone, serial, {"threads": asked}
        self.computed = SimpleNamespace(threads=threads, reason="compiled")
        self.runner = costing(self.serial + (alone - serial) / threads, threads=threads)

    def with_options(self, threads: int) -> Wide:
        return Wide(self.alone, self.serial, threads, threads)


@pytest.mark.parametrize(
    ("alone", "serial", "cores", "threads"),
    [
        (0.5, 0.0, 8, 1),
        (1.2, 0.0, 1, 1),
        (1.2, 0.0, 8, 2),
        (2.4, 0.0, 8, 4),
        (2.4, 0.0, 2, 2),
        (2.4, 2.3, 8, 1),
    ],
)
def test_one_thread_where_it_keeps_up_else_as_many_as_pay(
    monkeypatch: pytest.MonkeyPatch, alone: float, serial: float, cores: int, threads: int
) -> None:
    monkeypatch.setattr(fitting, "choose_chunk", lambda runner, *_: runner)
    monkeypatch.setattr(fitting, "shares_steps", lambda _: True)
    monkeypatch.setattr(fitting, "replace", lambda thing, **_: thing)
    model: Any = Wide(alone, serial)
    found, choice = fitted(model, Room(0.75, threads=cores))
    assert (found.computed.threads, choice.threads) == (threads, threads)


@pytest.mark.parametrize(
    ("admission", "left", "says"),
    [
        ("warn", False, "Expect gaps. Use a smaller model"),
        ("warn", True, "Expect gaps until it has stepped down its ladder."),
        ("strict", False, "It is not played, as --admission strict asks. Use a smaller model"),
    ],
)
def test_a_verdict_says_what_is_needed_what_was_tried_and_what_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, admission: str, left: bool, says: str
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    host = Admission(
        Plan({"tracks": [{}]}, 48000, 256, 0, admission=admission, most_threads=2), lambda: False
    )
    monkeypatch.setattr(admitting, "choose_chunk", lambda *_: costing(1.5))
    runner: Any = SimpleNamespace(spec=SimpleNamespace(sha256="0", chunk_unit=2))
    host.measured("glow?steps=4", runner)
    (verdict,) = host.verdicts(["glow?steps=4"], left=left)
    assert verdict.startswith(
        "glow?steps=4 needs 1.50 of real time on this machine at best: 30.0 ms, p99.9 33.0 ms, for 20.0 ms "
        "of sound. No chunk of 2 to 32 frames keeps up on one thread under steps=4. "
    )
    assert says in verdict


@pytest.mark.parametrize(
    ("tried", "says"),
    [
        (Tried((1, 16), (1, 8)), "No chunk of 1 to 16 frames keeps up on 1 to 8 threads"),
        (Tried((1, 16), (2, 2)), "No chunk of 1 to 16 frames keeps up on 2 threads"),
        (Tried((4, 4), (1, 1)), "The chunk of 4 frames that is asked for does not keep up on one thread"),
    ],
)
def test_only_what_was_tried_is_said_to_be(tried: Tried, says: str) -> None:
    assert str(tried) == says


@pytest.mark.parametrize(
    ("factor", "threads", "allowed", "most"),
    [(1.5, 1, 8, 2), (1.5, 4, 8, 8), (1.5, 8, 8, 8), (1.5, 1, 1, 1), (0.5, 2, 8, 2)],
)
def test_threads_were_tried_up_to_twice_the_best_or_what_is_allowed(
    factor: float, threads: int, allowed: int, most: int
) -> None:
    assert most_tried(costing(factor, threads=threads), allowed) == most


def test_models_that_keep_up_alone_and_not_together_get_a_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    host = Admission(Plan({"tracks": [{}, {}]}, 48000, 256, 0), lambda: False)
    host.choices["a"] = costing(0.5)
    assert host.verdicts(["a"], left=False) == []
    assert host.verdicts(["a", "a"], left=False)[0].startswith(
        "The models of 2 tracks need 100 % of one core"
    )


def test_a_ring_shorter_than_would_be_chosen_is_told_in_ms() -> None:
    told = too_short(480, 2400, 48000)
    assert "stays 10 ms ahead" in told
    assert "it would be 50 ms" in told
