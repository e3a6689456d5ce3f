"""Programs as voices of the engine: attributes out of presets, and a show that goes on when one fails."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthhost.core.arrays import Audio
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.noise import hashes
from synthhost.engine.loading import Prepared
from synthhost.host.factory import VoiceFactory
from synthhost.library.shelves import import_model, load_model

RATE, HOP, CHUNK = 16_000, 4, 16
Make = Callable[[str], Path]


def factory() -> VoiceFactory:
    return VoiceFactory(RATE, 7, lambda _name, _runner: CHUNK)


def body(model: str, **params: float) -> dict[str, Any]:
    source = {"kind": "latent", "params": {"latent.0": 0.5, "latent.2": -1.0, **params}}
    return {"synthhost": "preset/1", "name": "x", "model": model, "source": source}


def dry(prepared: Prepared, samples: int = 640) -> Audio:
    wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
    prepared.voice.render(wet, dry)
    return dry


@pytest.mark.parametrize("name", ["Rated", "Noisy"])
def test_a_preset_plays_as_the_model_renders(make: Make, name: str) -> None:
    import_model(make(name), name="codec", allow_code=True)
    sound = dry(factory().build(body("codec", gain=0.5), 1, None))
    model = load_model("codec")
    stream = model.stream(draws=SeededDraws.of(int(hashes(7, 1, 0, 1)[0])))
    stream.set_control("gain", 0.5)
    held = np.repeat(np.array([[0.5], [0.0], [-1.0]], np.float32), CHUNK, axis=1)
    rendered = np.concatenate([stream.push(held) for _ in range(10)])
    np.testing.assert_array_equal(sound, rendered)


def test_a_preset_that_joins_is_warmed_and_plays_the_same_again(make: Make) -> None:
    import_model(make("Noisy"), name="codec", allow_code=True)
    sounds = [dry(factory().build(body("codec"), 1, {"gain": 0.25})) for _ in range(2)]
    np.testing.assert_array_equal(*sounds)


def test_a_program_nobody_allowed_is_no_voice(make: Make, tmp_path: Path) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    (tmp_path / "home" / "trusted.txt").unlink()
    with pytest.raises(CheckpointError, match="did not allow"):
        factory().build(body("codec"), 1, None)


def test_an_attribute_it_has_not_is_named(make: Make) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    with pytest.raises(ConfigError, match=r"'gian'.*Did you mean 'gain'"):
        factory().build(body("codec", gian=1.0), 1, None)


def test_attributes_move_while_it_plays(make: Make) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    prepared = factory().build(body("codec"), 1, None)
    before = dry(prepared)
    assert prepared.set_param("gain", 0.0)
    assert prepared.set_param("tilt.0", 0.0)
    assert np.abs(before).max() > 0.1
    assert np.abs(dry(prepared)[-HOP * CHUNK :]).max() == 0.0


def test_a_refused_value_is_answered_and_the_old_one_stays(make: Make) -> None:
    import_model(make("Rated"), name="codec", allow_code=True)
    prepared = factory().build(body("codec"), 1, None)
    assert not prepared.set_param("gain", 1.75)
    assert not prepared.set_param("hold", 1.0)
    assert (prepared.values["gain"], prepared.values["hold"]) == (1.0, 0.0)
    assert np.isfinite(dry(prepared)).all()


def test_a_program_that_fails_is_silent_and_counted_and_comes_back(make: Make) -> None:
    import_model(make("Fragile"), name="codec", allow_code=True)
    prepared = factory().build(body("codec"), 1, None)
    sound = dry(prepared, 320)
    assert np.abs(sound).max() > 0.1
    failing = prepared.voice.runner.step
    prepared.voice.runner.step = lambda frames, state, out: failing(frames + 10.0, state, out)  # type: ignore[method-assign]
    assert not dry(prepared, 320)[64:].any()
    assert prepared.voice.bad_samples >= 256
    prepared.voice.runner.step = failing  # type: ignore[method-assign]
    assert np.abs(dry(prepared, 320)[64:]).max() > 0.1
