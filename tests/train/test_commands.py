"""The commands that train and compare: they go on from where they were, and say what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from synthhost.checkpoints.package import load_package
from synthhost.cli.app import make_app
from synthhost.core.errors import DownloadError
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train import notes_material
from synthhost.train.fetching import debian_package, npm_package
from synthhost.train.notes_material import Note
from synthhost.train.notes_task import NotesTask

RATE = 8000
PLAIN: dict[str, Any] = {
    "synthhost": "recipe/1",
    "name": "one-sine",
    "task": "notes",
    "hyper": {
        "sample_rate": RATE,
        "hop_samples": 80,
        "dimensions": 1,
        "width": 8,
        "depth": 1,
        "harmonics": 4,
        "noise_bands": 3,
        "release_s": 0.1,
    },
    "material": {
        "timbres": [{"name": "sine", "program": 0, "lowest": 57, "highest": 60}],
        "key_step": 3,
        "velocities": [90],
        "held_s": [0.5, 0.2],
        "after_s": 0.1,
        "held_out_every": 5,
    },
    "steps": 12,
    "batch": 16,
}


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield two notes, one of them held out."""
    for key in (57, 60):
        hertz = 440.0 * 2 ** ((key - 69) / 12)
        sound = 0.3 * np.sin(2 * np.pi * hertz * np.arange(5000) / RATE)
        yield Note(0, key, 0.7, 4000, sound.astype(np.float32), key == 60)


def run(command: str, *arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app(command), [command, *arguments])
    return answer.exit_code, answer.output + str(answer.exception or "")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(notes_material, "played", fake_notes)
    monkeypatch.setattr(NotesTask, "show", lambda _self, folder: None)
    path = tmp_path / "recipe.yaml"
    path.write_text(dump_yaml(PLAIN))
    return path


def test_train_leaves_a_model_and_a_second_run_finds_it_done(recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    code, said = run("train", str(recipe), "--out", str(out), "--workers", "0")
    assert code == 0, said
    first = load_package(out / "model")
    assert (out / "model" / "timbres.yaml").is_file()
    assert (out / "model" / "recipe.yaml").is_file()
    code, said = run("train", str(recipe), "--out", str(out), "--workers", "0")
    assert code == 0, said
    assert load_package(out / "model").manifest.sha256 == first.manifest.sha256
    code, said = run("train", str(recipe), "--out", str(out), "--workers", "0", "--steps", "13")
    assert code != 0
    assert "another recipe (steps differ)" in said


def test_a_recipe_that_is_not_there_or_says_nothing_known_is_refused(recipe: Path, tmp_path: Path) -> None:
    assert "no recipe" in run("train", str(tmp_path / "none.yaml"))[1]
    recipe.write_text(dump_yaml({**PLAIN, "task": "nots"}))
    assert "Did you mean 'notes'?" in run("train", str(recipe))[1]


@pytest.mark.parametrize(
    ("sound", "said"), [("short", "half a second"), ("silent", "no silence"), ("none", "cannot be read")]
)
def test_compare_refuses_what_is_no_sound(tmp_path: Path, sound: str, said: str) -> None:
    path = tmp_path / "sound.wav"
    samples: dict[str, Any] = {"short": np.ones(100), "silent": np.zeros(48000)}
    if sound in samples:
        soundfile.write(path, samples[sound] * 0.1, 48000)
    code, answer = run("compare", "notes", "--sound", str(path), "--out", str(tmp_path / "out"))
    assert code != 0
    assert said in answer
    assert not (tmp_path / "out").exists()


def test_compare_refuses_models_that_play_no_mel_frames(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    soundfile.write(path, np.sin(np.arange(48000) / 20.0) * 0.1, 48000)
    code, answer = run("compare", "notes", "--sound", str(path), "--out", str(tmp_path / "out"))
    assert code != 0
    assert "takes no mel frames" in answer


@pytest.mark.parametrize(
    ("fetch", "program"),
    [
        (lambda cache: debian_package("x", cache), "apt-get"),
        (lambda cache: npm_package("@a/x", "1", cache), "npm"),
    ],
)
def test_a_program_that_is_missing_is_named_and_nothing_is_left(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, fetch: Any, program: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(DownloadError, match=f"{program} is needed"):
        fetch(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
