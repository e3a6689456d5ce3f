"""A WaveNet learns the notes it is given; what it learned can be kept, played and gone on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import CheckpointError, ConfigError, TrainingError
from synthhost.core.note_frames import NoteLine, key_hz, whole_note
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train import tracked_notes
from synthhost.train.notes_material import Note
from synthhost.train.sampled_notes import instrument_of, played_by
from synthhost.train.timbres import TIMBRES_NAME
from synthhost.train.voice_task import VoiceTask

RATE, HOP = 8000, 16
PLAIN: dict[str, Any] = {
    "synthhost": "recipe/1",
    "name": "small-voice",
    "task": "voice",
    "hyper": {
        "sample_rate": RATE,
        "hop_samples": HOP,
        "dimensions": 2,
        "release_s": 0.1,
        "settled_s": 0.4,
        "voices": 1,
        "harmonics": 6,
        "hidden": 8,
        "width": 4,
        "dilations": [1, 2, 4, 8],
        "residual_channels": 8,
        "gate_channels": 16,
        "skip_channels": 12,
        "head_channels": 12,
        "de_emphasis": 0.5,
        "dc_pole": 0.99,
    },
    "material": {
        "timbres": [
            {"name": "dark", "program": 0, "lowest": 57, "highest": 65},
            {"name": "bright", "program": 1, "lowest": 57, "highest": 65},
        ],
        "key_step": 4,
        "velocities": [90],
        "held_s": [0.2],
        "after_s": 0.1,
        "held_out_every": 3,
    },
    "settings": {"crop_frames": 12, "at_start": 0.3},
    "steps": 60,
    "batch": 6,
    "learning_rate": 0.01,
}


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield three notes of two instruments: a sine, and a tone of three partials; one key is held out."""
    times = np.arange(int(0.3 * RATE)) / RATE
    for place, partials in enumerate(((1.0,), (1.0, 0.6, 0.4))):
        for key in (57, 61, 65):
            turns = 2.0 * np.pi * key_hz(key) * times
            sound = sum(level * np.sin(k * turns) for k, level in enumerate(partials, 1))
            faded = 0.3 * sound * np.where(times < 0.2, 1.0, np.exp(-(times - 0.2) / 0.02))
            yield Note(place, key, 0.7, int(0.2 * RATE), faded.astype(np.float32), key == 61)


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_notes, "played", fake_notes)


def recipe(**changed: Any) -> Recipe:
    return Recipe.from_json({**PLAIN, **changed}, "test")


def learned(task: VoiceTask, steps: int) -> list[float]:
    losses = []
    for step in range(steps):
        batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(step).items()}
        losses.append(task.learn(batch, step)["bits"])
    return losses


def test_it_learns_is_kept_and_plays_notes(tmp_path: Path) -> None:
    task = VoiceTask(recipe(), "cpu", tmp_path / "cache")
    begun = task.evaluate()
    losses = learned(task, 80)
    assert losses[0] == pytest.approx(8.0, abs=0.7), "256 ids, and nothing known"
    assert np.mean(losses[-5:]) < 0.85 * losses[0]
    ended = task.evaluate()
    assert ended["held_out_bits"] < 0.9 * begun["held_out_bits"]
    assert ended["pairs_bits"] == begun["pairs_bits"]
    folder = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    task.finish(folder)
    assert (folder / TIMBRES_NAME).read_text().count(":") == 2
    model = load_model(folder)
    notes = model.spec.notes
    assert notes is not None
    assert model.spec.bands == notes.bands
    assert task.hyper.output.dc_pole == 0.99
    assert (notes.dimensions, notes.lowest, notes.highest, notes.voices) == (2, 57.0, 65.0, 1)
    sound = model.note(60.5, 0.8, held_s=0.1, timbre=task.points()[1], after_s=0.05)
    assert sound.shape == (75 * HOP,)
    assert np.isfinite(sound).all()
    assert 0.0 < np.abs(sound).max() < 2.5


def test_a_batch_is_a_function_of_seed_and_step_and_holds_nothing_held_out(tmp_path: Path) -> None:
    one, again = (VoiceTask(recipe(), "cpu", tmp_path) for _ in range(2))
    other = VoiceTask(recipe(seed=1), "cpu", tmp_path)
    for name, values in one.draw(3).items():
        np.testing.assert_array_equal(values, again.draw(3)[name])
    assert not np.array_equal(one.draw(3)["ids"], one.draw(4)["ids"])
    assert not np.array_equal(one.draw(3)["ids"], other.draw(3)["ids"])
    place = 9  # the key, behind the oscillators' channels
    keys = np.unique(np.concatenate([one.draw(step)["frames"][:, place].ravel() for step in range(20)]))
    np.testing.assert_allclose(keys, [(57 - 60) / 24, (65 - 60) / 24], atol=1e-6)


