"""The factory: voices as the preset and the track's live values want them, from sounds that are the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from synthhost.core.arrays import Audio, Features
from synthhost.core.computing import Computed
from synthhost.core.draws import Draws
from synthhost.core.errors import ConfigError, SourceError
from synthhost.core.options import OptionSpec, settled
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.host import factory as making
from synthhost.host.factory import VoiceFactory, file_sha256

RATE, HOP = 8000, 40
TORCH = Computed("torch", "cpu", "a fake")
MEL = MelSpec("jik876", RATE, 256, HOP, 256, 12, 0.0, 4000.0, "ln", 1e-5)


class Runner:
    """A model that plays the first band of its frames."""

    def __init__(self, bands: int) -> None:
        mel = replace(MEL, bands=bands)
        self.spec = ModelSpec(f"m{bands}", "fake", RATE, HOP, bands, 0, 2, mel, "a" * 64)

    controls: tuple[ParamSpec, ...] = ()

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> None:
        return None

    def step(self, frames: Features, state: None, out: Audio) -> int:
        out[0] = np.repeat(frames[0, 0], HOP)
        return out.shape[1]


_HELD = {"param": "freeze", "from": 0, "to": 1}


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    sound = 0.3 * np.sin(0.3 * np.arange(8000) * np.linspace(0.5, 2.0, 8000))
    soundfile.write(tmp_path / "tone.wav", sound, RATE)
    return tmp_path / "tone.wav"


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Serve models by name, "m12" with 12 bands; give the names as they are loaded."""
    names: list[str] = []

    def load(name: str) -> Any:
        names.append(name)
        return SimpleNamespace(runner=Runner(int(name[1:])), option_specs=(), options={}, computed=TORCH)

    monkeypatch.setattr(making, "load_model", load)
    return names


@pytest.fixture
def factory(loaded: list[str]) -> VoiceFactory:
    return VoiceFactory(RATE, 7, lambda _name, _runner: 3)


def body(tone: Path, model: str = "m12", **more: Any) -> dict[str, Any]:
    params = more.pop("params", {})
    source = {"kind": "tape", "tape": str(tone), "params": params, **more.pop("source", {})}
    return {"synthhost": "preset/1", "name": "x", "model": model, "source": source, **more}


def sound_of(prepared: Any, samples: int = 800) -> tuple[Audio, Audio]:
    wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
    prepared.voice.render(wet, dry)
    return wet, dry


def test_a_voice_of_the_set_begins_at_its_first_frame(factory: VoiceFactory, tone: Path) -> None:
    prepared = factory.build(body(tone), 0, None)
    _, dry = sound_of(prepared)
    rows = factory.tape(str(tone), prepared.voice.runner.spec.mel).rows
    np.testing.assert_array_equal(dry, np.repeat(rows[:20, 0], HOP))
    assert prepared.voice.chunk_frames == 3


def test_what_the_preset_says_wins_over_the_live_values_and_those_over_defaults(
    factory: VoiceFactory, tone: Path
) -> None:
    live = {"speed": 0.25, "pitch": 3.0, "position": 0.5}
    prepared = factory.build(body(tone, params={"pitch": -2.0}), 1, live)
    assert prepared.values["pitch"] == -2.0
    assert prepared.values["speed"] == 0.25
    assert prepared.values["level"] == 0.0
    assert prepared.voice.source.place > 0.4  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("how", "freeze"),
    [
        ({"params": {"freeze": 1, "speed": 0.5}}, 1.0),
        ({"macros": [{"name": "hold", "value": 0.4, "targets": [_HELD]}]}, 0.0),
        ({"macros": [{"name": "hold", "value": 0.7, "targets": [_HELD]}]}, 1.0),
    ],
)
def test_a_preset_or_a_macro_may_hold_its_tape(
    factory: VoiceFactory, tone: Path, how: dict[str, Any], freeze: float
) -> None:
    prepared = factory.build(body(tone, **how), 0, None)
    sound_of(prepared)
    assert prepared.values["freeze"] == freeze
    assert (prepared.voice.source.place == 0.0) == bool(freeze)  # type: ignore[attr-defined]


def test_models_and_tapes_are_loaded_once(factory: VoiceFactory, loaded: list[str], tone: Path) -> None:
    first, again = factory.build(body(tone), 0, None), factory.build(body(tone), 1, None)
    assert loaded == ["m12"]
    assert first.voice.runner is again.voice.runner
    assert first.voice.source.tapes["a"] is again.voice.source.tapes["a"]  # type: ignore[attr-defined]


