"""Textures are learned from a folder, kept, and played; recipes that say nothing learnable are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import CheckpointError, ConfigError, TrainingError
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.texture_task import TextureTask, pairs_bits, texture_parts

RATE = 8000
SAMPLERNN = {"family": "samplernn", "frame_sizes": [4, 2], "n_rnn": 1, "dim": 12, "q_levels": 32}
WAVENET = {
    "family": "wavenet",
    "dilations": [1, 2, 4, 8],
    "kernel_size": 2,
    "residual_channels": 8,
    "gate_channels": 16,
    "skip_channels": 8,
    "head_channels": 0,
    "out_channels": 32,
    "residual_scale": 0.5**0.5,
    "skip": "root",
    "conditioning": {"kind": "none", "channels": 0, "scales": [64]},
    "output": {
        "distribution": "softmax",
        "levels": 32.0,
        "companding": 0.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 16.0,
    },
}
MEL = {"kind": "repeat", "channels": 4, "scales": [8]}
FAMILIES = [SAMPLERNN, WAVENET]
NAMES = ["samplernn", "wavenet"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three sounds of pulses: three samples up, five down; pairs of samples do not tell when they turn."""
    made = tmp_path / "sounds"
    made.mkdir()
    for number in range(3):
        pulses = np.where((np.arange(RATE // 2) + number) % 8 < 3, 0.5, -0.3)
        hiss = 0.0005 * np.random.default_rng(number).standard_normal(pulses.size)
        soundfile.write(made / f"{number}.wav", pulses + hiss, RATE, subtype="FLOAT")
    return made


def recipe(folder: Path, hyper: dict[str, Any], **changed: Any) -> Recipe:
    plain = {
        "synthhost": "recipe/1",
        "name": "small-texture",
        "task": "texture",
        "hyper": {"sample_rate": RATE, **hyper},
        "material": {"source": str(folder), "held_out_every": 3, "longest_pause_s": 0.1},
        "settings": {"window": 64, "windows": 2},
        "steps": 60,
        "batch": 8,
        "learning_rate": 0.01,
    }
    return Recipe.from_json({**plain, **changed}, "test")


def learned(task: TextureTask, steps: int) -> list[float]:
    batches = (
        {name: torch.from_numpy(one) for name, one in task.draw(step).items()} for step in range(steps)
    )
    return [task.learn(batch, step)["bits"] for step, batch in enumerate(batches)]


@pytest.mark.parametrize(("hyper", "steps"), [(SAMPLERNN, 40), (WAVENET, 120)], ids=NAMES)
def test_it_learns_is_kept_and_plays(folder: Path, tmp_path: Path, hyper: dict[str, Any], steps: int) -> None:
    task = TextureTask(recipe(folder, hyper), "cpu", tmp_path / "cache")
    begun = task.evaluate()
    assert begun["held_out_bits"] == pytest.approx(5.0, abs=1.0), "32 ids, and nothing known"
    losses = learned(task, steps)
    assert np.mean(losses[-5:]) < 0.5 * losses[0]
    ended = task.evaluate()
    assert ended["pairs_bits"] == begun["pairs_bits"] == pytest.approx(0.8, abs=0.1)
    assert ended["held_out_bits"] < ended["pairs_bits"]
    package = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    model = load_model(package)
    assert model.spec.sample_rate == RATE
    sound = model.render(samples=500, seed=2)
    assert sound.shape == (500,)
    assert np.isfinite(sound).all()
    assert np.abs(sound).max() <= 1.01
    assert sound[200:].std() > 0.2, "it goes up and down as what it learned from"
    assert task.learner.made(60, 7).shape == (60,)


@pytest.mark.parametrize("hyper", FAMILIES, ids=NAMES)
def test_a_batch_is_a_function_of_seed_and_step(folder: Path, tmp_path: Path, hyper: dict[str, Any]) -> None:
    one, again = (TextureTask(recipe(folder, hyper), "cpu", tmp_path) for _ in range(2))
    other = TextureTask(recipe(folder, hyper, seed=1), "cpu", tmp_path)
    assert one.draw(3)["ids"].shape == (8, 128 + one.learner.before)
    np.testing.assert_array_equal(one.draw(3)["ids"], again.draw(3)["ids"])
    assert not np.array_equal(one.draw(3)["ids"], one.draw(4)["ids"])
    assert not np.array_equal(one.draw(3)["ids"], other.draw(3)["ids"])
    for name, tensor in one.model().tensors.items():
        assert torch.equal(tensor, again.model().tensors[name]), "fresh weights are the seed's too"


@pytest.mark.parametrize("hyper", FAMILIES, ids=NAMES)
def test_noise_is_heard_and_not_learned(folder: Path, tmp_path: Path, hyper: dict[str, Any]) -> None:
    noisy = {"window": 64, "windows": 2, "heard_noise": 1.0}
    task = TextureTask(recipe(folder, hyper, settings=noisy), "cpu", tmp_path)
    plain = TextureTask(recipe(folder, hyper), "cpu", tmp_path)
    before, after = plain.draw(3), task.draw(3)
    np.testing.assert_array_equal(before["heard"], before["ids"])
    np.testing.assert_array_equal(after["ids"], before["ids"])
    assert not np.array_equal(after["heard"], after["ids"])


@pytest.mark.parametrize("hyper", FAMILIES, ids=NAMES)
def test_windows_together_are_predicted_as_each_is(
    folder: Path, tmp_path: Path, hyper: dict[str, Any]
) -> None:
    task = TextureTask(recipe(folder, hyper), "cpu", tmp_path)
    ids = torch.from_numpy(task.draw(0)["ids"])
    updates: list[float] = []
    with torch.no_grad():
        nats = task.learner.windows(task.learner.trained, ids, ids, lambda loss: updates.append(float(loss)))
    assert nats == pytest.approx(np.mean(updates), rel=1e-6)
    assert len(updates) == (2 if hyper is SAMPLERNN else 1)


@pytest.mark.parametrize("hyper", FAMILIES, ids=NAMES)
def test_it_can_begin_from_another_models_weights(
    folder: Path, tmp_path: Path, hyper: dict[str, Any]
) -> None:
    first = TextureTask(recipe(folder, hyper), "cpu", tmp_path)
    second = TextureTask(recipe(folder, hyper, seed=1), "cpu", tmp_path)
    assert first.evaluate() != second.evaluate()
    second.begin_from(first.model().tensors)
    assert first.evaluate() == second.evaluate()
    with pytest.raises(CheckpointError):
        second.begin_from({"nothing": torch.zeros(1)})


def test_a_table_of_pairs_knows_what_follows_and_no_more() -> None:
    turns = np.tile([0, 1, 2], 400)
    assert pairs_bits(turns, turns, 3) < 0.01
    chance = np.random.default_rng(0).integers(0, 4, 20000)
    assert pairs_bits(chance, chance, 4) == pytest.approx(2.0, abs=0.01)


@pytest.mark.parametrize(
    ("hyper", "settings", "said"),
    [
        ({"family": "hifigan"}, {"window": 64}, "learns no texture; one of samplernn, wavenet does"),
        (SAMPLERNN, {"window": 66}, "must be a multiple of 8"),
        (SAMPLERNN, {"window": 32}, "window must be at least 64"),
        (SAMPLERNN, {"window": 64, "windows": 0}, "windows at least 1"),
        (SAMPLERNN, {}, "window"),
        (SAMPLERNN, {"window": "long"}, "settings: ValueError"),
        (
            {**WAVENET, "conditioning": MEL},
            {"window": 64},
            "learned without conditions",
        ),
        ({}, {"window": 64}, "family"),
    ],
)
def test_a_recipe_that_says_nothing_learnable_is_refused(
    tmp_path: Path, hyper: dict[str, Any], settings: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        texture_parts(recipe(tmp_path, hyper, settings=settings))


def test_too_little_material_is_told(folder: Path, tmp_path: Path) -> None:
    long = recipe(folder, SAMPLERNN, settings={"window": 64, "windows": 100})
    with pytest.raises(TrainingError, match=r"too little of it \(0\.5 s"):
        TextureTask(long, "cpu", tmp_path)
