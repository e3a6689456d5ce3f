"""Diffusions learn the notes they are given; what they learned can be kept, played and gone on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.note_frames import key_hz
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train import tracked_notes
from synthhost.train.diffusion_task import DiffusionTask
from synthhost.train.notes_material import Note
from synthhost.train.timbres import TIMBRES_NAME

RATE, HOP = 8000, 16
NOTES: dict[str, Any] = {
    "sample_rate": RATE,
    "hop_samples": HOP,
    "dimensions": 2,
    "release_s": 0.1,
    "settled_s": 0.4,
    "voices": 1,
    "harmonics": 6,
    "hidden": 8,
    "width": 4,
}
DIFFWAVE: dict[str, Any] = {
    **NOTES,
    "family": "diffwave",
    "residual_channels": 8,
    "skip_channels": 8,
    "residual_layers": 4,
    "dilation_cycle_length": 4,
    "step_channels": [16, 12, 12],
    "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
}
WAVEGRAD: dict[str, Any] = {
    **NOTES,
    "family": "wavegrad",
    "factors": [4, 2, 2],
    "mel_channels": 8,
    "up_channels": [8, 8, 8],
    "up_dilations": [[1, 2, 1, 2], [1, 2, 1, 2], [1, 2, 1, 2]],
    "down_channels": [8, 8, 8],
    "down_dilations": [[1, 2], [1, 2]],
    "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
}
MATERIAL: dict[str, Any] = {
    "timbres": [{"name": "sine", "program": 0, "lowest": 57, "highest": 65}],
    "key_step": 4,
    "velocities": [90],
    "held_s": [0.2],
    "after_s": 0.1,
    "held_out_every": 3,
}


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield three sines, one of them held out."""
    times = np.arange(int(0.3 * RATE)) / RATE
    for key in (57, 61, 65):
        sound = 0.8 * np.sin(2.0 * np.pi * key_hz(key) * times)
        yield Note(0, key, 0.7, int(0.2 * RATE), sound.astype(np.float32), key == 61)


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_notes, "played", fake_notes)


def recipe(hyper: dict[str, Any], **changed: Any) -> Recipe:
    plain = {
        "synthhost": "recipe/1",
        "name": "small-diffusion",
        "task": "diffusion",
        "hyper": hyper,
        "material": MATERIAL,
        "settings": {"crop_frames": 30, "at_start": 0.3},
        "steps": 60,
        "batch": 6,
        "learning_rate": 0.01,
    }
    return Recipe.from_json({**plain, **changed}, "test")


def learned(task: DiffusionTask, steps: int) -> list[float]:
    losses = []
    for step in range(steps):
        batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(step).items()}
        losses.append(task.learn(batch, step)["missed"])
    return losses


@pytest.mark.parametrize("hyper", [DIFFWAVE, WAVEGRAD], ids=["diffwave", "wavegrad"])
def test_it_learns_is_kept_and_plays_notes_in_few_steps(tmp_path: Path, hyper: dict[str, Any]) -> None:
    task = DiffusionTask(recipe(hyper), "cpu", tmp_path / "cache")
    begun = task.evaluate()["held_out_missed"]
    losses = learned(task, 80)
    assert np.mean(losses[-10:]) < 0.8 * losses[0]
    assert task.evaluate()["held_out_missed"] < 0.85 * begun
    folder = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    task.finish(folder)
    assert (folder / TIMBRES_NAME).is_file()
    model = load_model(folder)
    assert model.spec.notes is not None
    assert model.spec.look_ahead_samples == 0
    for steps in (2, 6):
        sound = model.with_options(steps=steps).note(60.5, 0.8, 0.1, task.points()[0], after_s=0.05)
        assert sound.shape == (75 * HOP,)
        assert np.isfinite(sound).all()
    again = DiffusionTask(recipe(hyper, seed=3), "cpu", tmp_path / "cache")
    fresh = again.evaluate()["held_out_missed"]
    again.begin_from(task.model().tensors)
    assert again.evaluate()["held_out_missed"] < fresh


@pytest.mark.parametrize("hyper", [DIFFWAVE, WAVEGRAD], ids=["diffwave", "wavegrad"])
def test_a_batch_is_a_function_of_seed_and_step(tmp_path: Path, hyper: dict[str, Any]) -> None:
    one, again = (DiffusionTask(recipe(hyper), "cpu", tmp_path) for _ in range(2))
    for name, values in one.draw(3).items():
        np.testing.assert_array_equal(values, again.draw(3)[name])
    assert not np.array_equal(one.draw(3)["found"], one.draw(4)["found"])


def test_what_cannot_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'hifigan' finds no noise; one of diffwave, wavegrad does"):
        DiffusionTask(recipe({**DIFFWAVE, "family": "hifigan"}), "cpu", tmp_path)
    with pytest.raises(ConfigError, match="crop_frames: must be more than"):
        DiffusionTask(recipe(DIFFWAVE, settings={"crop_frames": 1}), "cpu", tmp_path)
    other = DiffusionTask(recipe({**DIFFWAVE, "residual_channels": 4}), "cpu", tmp_path)
    with pytest.raises(CheckpointError, match="another shape"):
        other.begin_from(DiffusionTask(recipe(DIFFWAVE), "cpu", tmp_path).model().tensors)


@pytest.mark.parametrize("hyper", [DIFFWAVE, WAVEGRAD], ids=["diffwave", "wavegrad"])
def test_the_sampler_itself_learns_to_sound_like_the_notes(tmp_path: Path, hyper: dict[str, Any]) -> None:
    settings = {"crop_frames": 90, "at_start": 0.3, "few_steps": [2, 3], "few_steps_from": 5}
    lifted = {**hyper, "emphasis": {"coefficient": 0.5, "gain": 2.0}}
    task = DiffusionTask(recipe(lifted, settings=settings), "cpu", tmp_path / "cache")
    assert "rows" not in task.draw(4)
    drawn = [task.draw(step)["rows"].shape for step in range(5, 25)]
    assert set(drawn) == {(6, 2, 90 * HOP), (6, 3, 90 * HOP)}
    begun = task.evaluate()["held_out_spectrum"]
    learned(task, 40)
    assert task.evaluate()["held_out_spectrum"] < 0.7 * begun
    for wrong, said in (
        ({"few_steps": ["two"]}, "settings: ValueError"),
        ({"few_steps": [0]}, "few_steps: .0.: give numbers of steps"),
        ({"few_steps_from": 60}, "they never begin"),
        ({"crop_frames": 30, "few_steps": [40]}, "crop_frames: must be more than"),
    ):
        with pytest.raises(ConfigError, match=said):
            DiffusionTask(recipe(hyper, settings={**settings, **wrong}), "cpu", tmp_path)