def test_what_is_heard_is_what_was_wanted_a_sample_before(tmp_path: Path) -> None:
    task = VoiceTask(recipe(settings={"crop_frames": 12, "at_start": 0.5}), "cpu", tmp_path)
    starts = 0
    for step in range(6):
        batch = task.draw(step)
        np.testing.assert_array_equal(batch["heard"][:, 1:], batch["ids"][:, :-1])
        for heard, counts in zip(batch["heard"], batch["counts"], strict=True):
            if counts[0]:
                starts += 1
                assert heard[0] == 128, "a note begins as a voice does"
                assert counts.all()
            else:
                assert not counts[:HOP].any(), "nothing is asked of what it has not heard enough before"
                assert counts[HOP:].all()
    assert 5 < starts < 31


def test_half_the_precision_finds_nearly_the_same_loss(tmp_path: Path) -> None:
    whole = VoiceTask(recipe(), "cpu", tmp_path)
    half = VoiceTask(recipe(settings={**PLAIN["settings"], "bfloat16_steps": 4}), "cpu", tmp_path)
    assert learned(half, 3) == pytest.approx(learned(whole, 3), rel=0.01)


def test_it_can_begin_from_another_models_weights(tmp_path: Path) -> None:
    first, second = VoiceTask(recipe(), "cpu", tmp_path), VoiceTask(recipe(seed=1), "cpu", tmp_path)
    points = second.points()
    second.begin_from(first.model().tensors)
    for name, tensor in second.model().tensors.items():
        assert torch.equal(tensor, first.model().tensors[name]), name
    np.testing.assert_allclose(second.points(), 0.1 * points, rtol=1e-6)
    with pytest.raises(CheckpointError):
        second.begin_from({"nothing": torch.zeros(1)})


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "settings: KeyError: 'crop_frames'"),
        ({"crop_frames": "some"}, "settings: ValueError"),
        ({"crop_frames": 12, "at_start": None}, "settings: TypeError"),
        ({"crop_frames": 1}, "crop_frames: must be more than 1"),
    ],
)
def test_settings_that_say_nothing_usable_are_refused(
    tmp_path: Path, settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        VoiceTask(recipe(settings=settings), "cpu", tmp_path)


@pytest.mark.parametrize(
    "changed", [{"hop_samples": 0}, {"dimensions": "two"}, {"dilations": []}, {"settled_s": 0.0}]
)
def test_a_network_that_cannot_be_built_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(changed))):
        VoiceTask(recipe(hyper={**PLAIN["hyper"], **changed}), "cpu", tmp_path)


def test_crops_longer_than_all_notes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="no notes as long as a crop"):
        VoiceTask(recipe(settings={"crop_frames": 400}), "cpu", tmp_path)


@pytest.mark.parametrize("setting", ["heard_noise", "heard_gain_db"])
def test_what_is_heard_strays_and_nothing_else_moves(tmp_path: Path, setting: str) -> None:
    plain = VoiceTask(recipe(), "cpu", tmp_path)
    astray = VoiceTask(recipe(settings={**PLAIN["settings"], setting: 4.0}), "cpu", tmp_path)
    one, other, again = plain.draw(3), astray.draw(3), astray.draw(3)
    for name in one:
        assert np.array_equal(other[name], again[name])
        assert np.array_equal(one[name], other[name]) == (name != "heard")


@pytest.mark.parametrize("temperature", [1.0, 0.0])
def test_it_is_shown_and_measured_at_the_temperature_that_the_recipe_says(
    tmp_path: Path, temperature: float
) -> None:
    task = VoiceTask(recipe(settings={**PLAIN["settings"], "temperature": temperature}), "cpu", tmp_path)
    task.finish(tmp_path)
    folder = save_package(task.model(), Origin("small-voice", "CC0-1.0", "a test"), tmp_path / "model")
    (folder / TIMBRES_NAME).write_bytes((tmp_path / TIMBRES_NAME).read_bytes())
    runner = load_model(folder).runner
    instrument = instrument_of(runner, folder, task.temperature)
    assert runner.spec.notes is not None
    line = NoteLine(runner.spec.notes, RATE, HOP)
    line.begin(60.0, 0.7)
    frames = whole_note(line, instrument.timbres["dark"], 40, 0)
    by_chance = [task.played(frames, seed) for seed in (1, 2)]
    assert np.array_equal(*by_chance) == (temperature == 0.0), "0 leaves nothing to chance"
    assert np.array_equal(instrument.render(frames), played_by(runner, frames, 2, temperature)) == (
        temperature == 0.0
    )


@pytest.mark.parametrize("temperature", ["warm", None, -1.0, 9.0, float("nan")])
def test_a_temperature_out_of_range_is_refused(tmp_path: Path, temperature: Any) -> None:
    with pytest.raises(ConfigError, match="temperature"):
        VoiceTask(recipe(settings={**PLAIN["settings"], "temperature": temperature}), "cpu", tmp_path)
