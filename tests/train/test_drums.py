"""Hits are brought to one form without copies, and drums learn what they are given, each kind its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train import drum_material
from synthhost.train.drum_material import DrumMaterial, drum_hits, shaped
from synthhost.train.drums_task import DrumsTask
from synthhost.train.loop import Place, train

RATE, SAMPLES = 8000, 2048
PLAIN: dict[str, Any] = {
    "synthhost": "recipe/1",
    "name": "small-drums",
    "task": "drums",
    "hyper": {
        "sample_rate": RATE,
        "latent": 3,
        "positions": 8,
        "channels": [32, 16, 8, 1],
        "kernels": [16, 16, 8],
        "strides": [8, 8, 4],
        "crops": [4, 4, 2],
        "filter_taps": 0,
    },
    "material": {
        "classes": ["kick", "closed-hat"],
        "kits": [0],
        "velocities": [100],
        "held_out_every": 5,
    },
    "settings": {"kl": 0.01},
    "steps": 60,
    "batch": 8,
    "learning_rate": 0.003,
    "save_steps": 30,
    "show_steps": 1000,
}


def fake_hits(material: DrumMaterial, sample_rate: int, _cache: Path) -> Iterator[tuple[str, Any]]:
    """Yield kicks that are low sines and hats that are high noise, each twice over."""
    times = np.arange(SAMPLES) / sample_rate
    for number in range(12):
        rng = np.random.default_rng(number)
        low = np.sin(2 * np.pi * (60 + 8 * number) * times) * np.exp(-times / (0.03 + 0.006 * number))
        high = np.diff(rng.standard_normal(SAMPLES + 1)) * np.exp(-times / (0.01 + 0.002 * number))
        for level in (0.5, 0.25):
            yield "kick", (level * low).astype(np.float32)
            yield "closed-hat", (level * high).astype(np.float32)


@pytest.fixture
def material(monkeypatch: pytest.MonkeyPatch) -> DrumMaterial:
    monkeypatch.setattr(drum_material, "played_hits", fake_hits)
    return DrumMaterial.from_json(PLAIN["material"])


def test_copies_are_left_out_and_some_are_held_out(material: DrumMaterial, tmp_path: Path) -> None:
    hits = drum_hits(material, RATE, SAMPLES, tmp_path)
    assert hits.sounds.shape[1] == SAMPLES
    assert np.bincount(hits.kinds)[1] == 12, "each hat once, though it came at two levels"
    assert 4 <= np.bincount(hits.kinds)[0] <= 12
    assert 0 < hits.held_out.sum() < hits.kinds.size / 3
    again = drum_hits(material, RATE, SAMPLES, tmp_path)
    np.testing.assert_array_equal(again.sounds, hits.sounds)


def test_a_hit_begins_at_once_peaks_at_one_and_ends_in_silence() -> None:
    late = np.zeros(3000, np.float32)
    late[700:] = 0.1
    out = shaped(late, 1000)
    assert np.abs(out).max() == 1.0
    assert np.flatnonzero(out)[0] <= 8
    assert abs(out[-1]) < 1e-6
    assert not shaped(np.zeros(100, np.float32), 50).any()


def test_a_kind_with_too_few_hits_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(drum_material, "played_hits", lambda *_: iter([("kick", np.ones(100, np.float32))]))
    with pytest.raises(TrainingError, match="too few hits of kick, closed-hat"):
        drum_hits(DrumMaterial.from_json(PLAIN["material"]), RATE, SAMPLES, tmp_path)


@pytest.mark.parametrize(
    "changed", [{"classes": ["gong"]}, {"classes": []}, {"held_out_every": 1}, {"kits": 3}]
)
def test_a_material_that_says_nothing_playable_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="material"):
        DrumMaterial.from_json({**PLAIN["material"], **changed})


@pytest.mark.usefixtures("material")
def test_each_kind_learns_its_own_and_the_model_plays_clips(tmp_path: Path) -> None:
    recipe = Recipe.from_json(PLAIN, "test")
    task = DrumsTask(recipe, "cpu", tmp_path / "cache")

    class Kept:
        losses: tuple[float, ...] = ()

        def begin(self, step: int, steps: int) -> None:
            pass

        def learned(self, step: int, losses: dict[str, float]) -> None:
            self.losses = (*self.losses, losses["spectral"])

        def evaluated(self, step: int, measures: dict[str, float]) -> None:
            pass

    kept = Kept()
    task.show = lambda folder: None  # type: ignore[method-assign]
    assert train(task, recipe, Place(tmp_path / "run", workers=0), kept)
    assert np.mean(kept.losses[-10:]) < 0.8 * np.mean(kept.losses[:5])
    folder = save_package(task.model(), Origin("small-drums", "CC0-1.0", "made up"), tmp_path / "small-drums")
    model = load_model(folder)
    assert model.spec.classes == ("kick", "closed-hat")
    places, spread_out = task._where()
    place = torch.tensor([[0.4, -1.2, 0.7]])
    with torch.no_grad():
        moved = place @ spread_out.T + places[1]
        own = task._made(task.networks["generator"], moved, torch.tensor([[0.0, 1.0]]))[0].numpy()
    np.testing.assert_allclose(model.render(latent=[0.4, -1.2, 0.7, 0.0, 1.0]), own, atol=1e-5)
    middles = []
    for kind in ([1.0, 0.0], [0.0, 1.0]):
        sound = model.render(latent=[0.0, 0.0, 0.0, *kind])
        assert sound.shape == (SAMPLES,)
        power = np.abs(np.fft.rfft(sound)) ** 2
        middles.append(float((np.fft.rfftfreq(SAMPLES, 1 / RATE) * power).sum() / power.sum()))
    assert middles[1] > 1.5 * middles[0]


@pytest.mark.usefixtures("material")
def test_kinds_that_are_not_played_are_left_out_of_the_model(tmp_path: Path) -> None:
    plain, rest = Recipe.from_json(PLAIN, "test"), {"settings": {"unplayed": ["kick"]}}
    whole = DrumsTask(plain, "cpu", tmp_path / "cache").model()
    part = DrumsTask(Recipe.from_json({**PLAIN, **rest}, "test"), "cpu", tmp_path / "cache").model()
    models = []
    for name, read in (("whole", whole), ("part", part)):
        folder = save_package(read, Origin(name, "CC0-1.0", "made up"), tmp_path / name)
        models.append(load_model(folder))
    assert [one.spec.classes for one in models] == [("kick", "closed-hat"), ("closed-hat",)]
    place = [0.3, -0.8, 0.5]
    np.testing.assert_allclose(
        models[1].render(latent=[*place, 1.0]), models[0].render(latent=[*place, 0.0, 1.0]), atol=1e-6
    )
    for wrong in (["gong"], ["kick", "closed-hat"], "kick"):
        with pytest.raises(ConfigError, match="settings: unplayed: must be a list of some of kick, closed"):
            DrumsTask(
                Recipe.from_json({**PLAIN, "settings": {"unplayed": wrong}}, "test"),
                "cpu",
                tmp_path / "cache",
            )


def test_a_players_folder_may_lack_kinds_and_not_all_of_them(tmp_path: Path) -> None:
    folder, cache = tmp_path / "mine", tmp_path / "cache"
    (folder / "kick").mkdir(parents=True)
    own = DrumMaterial(("kick", "closed-hat"), (0,), (100,), 5, str(folder))
    with pytest.raises(TrainingError, match=r"nothing of .*mine sounds"):
        drum_hits(own, RATE, SAMPLES, cache)
    times = np.arange(SAMPLES) / RATE
    for number in range(3):
        hit = np.sin(2 * np.pi * (70 + 30 * number) * times) * np.exp(-times / 0.05)
        soundfile.write(folder / "kick" / f"{number}.wav", hit, RATE)
    hits = drum_hits(own, RATE, SAMPLES, cache)
    assert hits.kinds.tolist() == [0, 0, 0]
    recipe = Recipe.model_validate({**PLAIN, "material": {**PLAIN["material"], "folder": str(folder)}})
    task = DrumsTask(recipe, "cpu", cache)
    assert set(task.draw(0)["kinds"].argmax(1).tolist()) == {0}
    assert np.isfinite(
        task.learn({name: torch.as_tensor(one) for name, one in task.draw(0).items()}, 0)["spectral"]
    )
