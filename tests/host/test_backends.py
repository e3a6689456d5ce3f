"""What computes a track: as its set or the command line says, told with its reason, the same in a replay."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from typer.testing import CliRunner

from synthhost.backends import choice, runners
from synthhost.backends.cost import StepCost
from synthhost.backends.torch_runner import TorchRunner
from synthhost.cli.app import make_app
from synthhost.core.computing import Computed
from synthhost.core.errors import ConfigError
from synthhost.core.messages import LoadPreset
from synthhost.host import admission
from synthhost.host.admission import Admission
from synthhost.host.assembly import describe
from synthhost.host.chunking import Choice
from synthhost.host.duel import Duel
from synthhost.host.journal import JOURNAL_NAME, Journal, JournalWriter, header_of
from synthhost.host.offline import OfflineEngine
from synthhost.host.plan import Plan
from synthhost.host.planning import Wishes, make_plan, offline_plan
from synthhost.host.replay import remarks, replay
from synthhost.library.model import Model
from synthhost.library.shelves import load_model

SAMPLES = 3000


class Native(TorchRunner):
    """What would be compiled."""

    def __init__(self, *args: Any, threads: int = 1, precision: str = "float32") -> None:
        super().__init__(*args)
        self.threads, self.precision = threads, precision


@pytest.fixture
def plans(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let native code compute every network."""
    native_code(monkeypatch, None)


def native_code(monkeypatch: pytest.MonkeyPatch, refusal: str | None) -> None:
    """Let native code compute every network, or refuse each; whether anything was compiled plays no part."""
    monkeypatch.setattr(choice, "native_refusal", lambda _, **__: refusal)
    monkeypatch.setattr(runners, "NativeRunner", Native)
    monkeypatch.setattr(choice, "why_missing", lambda: None)


def plan_of(studio: Path, tmp_path: Path, **track: Any) -> Plan:
    """Return the plan of a set whose one track says so much more."""
    plain = yaml.safe_load((studio / "presets" / "same-set.yaml").read_text())
    plain["tracks"] = [{"name": "voice", "preset": str(studio / "presets" / "plain.yaml"), **track}]
    (tmp_path / "own-set.yaml").write_text(yaml.safe_dump(plain))
    return offline_plan(str(tmp_path / "own-set.yaml"), 1)


def engine_of(plan: Plan, tmp_path: Path) -> OfflineEngine:
    return OfflineEngine(plan, tmp_path / "out", self_activating=True)


def computed_in(engine: OfflineEngine) -> dict[str, Any]:
    """Return what the control side is told of the one track."""
    told: dict[str, Any] = describe(engine.renderer, engine.plan)["tracks"]["voice"]["computed"]
    return told


@pytest.mark.usefixtures("plans")
def test_a_track_is_computed_as_its_set_says_and_the_reason_is_told(studio: Path, tmp_path: Path) -> None:
    for wish, backend, reason in (
        ({}, "native", "compiled for this network"),
        ({"backend": "torch"}, "torch", "asked for"),
        ({"backend": "native"}, "native", "asked for"),
    ):
        with engine_of(plan_of(studio, tmp_path, **wish), tmp_path) as engine:
            assert computed_in(engine) == Computed(backend, "cpu", reason).as_json()
            runner = engine.renderer.tracks[0].playing.voice.runner
            assert type(runner) is (Native if backend == "native" else TorchRunner)


@pytest.mark.usefixtures("plans")
def test_a_preset_that_joins_is_computed_as_its_track_says(studio: Path, tmp_path: Path) -> None:
    with engine_of(plan_of(studio, tmp_path, backend="torch"), tmp_path) as engine:
        body = {**engine.plan.set["tracks"][0]["preset"], "name": "again", "gain_db": -3.0}
        engine.renderer.receive([LoadPreset("voice", "again", body, 5.0, 300)])
        while engine.renderer.sample < SAMPLES:
            engine.advance(SAMPLES)
        assert engine.renderer.tracks[0].playing.name == "again"
        assert computed_in(engine)["reason"] == "asked for"
        assert engine.finish().computed == {"voice": "torch on cpu (asked for)"}


def test_the_command_line_speaks_for_all_tracks(studio: Path) -> None:
    reference = str(studio / "presets" / "same-set.yaml")
    offline = offline_plan(reference, 1, "torch", "cuda:1")
    live = make_plan(Wishes(reference, sink="null", backend="torch", model_device="cuda:1")).plan
    for plan in (offline, live):
        assert [(one["backend"], one["device"]) for one in plan.set["tracks"]] == [("torch", "cuda:1")]
    with pytest.raises(ConfigError, match="'tensor'"):
        offline_plan(reference, 1, "tensor")


