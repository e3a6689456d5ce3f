"""Generators learn the notes they are given, at their pitch; what they learned is kept and gone on from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.note_frames import key_hz, measuring_frames
from synthhost.families.excited import Excited
from synthhost.families.note_input import NoteInput
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train import tracked_notes
from synthhost.train.generator_evaluation import steady_comb_db
from synthhost.train.generator_task import GeneratorTask
from synthhost.train.notes_material import Note, NoteMaterial
from synthhost.train.notes_measures import Instrument
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
    "width": 6,
}
MELGAN: dict[str, Any] = {**NOTES, "family": "melgan", "channels": 16, "upsample_scales": [4, 4], "stacks": 2}
HIFIGAN: dict[str, Any] = {
    **NOTES,
    "family": "hifigan",
    "resblock": "2",
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
}
BOTH = pytest.mark.parametrize("hyper", [MELGAN, HIFIGAN], ids=["melgan", "hifigan"])
MATERIAL: dict[str, Any] = {
    "timbres": [{"name": "saw", "program": 0, "lowest": 57, "highest": 65}],
    "key_step": 4,
    "velocities": [90],
    "held_s": [0.6],
    "after_s": 0.1,
    "held_out_every": 3,
}


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield three notes of four partials, one of them held out."""
    times = np.arange(int(0.7 * RATE)) / RATE
    for key in (57, 61, 65):
        cycles = key_hz(key) * times
        sound = 0.4 * sum(np.sin(2.0 * np.pi * k * cycles) / k for k in range(1, 5))
        yield Note(0, key, 0.7, int(0.6 * RATE), np.asarray(sound, np.float32), key == 61)


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracked_notes, "played", fake_notes)


def recipe(hyper: dict[str, Any], **changed: Any) -> Recipe:
    plain = {
        "synthhost": "recipe/1",
        "name": "small-generator",
        "task": "generator",
        "hyper": hyper,
        "material": MATERIAL,
        "settings": {"crop_frames": 120, "at_start": 0.3},
        "steps": 60,
        "batch": 6,
        "learning_rate": 0.005,
    }
    return Recipe.from_json({**plain, **changed}, "test")


def learn(task: GeneratorTask, steps: int) -> None:
    for step in range(steps):
        batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(step).items()}
        task.learn(batch, step)


@BOTH
def test_it_learns_is_kept_and_plays_at_the_pitch(tmp_path: Path, hyper: dict[str, Any]) -> None:
    task = GeneratorTask(recipe(hyper), "cpu", tmp_path / "cache")
    begun = task.evaluate()
    learn(task, 40)
    found = task.evaluate()
    assert found["held_out_spectrum"] < 0.6 * begun["held_out_spectrum"]
    folder = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    task.finish(folder)
    assert (folder / TIMBRES_NAME).is_file()
    model = load_model(folder)
    assert model.spec.look_ahead_samples == 0
    sound = model.note(60.5, 0.8, 0.5, task.points()[0])
    spectrum = np.abs(np.fft.rfft(sound[1000:4000] * np.hanning(3000)))
    loudest_hz = float(40 + np.argmax(spectrum[40:])) * RATE / 3000  # a rest of a mean lies lower
    partial = round(loudest_hz / float(key_hz(60.5)))
    assert partial >= 1
    assert abs(loudest_hz - partial * float(key_hz(60.5))) < 4.0
    again = GeneratorTask(recipe(hyper, seed=3), "cpu", tmp_path / "cache")
    again.begin_from(task.model().tensors)
    assert again.evaluate()["held_out_spectrum"] < begun["held_out_spectrum"]


@BOTH
def test_nothing_that_is_told_repeats_at_the_frame_rate_whatever_is_learned(
    tmp_path: Path, hyper: dict[str, Any]
) -> None:
    task = GeneratorTask(recipe(hyper), "cpu", tmp_path)
    excited: Excited = task.network.excited
    learn(task, 3)
    for name, layer in excited.layers.items():
        if name.startswith("sources."):
            torch.nn.init.zeros_(layer.weight)  # what is told alone
    frames = measuring_frames(task.input.notes, RATE, HOP, 60)
    frames[:, 1:] = frames[:, 30:31]  # a note that does not move
    with torch.no_grad():
        sound = excited.graph(torch.from_numpy(frames)[None])[0, 0, 40 * HOP :].numpy()
    assert np.ptp(sound) < 1e-5 * max(float(np.abs(sound).max()), 1e-3)


def test_what_does_not_count_is_not_missed(tmp_path: Path) -> None:
    task = GeneratorTask(recipe(MELGAN), "cpu", tmp_path)
    batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(0).items()}
    batch["counts"] = torch.zeros_like(batch["counts"])
    assert task.learn(batch, 0) == {"spectrum": 0.0, "octaves": 0.0}


def test_what_cannot_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'wavenet' makes no sound in one pass; one of hifigan, melgan"):
        GeneratorTask(recipe({**MELGAN, "family": "wavenet"}), "cpu", tmp_path)
    with pytest.raises(ConfigError, match="settings: ValueError"):
        GeneratorTask(recipe(MELGAN, settings={"crop_frames": 120, "octaves": "many"}), "cpu", tmp_path)
    other = GeneratorTask(recipe({**MELGAN, "channels": 32}), "cpu", tmp_path)
    with pytest.raises(CheckpointError, match="another shape"):
        other.begin_from(GeneratorTask(recipe(MELGAN), "cpu", tmp_path).model().tensors)


def test_a_tone_at_the_frame_rate_is_heard() -> None:
    spec = NoteInput.from_json({**NOTES, "lowest": 57.0, "highest": 65.0}).notes
    hum = 0.0

    def render(frames: Features) -> Audio:
        times = np.arange(frames.shape[1] * HOP) / RATE
        noise = np.random.default_rng(0).standard_normal(times.shape[0])
        return np.asarray(
            0.3 * np.sin(2.0 * np.pi * 251.0 * times)
            + 1e-3 * noise
            + hum * np.sin(2.0 * np.pi * (RATE / HOP) * times),
            np.float32,
        )

    played = Instrument(spec, RATE, HOP, render, None, {"saw": np.zeros(2, np.float32)})
    material = NoteMaterial.from_json(MATERIAL)
    assert abs(steady_comb_db(played, material)) < 2.0
    hum = 0.01
    assert steady_comb_db(played, material) > 10.0
