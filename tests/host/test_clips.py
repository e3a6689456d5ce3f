"""Clips of a real network, from a preset: rendered, played live and played again, all to the bit the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, RecordingError, SourceError
from synthhost.core.latency import LatencyPart, total_ms
from synthhost.core.messages import Event, Failed, NoteOff, SetParam, Trigger
from synthhost.engine.resampler import Resampler
from synthhost.families.registry import family
from synthhost.host.assembly import describe
from synthhost.host.journal import JOURNAL_NAME, Journal, JournalWriter, header_of
from synthhost.host.offline import OfflineEngine, OfflineResult
from synthhost.host.places import Places
from synthhost.host.plan import Plan
from synthhost.host.planning import offline_plan
from synthhost.host.replay import replay
from synthhost.host.score import ScorePlayer, read_score
from synthhost.library.shelves import load_model
from synthhost.schema.preset_library import PresetLibrary

MODEL_RATE, RATE = 16000, 48000
SAMPLES = 24_000
HYPER: dict[str, Any] = {
    "latent": 4,
    "positions": 8,
    "channels": [16, 8, 4, 1],
    "kernels": [25, 25, 25],
    "strides": [4, 4, 4],
    "crops": [10, 10, 10],
    "filter_taps": 9,
    "prior": "uniform",
}
CLIP_SAMPLES = 512
SCORE = """
0.0101 /track/drums/trigger
0.0253 /track/drums/trigger 0.5 0.25 -0.5 1 0
0.0402 /track/drums/note 36 0.8
0.0601 /track/drums/note 36.5 0.7
0.0609 /track/drums/param/morph 0.5
0.0613 /track/drums/latent 0.5 0.5 -1 0.25
0.0801 /track/drums/trigger/group 1 0.9
0.0903 /track/drums/trigger/group 1 0.9
0.1107 /track/drums/note/off 36
0.1301 /track/drums/note 36 0.8
0.1302 /track/drums/note 38 0.8
0.1303 /track/drums/note 40 0.8
"""


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a folder with a model of clips and sets that play it at two block sizes and two rates."""
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHHOST_HOME", str(folder / "home"))
        patch.setenv("SYNTHHOST_PRESETS", str(folder / "presets"))
        _make_model(folder / "home" / "models" / "kit")
        _make_presets(folder / "presets")
        yield folder


def _make_model(folder: Path) -> None:
    kind, chance = family("wavegan"), torch.Generator().manual_seed(8)
    shapes = kind.tensor_names(kind.hyper_from_json(HYPER))
    tensors = {
        name: torch.randn(shape, generator=chance) * (8.0 / max(np.prod(shape[1:]), 1)) ** 0.5 * 0.5
        for name, shape in shapes.items()
    }
    read = ReadModel("test", "wavegan", HYPER, None, tensors, MODEL_RATE)
    save_package(read, Origin("kit", "CC0", "a test"), folder)


def _make_presets(folder: Path) -> None:
    folder.mkdir()
    for name, params in (("kit", {"voices": 3, "release_ms": 20}), ("all", {"latent.2": 0.5, "choke": 2})):
        source = {"kind": "clip", "params": params}
        preset = {"synthhost": "preset/1", "name": name, "model": "kit", "source": source}
        preset["chain"] = [{"effect": "Gain", "params": {"gain_db": -3}}]
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(preset))
    for name, block, rate in (("wide", 480, RATE), ("odd", 112, RATE), ("same", 64, MODEL_RATE)):
        whole = {
            "synthhost": "set/1",
            "name": name,
            "sample_rate": rate,
            "block_samples": block,
            "tracks": [{"name": "drums", "preset": "kit"}],
        }
        (folder / f"{name}-set.yaml").write_text(yaml.safe_dump(whole))


def plan_of(studio: Path, name: str) -> Plan:
    return offline_plan(str(studio / "presets" / f"{name}-set.yaml"), 1)


def rendered(studio: Path, out: Path, name: str, score: str = SCORE, samples: int = SAMPLES) -> OfflineResult:
    """Render a score as the command line does."""
    (out.parent / "piece.txt").write_text(score)
    engine = OfflineEngine(plan_of(studio, name), out, self_activating=True)
    engine.record_all()
    places = Places(PresetLibrary.of_this_machine(), out)
    player = ScorePlayer(engine, read_score(out.parent / "piece.txt"), places, "piece.txt")
    return player.play(samples, lambda _done, _all: None)


def stem(folder: Path, name: str) -> Audio:
    sound, _ = soundfile.read(folder / f"{name}.wav", dtype="float32", always_2d=True)
    return np.asarray(sound.T)


def test_a_score_sounds_the_same_to_the_bit_in_any_block_size(studio: Path, tmp_path: Path) -> None:
    results = [rendered(studio, tmp_path / name, name) for name in ("wide", "odd")]
    assert [result.failures for result in results] == [[], []]
    for part in ("drums-dry", "drums-wet", "master"):
        first, second = (stem(tmp_path / name, part) for name in ("wide", "odd"))
        np.testing.assert_array_equal(first, second)
        assert np.abs(first).max() > 0.05