def test_a_fixed_chunk_holds_for_every_model(studio: Path, tmp_path: Path) -> None:
    plain = yaml.safe_load((studio / "presets" / "same-set.yaml").read_text())
    track = {"name": "voice", "preset": str(studio / "presets" / "plain.yaml"), "backend": "torch"}
    (tmp_path / "own-set.yaml").write_text(yaml.safe_dump({**plain, "chunk_frames": 3, "tracks": [track]}))
    plan = offline_plan(str(tmp_path / "own-set.yaml"), 1)
    assert plan.fixed_chunk == 3
    with engine_of(plan, tmp_path) as engine:
        assert engine.renderer.tracks[0].playing.voice.chunk_frames == 3


def session_of(plan: Plan, tmp_path: Path) -> Journal:
    """Play a moment with a change of preset and return its journal."""
    engine = engine_of(plan, tmp_path)
    factory = engine.renderer._changes._loader._workshop.factory  # type: ignore[attr-defined]
    writer = JournalWriter(header_of(plan, {}, {}, factory.backends), tmp_path / "live" / JOURNAL_NAME)
    engine.renderer._emit = engine.renderer._changes._emit = writer.write  # type: ignore[assignment]
    body = {**plan.set["tracks"][0]["preset"], "name": "again", "options": {"backend": "auto"}}
    engine.renderer.receive([LoadPreset("voice", "again", body, 5.0, 300)])
    while engine.renderer.sample < SAMPLES:
        engine.advance(SAMPLES)
    engine.finish()
    writer.close(SAMPLES)
    return Journal(tmp_path / "live" / JOURNAL_NAME)


