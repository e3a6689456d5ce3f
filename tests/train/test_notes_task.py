"""The note instrument learns what notes it is given, and what it learned can be kept, played and measured."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import load_package, save_package
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import key_hz
from synthhost.schema.recipe import Recipe
from synthhost.train import notes_material, notes_measures
from synthhost.train.loop import Place, train
from synthhost.train.notes_evaluation import instrument
from synthhost.train.notes_material import Note, NoteMaterial
from synthhost.train.notes_task import NotesTask
from synthhost.train.timbres import TIMBRES_NAME

RATE, HOP = 16000, 80
TIMBRES = [
    {"name": "dark", "program": 0, "lowest": 48, "highest": 72},
    {"name": "bright", "program": 1, "lowest": 48, "highest": 72},
]
PLAIN: dict[str, Any] = {
    "synthhost": "recipe/1",
    "name": "small-notes",
    "task": "notes",
    "hyper": {
        "sample_rate": RATE,
        "hop_samples": HOP,
        "dimensions": 2,
        "width": 48,
        "depth": 2,
        "harmonics": 10,
        "noise_bands": 6,
        "release_s": 0.3,
    },
    "material": {
        "timbres": TIMBRES,
        "key_step": 4,
        "velocities": [50, 100],
        "held_s": [0.5, 0.2],
        "after_s": 0.3,
        "held_out_every": 3,
    },
    "steps": 400,
    "batch": 256,
    "learning_rate": 0.005,
    "save_steps": 200,
    "show_steps": 400,
}


def fake_notes(material: NoteMaterial, sample_rate: int, _cache: Path) -> Iterator[Note]:
    """Yield decaying notes of two instruments: one with a single partial, one with many."""
    for place in range(len(material.timbres)):
        for key in range(48, 73, 4):
            for velocity in (0.4, 0.8):
                times = np.arange(int(0.8 * sample_rate)) / sample_rate
                partials = (1.0,) if place == 0 else (1.0, 0.7, 0.5, 0.4)
                sound = sum(
                    level * np.sin(2 * np.pi * number * key_hz(key) * times)
                    for number, level in enumerate(partials, 1)
                )
                held = np.where(times < 0.5, 1.0, np.exp(-(times - 0.5) / 0.03))
                sound = (0.3 * velocity * sound * np.exp(-times / 0.4) * held).astype(np.float32)
                yield Note(place, key, velocity, int(0.5 * sample_rate), sound, key == 60)


@pytest.fixture
def material(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notes_material, "played", fake_notes)
    monkeypatch.setattr(notes_measures, "played", fake_notes)


class Kept:
    """Keeps what is told."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.measures: dict[str, float] = {}

    def begin(self, step: int, steps: int) -> None:
        pass

    def learned(self, step: int, losses: dict[str, float]) -> None:
        self.losses.append(losses["levels"])

    def evaluated(self, step: int, measures: dict[str, float]) -> None:
        self.measures = measures


@pytest.mark.usefixtures("material")
def test_it_learns_is_kept_and_plays_what_it_learned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NotesTask, "show", lambda _self, folder: None)
    recipe, kept = Recipe.from_json(PLAIN, "test"), Kept()
    task = NotesTask(recipe, "cpu", tmp_path / "cache")
    assert train(task, recipe, Place(tmp_path / "run", workers=0), kept)
    assert np.mean(kept.losses[-20:]) < 0.25 * np.mean(kept.losses[:5])
    assert kept.measures["held_out_db"] < 2.0
    folder = save_package(task.model(), Origin("small-notes", "CC0-1.0", "made up"), tmp_path / "small-notes")
    task.finish(folder)
    assert load_package(folder).manifest.family == "ddsp"
    played = instrument(folder)
    dark, bright = (played.note(played.timbres[name], 60.0, 0.8, 0.3) for name in ("dark", "bright"))
    shares = []
    for sound in (dark, bright):
        power = np.abs(np.fft.rfft(sound[800:] * np.hanning(sound.size - 800))) ** 2
        hertz = np.fft.rfftfreq(sound.size - 800, 1 / RATE)
        shares.append(power[hertz > 1.5 * key_hz(60)].sum() / power.sum())
    assert shares[0] < 0.02
    assert shares[1] > 0.3


@pytest.mark.usefixtures("material")
def test_a_batch_is_a_function_of_seed_and_step(tmp_path: Path) -> None:
    recipe = Recipe.from_json(PLAIN, "test")
    one, again = (NotesTask(recipe, "cpu", tmp_path) for _ in range(2))
    other = NotesTask(recipe.model_copy(update={"seed": 1}), "cpu", tmp_path)
    for name, values in one.draw(3).items():
        np.testing.assert_array_equal(values, again.draw(3)[name])
    assert not np.array_equal(one.draw(3)["told"], one.draw(4)["told"])
    assert not np.array_equal(one.draw(3)["told"], other.draw(3)["told"])


@pytest.mark.usefixtures("material")
def test_nothing_is_learned_from_what_is_held_out(tmp_path: Path) -> None:
    task = NotesTask(Recipe.from_json(PLAIN, "test"), "cpu", tmp_path)
    held_out = task.frames.told[task.frames.held_out]
    drawn = np.concatenate([task.draw(step)["told"] for step in range(20)])
    assert held_out.shape[0] > 0
    assert set(np.unique(held_out[:, 0])).isdisjoint(np.unique(drawn[:, 0]))  # whole keys


@pytest.mark.usefixtures("material")
def test_frames_are_made_once_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe.from_json(PLAIN, "test")
    first = NotesTask(recipe, "cpu", tmp_path)
    monkeypatch.setattr(notes_material, "played", lambda *_: iter(()))
    second = NotesTask(recipe, "cpu", tmp_path)
    np.testing.assert_array_equal(first.frames.levels, second.frames.levels)


@pytest.mark.parametrize(
    "changed", [{"timbres": [{"name": "x"}]}, {"timbres": 3}, {"key_step": "many"}, {"velocities": None}]
)
def test_a_material_that_says_nothing_playable_is_refused(tmp_path: Path, changed: dict[str, Any]) -> None:
    plain = {**PLAIN, "material": {**PLAIN["material"], **changed}}
    with pytest.raises(ConfigError, match="material"):
        NotesTask(Recipe.from_json(plain, "test"), "cpu", tmp_path)


@pytest.mark.usefixtures("material")
def test_timbres_are_written_by_name(tmp_path: Path) -> None:
    task = NotesTask(Recipe.from_json(PLAIN, "test"), "cpu", tmp_path)
    task.finish(tmp_path)
    text = (tmp_path / TIMBRES_NAME).read_text()
    assert text.index("dark") < text.index("bright")
    torch.testing.assert_close(torch.from_numpy(task.points()).shape, torch.Size([2, 2]))