def test_all_models_of_a_set_are_kept_while_it_starts_and_a_few_afterwards(
    factory: VoiceFactory, loaded: list[str]
) -> None:
    names = [f"m{bands}" for bands in range(12, 20)]
    factory.keep(len(names))
    for name in (*names, *names):
        factory.model(name)
    assert loaded == names
    factory.keep(0)
    factory.model("m19")
    assert loaded == names
    factory.model("m12")
    assert loaded == [*names, "m12"]


def test_one_sound_serves_models_that_hear_it_differently(factory: VoiceFactory, tone: Path) -> None:
    for model, bands in (("m12", 12), ("m20", 20), ("m12", 12)):
        source: Any = factory.build(body(tone, model), 0, None).voice.source
        assert source.tapes["a"].rows.shape[1] == bands


def test_a_sound_that_has_changed_is_not_played_as_the_same(factory: VoiceFactory, tone: Path) -> None:
    known = file_sha256(str(tone))
    factory.build(body(tone, source={"tape_sha256": known}), 0, None)
    assert factory.sounds(body(tone)) == {str(tone): known}
    soundfile.write(tone, np.zeros(4000), RATE)
    with pytest.raises(SourceError, match="has changed since it was written down"):
        factory.build(body(tone, source={"tape_sha256": known}), 0, None)
    factory.build(body(tone), 0, None)  # named without a digest it is whatever it is now


def test_details_say_what_a_replay_must_find_again(factory: VoiceFactory, tone: Path) -> None:
    details = factory.details(factory.build(body(tone), 0, None))
    assert details == {
        "model": "m12",
        "model_sha256": "a" * 64,
        "chunk_frames": 3,
        "backend": "torch",
        "sounds": {str(tone): file_sha256(str(tone))},
    }


def test_macros_move_the_source_and_the_chain_before_the_first_sample(
    factory: VoiceFactory, tone: Path
) -> None:
    macro = {
        "name": "far",
        "value": 1.0,
        "targets": [
            {"param": "speed", "from": 1.0, "to": 0.5},
            {"param": "fx.0.gain_db", "from": 0.0, "to": -12.0},
        ],
    }
    chain = [{"effect": "Gain", "params": {"gain_db": 6.0}}]
    prepared = factory.build(body(tone, chain=chain, macros=[macro]), 0, None)
    assert prepared.values["speed"] == 0.5
    assert prepared.values["fx.0.gain_db"] == -12.0
    wet, dry = sound_of(prepared)
    np.testing.assert_allclose(wet[0, 400:], dry[400:] * 10 ** (-12 / 20), rtol=1e-3)


def test_a_parameter_nobody_has_is_told(factory: VoiceFactory, tone: Path) -> None:
    with pytest.raises(ConfigError, match="'wobble'"):
        factory.build(body(tone, params={"wobble": 1.0}), 0, None)


class Stepped:
    """A model with one option; each build under another value is another runner."""

    option_specs = (OptionSpec("steps", 6, "how many", 1, 50),)

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = settled(self.option_specs, options, "glow")
        self.runner = Runner(12)
        self.computed = TORCH

    def rebuilt(self, options: dict[str, Any]) -> Any:
        return Stepped(options)


def test_a_model_is_loaded_once_for_all_its_options(tone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names: list[str] = []

    def load(name: str) -> Any:
        names.append(name)
        return Stepped({"steps": 4})

    monkeypatch.setattr(making, "load_model", load)
    factory = VoiceFactory(RATE, 7, lambda _name, _runner: 3)
    four = factory.build(body(tone, "glow", options={"steps": 4}), 1, None)
    nine = factory.build(body(tone, "glow", options={"steps": 9}), 2, None)
    assert names == ["glow?steps=4"]
    assert (four.options, nine.options) == ({"steps": 4}, {"steps": 9})
    assert factory.details(nine)["model"] == "glow?steps=9"


def test_values_that_are_kept_hold_against_the_preset(factory: VoiceFactory, tone: Path) -> None:
    plain = body(tone, params={"speed": 0.5}, chain=[{"effect": "Gain", "params": {"gain_db": -3.0}}])
    live = {"speed": 0.25, "fx.0.gain_db": -9.0}
    kept = factory.build(plain, 1, live, kept=True)
    assert (kept.values["speed"], kept.values["fx.0.gain_db"]) == (0.25, -9.0)
    said = factory.build(plain, 1, {"speed": 0.25})
    assert (said.values["speed"], said.values["fx.0.gain_db"]) == (0.5, -3.0)


def test_files_of_numbers_are_told_with_the_sounds(factory: VoiceFactory, tone: Path, tmp_path: Path) -> None:
    (tmp_path / "betas.npy").write_bytes(b"numbers")
    named = body(tone, options={"schedule": str(tmp_path / "betas.npy"), "mode": "exact", "steps": 6})
    assert set(factory.sounds(named)) == {str(tone), str(tmp_path / "betas.npy")}