def test_a_triggered_clip_is_the_models_own_to_rounding(studio: Path, tmp_path: Path) -> None:
    latent = np.float32([0.25, -0.5, 1.0, 0.0])
    score = "0.02 /track/drums/trigger 0.5 0.25 -0.5 1 0\n"
    whole = load_model("kit").render(latent=latent)
    assert whole.shape == (CLIP_SAMPLES,)
    rendered(studio, tmp_path / "same", "same", score, 2000)
    dry = stem(tmp_path / "same", "drums-dry")[0]
    np.testing.assert_allclose(dry[320 : 320 + CLIP_SAMPLES], 0.5 * whole, atol=1e-6)
    assert not dry[:320].any()
    assert not dry[320 + CLIP_SAMPLES :].any()
    rendered(studio, tmp_path / "wide", "wide", score, 4000)
    resampled = Resampler(MODEL_RATE, RATE).process(np.concatenate((whole, np.zeros(200, np.float32))))
    heard = stem(tmp_path / "wide", "drums-dry")[0][960:]
    np.testing.assert_allclose(heard[:1700], 0.5 * resampled[:1700], atol=1e-6)


class Session(OfflineEngine):
    """A performance that writes its journal, as the control process does."""

    def __init__(self, plan: Plan, out: Path) -> None:
        self.journal = JournalWriter(header_of(plan, {}, {}), out / JOURNAL_NAME)
        super().__init__(plan, out, self_activating=True)

    def _note(self, event: Event) -> None:
        super()._note(event)
        if isinstance(event, Failed):
            self.journal.fail(event, self.renderer.sample)
        else:
            self.journal.write(event)


def test_a_session_of_triggers_is_played_again_to_the_bit_refused_ones_too(
    studio: Path, tmp_path: Path
) -> None:
    session = Session(plan_of(studio, "odd"), tmp_path / "live")
    session.record_all()
    flood = [Trigger("drums", None, 0.5, None) for _ in range(6)]
    for command in (
        *flood,
        Trigger("drums", 36.0, 0.7, None, 2, 1001),
        Trigger("drums", None, 0.7, (0.1, 0.2, -0.3, 1e-3), 2, 3333),
        SetParam("drums", "variation", 0.5, 4000),
        Trigger("drums", 36.0, 0.7, None, 0, 5001),
        NoteOff("drums", 36.0, 5500),
        Trigger("drums", None, 0.7, (1.0,), 0, 6000),
    ):
        session.renderer.receive([command])
    while session.renderer.sample < 9000:
        session.advance(9000)
    session.journal.close(9000)
    result = session.finish()
    assert sum("3 clips" in failure for failure in result.failures) == 3
    assert sum("4 dimensions" in failure for failure in result.failures) == 1
    again = replay(Journal(tmp_path / "live"), tmp_path / "again", lambda _done, _all: None)
    assert again.failures == result.failures
    for part in ("drums-dry", "master"):
        np.testing.assert_array_equal(stem(tmp_path / "again", part), stem(tmp_path / "live", part))
    assert np.abs(stem(tmp_path / "live", "drums-dry")).max() > 0.05


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("velocity", "loud", "velocity is 'loud', which is no float"),
        ("latent", ["a"], "latent is"),
        ("latent", 7, "not a message"),
        ("key", "c", "key is 'c'"),
        ("choke", 0.5, "choke is 0.5"),
    ],
)
def test_a_journal_with_a_trigger_that_is_none_is_refused(
    studio: Path, tmp_path: Path, field: str, value: object, words: str
) -> None:
    line = {"do": "Trigger", "track": "drums", "key": None, "velocity": 1.0, "latent": None, "at_sample": 5}
    writer = JournalWriter(header_of(plan_of(studio, "odd"), {}, {}), tmp_path / JOURNAL_NAME)
    writer.close(100)
    with (tmp_path / JOURNAL_NAME).open("a") as file:
        file.write(json.dumps({**line, field: value}) + "\n")
    with pytest.raises(RecordingError, match=words):
        list(Journal(tmp_path).commands())


def test_the_ledger_says_to_the_sample_when_a_trigger_is_heard(studio: Path, tmp_path: Path) -> None:
    plan = plan_of(studio, "wide")
    for name in ("with", "without"):
        with OfflineEngine(plan, tmp_path / name, self_activating=True) as engine:
            parts = [LatencyPart(**part) for part in describe(engine.renderer, plan)["latency"]["drums"]]
            engine.record_all()
            if name == "with":
                engine.renderer.receive([Trigger("drums", 36.0, 1.0, None, 0, 1007)])
            while engine.renderer.sample < 4000:
                engine.advance(4000)
            engine.finish()
    heard = np.flatnonzero(stem(tmp_path / "with", "master") != stem(tmp_path / "without", "master"))[0]
    assert [part.name for part in parts] == [
        "control wait",
        "model look-ahead",
        "resampler",
        "effects",
        "limiter",
    ]
    fixed = [part for part in parts if part.name != "control wait"]
    assert parts[1].ms == 0.0
    onset = 1007 + total_ms(fixed) * RATE / 1000.0
    spread = next(part for part in parts if part.name == "resampler").ms * RATE / 1000.0  # both ways
    assert onset - spread <= heard <= onset


def test_a_preset_begins_where_it_says_and_a_wrong_parameter_is_named(studio: Path, tmp_path: Path) -> None:
    score = "0 /track/drums/preset all 5\n0.03 /track/drums/trigger\n0.04 /track/drums/trigger\n"
    result = rendered(studio, tmp_path / "out", "wide", score, 6000)
    assert result.failures == []
    plan = plan_of(studio, "wide")
    body = plan.set["tracks"][0]["preset"]
    wrong = {**body, "source": {**body["source"], "params": {"voicse": 3.0}}}
    for change, error, words in (
        (wrong, ConfigError, "Did you mean 'voices'"),
        ({**body, "source": {"kind": "latent"}}, SourceError, "Give it a source of kind 'clip'"),
    ):
        changed = {**plan.set, "tracks": [{**plan.set["tracks"][0], "preset": change}]}
        with pytest.raises(error, match=words):
            OfflineEngine(replace(plan, set=changed), tmp_path / "none", self_activating=True)