def test_a_replay_computes_as_the_session_did_or_says_why_not(
    studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    native_code(monkeypatch, "its layers are too odd")
    journal = session_of(plan_of(studio, tmp_path), tmp_path)
    assert journal.plan.backends == {"tiny": "torch", "tiny?backend=auto": "torch"}
    native_code(monkeypatch, None)
    result = replay(journal, tmp_path / "again", lambda *_: None)  # native code could compute it by now
    assert result.computed == {"voice": "torch on cpu (as in the session)"}
    journal.plan = replace(journal.plan, backends=dict.fromkeys(journal.plan.backends, "native"))
    native_code(monkeypatch, "its layers are too odd")
    with pytest.raises(ConfigError, match="native code cannot compute it: its layers are too odd"):
        replay(journal, tmp_path / "never", lambda *_: None)


def test_a_journal_from_before_back_ends_could_be_chosen_is_remarked_on(studio: Path, tmp_path: Path) -> None:
    journal = session_of(plan_of(studio, tmp_path), tmp_path)
    assert not remarks(journal)
    del journal.header["plan"]["backends"]
    assert "does not say which back ends" in remarks(journal)[0]


def test_a_journal_from_another_gpu_is_remarked_on(studio: Path, tmp_path: Path) -> None:
    journal = session_of(plan_of(studio, tmp_path), tmp_path)
    journal.header["gpus"] = ["Fictive F1"]
    assert "computed on Fictive F1, this machine has no GPU" in remarks(journal)[0]


def test_a_journal_is_not_rendered_on_another_back_end(tmp_path: Path) -> None:
    told = CliRunner().invoke(make_app("render"), ["render", str(tmp_path), "--backend", "torch"])
    assert isinstance(told.exception, ConfigError)
    assert "back ends and devices that its session used" in str(told.exception)


@pytest.mark.usefixtures("plans")
def test_render_tells_what_computed_each_track(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "score.txt").write_text("0.0 /track/voice/gain -6\n")
    arguments = ["--score", str(tmp_path / "score.txt"), "--set", str(studio / "presets" / "same-set.yaml")]
    more = ["--for", "0.2", "--out", str(tmp_path / "stems"), "--backend", "torch", "--json"]
    told = CliRunner().invoke(make_app("render"), ["render", *arguments, *more])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["computed"] == {"voice": "torch on cpu (asked for)"}


# Before a show both back ends are timed; the faster one plays.


def admission_of(*, playing: bool = False) -> Admission:
    return Admission(Plan({"tracks": [{}]}, 48000, 256, 0), lambda: playing)


@pytest.fixture
def timed(studio: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plans: None) -> list[Duel | None]:
    """Give the model library, an empty cost book, and what the next timings find."""
    monkeypatch.setenv("SYNTHHOST_HOME", str(studio / "home"))
    monkeypatch.setattr(admission, "home", lambda: tmp_path)
    coming: list[Duel | None] = []
    monkeypatch.setattr(admission, "duel", lambda *_: coming.pop(0))
    quick = Choice(2, StepCost(2, 0.001, 0.002, 0.02), keeps_up=True)
    monkeypatch.setattr(admission, "fitted", lambda model, _: (model, quick))
    return coming


def test_the_faster_back_end_plays_and_the_figures_are_told(timed: list[Duel | None]) -> None:
    timed += [Duel(0.0004, 0.0016)]
    model = admission_of().preferred("tiny", load_model("tiny"))
    assert model.computed == Computed("native", "cpu", "faster than torch here, 0.4 against 1.6 ms a step")
    assert type(model.runner) is Native
    remembered = admission_of(playing=True).preferred("tiny", load_model("tiny"))
    assert remembered.computed == model.computed


def test_torch_plays_where_it_is_clearly_faster(timed: list[Duel | None]) -> None:
    timed += [Duel(0.003, 0.002)]
    model = admission_of().preferred("tiny", load_model("tiny"))
    assert model.computed == Computed("torch", "cpu", "faster than native here, 2 against 3 ms a step")
    assert type(model.runner) is TorchRunner


def test_a_difference_within_the_timings_noise_changes_nothing() -> None:
    assert Duel(0.001, 0.00095).outcome.backend == "native"
    assert "about as fast as torch" in Duel(0.001, 0.00095).outcome.reason


def test_native_code_plays_where_torch_would_take_too_long_to_time_and_that_is_not_kept(
    timed: list[Duel | None],
) -> None:
    timed += [None, Duel(0.003, 0.002)]
    asked = admission_of()
    assert asked.preferred("tiny", load_model("tiny")).computed.backend == "native"
    assert asked.preferred("tiny", load_model("tiny")).computed.backend == "torch", "it is timed again"


def test_nothing_is_timed_while_sound_runs_or_a_wish_was_said(timed: list[Duel | None]) -> None:
    assert admission_of(playing=True).preferred("tiny", load_model("tiny")).computed.backend == "native"
    asked = admission_of().preferred("tiny?backend=native", load_model("tiny", backend="native"))
    assert asked.computed.reason == "asked for"
    assert not timed


def test_costs_are_remembered_apart_for_each_back_end(timed: list[Duel | None], monkeypatch: Any) -> None:
    timed += [Duel(0.001, 0.002)]
    monkeypatch.setattr(
        admission, "choose_chunk", lambda *_: Choice(2, StepCost(2, 0.001, 0.002, 0.02), keeps_up=True)
    )
    measured: list[str] = []

    def apart(reference: str, *_: Any) -> Choice:
        measured.append(reference)
        return Choice(4, StepCost(4, 0.001, 0.002, 0.02), keeps_up=True)

    monkeypatch.setattr(admission, "measure_apart", apart)
    runner: Any = SimpleNamespace(spec=load_model("tiny").spec)

    def chunk_of(backend: str, *, playing: bool) -> int:
        host, model = admission_of(playing=playing), load_model("tiny", backend=backend)
        host.preferred("tiny", model)
        return host.chunk_of("tiny", runner)

    assert chunk_of("native", playing=False) == chunk_of("native", playing=True) == 2
    assert chunk_of("torch", playing=True) == 4
    assert measured == ["tiny?backend=torch&device=cpu"]


@pytest.mark.usefixtures("plans")
def test_a_model_in_python_takes_back_end_and_device(studio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(studio / "home"))
    model: Model = load_model("tiny", backend="torch")
    assert (model.computed.reason, type(model.runner)) == ("asked for", TorchRunner)
    assert type(model.with_options(backend="native").runner) is Native
    assert load_model("tiny?backend=torch").computed == model.computed
    with pytest.raises(ConfigError, match="cuda:7 cannot be used"):
        load_model("tiny", device="cuda:7")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
def test_a_track_on_a_gpu_is_rendered_and_replayed_as_on_the_processor(studio: Path, tmp_path: Path) -> None:
    sounds = {}
    for device in ("cpu", "cuda"):
        with engine_of(
            plan_of(studio, tmp_path, device=device, backend="torch"), tmp_path / device
        ) as engine:
            sounds[device] = rendered(engine)
            told = computed_in(engine)
    assert told["device"] == "cuda:0"
    assert told["reason"] == "asked for; steps of 4 frames are replayed as one graph"
    assert engine.renderer.tracks[0].playing.voice._state.hold is not None  # type: ignore[attr-defined]
    np.testing.assert_allclose(sounds["cuda"], sounds["cpu"], atol=1e-4 * np.abs(sounds["cpu"]).max(), rtol=0)
    with engine_of(engine.plan, tmp_path / "again") as again:
        np.testing.assert_array_equal(rendered(again), sounds["cuda"])


def rendered(engine: OfflineEngine) -> Any:
    """Return two seconds of the master."""
    blocks = []
    while engine.renderer.sample < 44_000:
        engine.advance(44_000)
        blocks.append(engine._block[:2].copy())
    engine.finish()
    return np.concatenate(blocks, axis=1)
