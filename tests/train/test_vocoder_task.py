"""A vocoder learns to follow the pitch in mel frames and to sound at it, in universal frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.core.note_frames import key_hz
from synthhost.features.mel import mel_spectrogram
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.streaming.mel_fit import MelFit
from synthhost.train import spoken_and_played
from synthhost.train.comparing import Likeness
from synthhost.train.distances import FRAME_S
from synthhost.train.notes_material import Note
from synthhost.train.spoken_and_played import PIANO, PLAYED, SPOKEN, VocoderMaterial, _followed, clips
from synthhost.train.vocoder_evaluation import _failures, held_out
from synthhost.train.vocoder_task import MEL, VocoderTask, _leaning, vocoder_hyper

pytest.importorskip("swift_f0", reason="the pitch tracker is not installed")

RATE = MEL.sample_rate
HYPER: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [16, 16],
    "upsample_kernel_sizes": [32, 32],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "pitch": {
        "lowest_hz": 60.0,
        "highest_hz": 1000.0,
        "places": 96,
        "harmonics": 10,
        "ahead": 2,
        "hidden": 16,
        "depth": 1,
        "width": 16,
    },
}
MATERIAL: dict[str, Any] = {
    "notes": {
        "timbres": [
            {"name": "piano", "program": None, "lowest": 57, "highest": 69},
            {"name": "saw", "program": 81, "lowest": 57, "highest": 69},
            {"name": "reed", "program": 20, "lowest": 57, "highest": 69},
        ],
        "key_step": 4,
        "velocities": [90],
        "held_s": [1.0],
        "after_s": 0.1,
        "held_out_every": 3,
    },
    "held_out": ["reed"],
}


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield notes of six partials, each instrument with another slope."""
    times = np.arange(int(1.2 * RATE)) / RATE
    for timbre in range(3):
        for key in (57, 61, 65, 69):
            cycles = key_hz(key) * times
            sound = sum(np.sin(2.0 * np.pi * k * cycles) / k ** (1.0 + 0.5 * timbre) for k in range(1, 7))
            yield Note(timbre, key, 0.7, None, np.asarray(0.3 * sound, np.float32), key == 61)


@pytest.fixture(autouse=True)
def _played(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spoken_and_played, "played", fake_notes)


def recipe(**changed: Any) -> Recipe:
    plain = {
        "synthhost": "recipe/1",
        "name": "small-vocoder",
        "task": "vocoder",
        "hyper": HYPER,
        "material": MATERIAL,
        "settings": {"crop_frames": 24, "shares": [0.0, 0.7, 0.3]},
        "steps": 60,
        "batch": 4,
        "learning_rate": 0.003,
    }
    return Recipe.from_json({**plain, **changed}, "test")


def test_clips_know_the_pitch_of_their_frames_and_what_is_held_out(tmp_path: Path) -> None:
    found = clips(VocoderMaterial.from_json(MATERIAL), MEL, tmp_path)
    assert found.kind.tolist() == [PIANO] * 4 + [PLAYED] * 8
    assert found.held_out.tolist() == [False, True, False, False] * 2 + [True] * 4
    for clip, key in enumerate([57, 61, 65, 69] * 3):
        first, last = found.first_frame[clip : clip + 2]
        off = 1200.0 * (found.octaves[first:last] - np.log2(key_hz(key)))
        assert np.abs(np.median(off[found.sure[first:last]])) < 15.0
        assert found.sure[first:last].mean() > 0.7
    assert found.mel.shape == (found.first_frame[-1], MEL.bands)
    assert found.sound.shape[0] == found.first_frame[-1] * MEL.hop_samples
    assert [sound.shape[0] for _, sound in held_out(found, PIANO)] == [103 * MEL.hop_samples]
    with pytest.raises(ConfigError, match="held_out: no instrument is named gong"):
        VocoderMaterial.from_json({**MATERIAL, "held_out": ["gong"]})


def test_a_louder_crop_has_the_frames_of_a_louder_sound(tmp_path: Path) -> None:
    task = VocoderTask(recipe(), "cpu", tmp_path)
    crop, louder = task._crop(100, 1.0), task._crop(100, 2.0)
    np.testing.assert_allclose(louder["sound"], 2.0 * crop["sound"], rtol=1e-6)
    heard = crop["mel"] > np.log(1e-3)
    np.testing.assert_allclose((louder["mel"] - crop["mel"])[heard], np.log(2.0), atol=1e-4)
    own = mel_spectrogram(np.ascontiguousarray(louder["sound"]), MEL)[:, 4:-4]
    assert np.abs(own - louder["mel"][:, 4:-4]).mean() < 0.1


def test_it_learns_is_kept_and_sounds_at_a_pitch_nobody_told_it(tmp_path: Path) -> None:
    task = VocoderTask(recipe(), "cpu", tmp_path / "cache")
    begun = task.evaluate()
    for step in range(60):
        batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(step).items()}
        task.learn(batch, step)
    found = task.evaluate()
    assert found["held_out_spectrum"] < 0.9 * begun["held_out_spectrum"]
    assert found["held_out_mel"] < 0.85 * begun["held_out_mel"]
    assert found["held_out_cents"] < 0.5 * begun["held_out_cents"]
    folder = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    model = load_model(folder)
    assert model.spec.mel == MEL
    assert 2 * MEL.hop_samples <= model.spec.look_ahead_samples < 3 * MEL.hop_samples
    mel, sound = next(held_out(task.clips, PIANO))
    assert model.render(mel).shape == sound.shape
    task.show(tmp_path)
    assert (tmp_path / "made.wav").is_file()
    again = VocoderTask(recipe(seed=2), "cpu", tmp_path / "cache")
    again.begin_from(task.model().tensors)
    for name, tensor in again.model().tensors.items():
        assert torch.equal(tensor, task.model().tensors[name])


def test_what_is_learned_is_the_generator_and_what_is_measured_is_what_fits(tmp_path: Path) -> None:
    fitted = recipe(hyper={**HYPER, "pitch": {**HYPER["pitch"], "ahead": 0}, "fit": {"rounds": 2}})
    hyper, _ = vocoder_hyper(fitted)
    assert hyper.fit is not None
    assert hyper.fit.frames == MEL
    task = VocoderTask(fitted, "cpu", tmp_path / "cache")
    found = task.evaluate()
    assert found["held_out_mel"] < 0.7 * found["held_out_unfitted_mel"]
    batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(0).items()}
    assert set(task.learn(batch, 0)) == {"spectrum", "octaves", "mel", "leaning", "pitch"}
    learned, measured = task.network._sound[0], task.network.excited.graph
    fits = [any(isinstance(part, MelFit) for part in graph.modules()) for graph in (learned, measured)]
    assert fits == [False, True]
    folder = save_package(task.model(), Origin("small", "CC0-1.0", "made up"), tmp_path / "small")
    model = load_model(folder)
    assert 2 * MEL.hop_samples <= model.spec.look_ahead_samples < 3 * MEL.hop_samples
    other = recipe(hyper={**HYPER, "fit": {"rounds": 2, "fmax_hz": 4000.0}})
    assert vocoder_hyper(other)[0].fit == hyper.fit, "frames are the universal generator's"
    with pytest.raises(ConfigError, match="fit: rounds: 0 lies outside 1 to 64"):
        vocoder_hyper(recipe(hyper={**HYPER, "fit": {"rounds": 0}}))


def test_what_leans_to_one_side_is_missed_by_its_share_of_the_level() -> None:
    wanted = torch.from_numpy(np.random.default_rng(0).standard_normal((3, 4000)).astype(np.float32))
    wanted -= wanted.mean(1, keepdim=True)
    assert float(_leaning(wanted, wanted)) < 1e-4
    assert float(_leaning(wanted - 0.5, wanted)) == pytest.approx(0.5, rel=0.05)


def test_a_folder_of_any_sounds_is_enough_however_short(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    times = np.arange(2 * RATE) / RATE
    for name, hertz in (("one", 200.0), ("two", 300.0), ("three", 250.0)):
        sound = sum(np.sin(2.0 * np.pi * k * hertz * times) / k for k in range(1, 6))
        soundfile.write(folder / f"{name}.wav", 0.2 * sound, RATE)
    own = {"speech": {"source": str(folder), "held_out_every": 20, "longest_pause_s": 0.4}}
    task = VocoderTask(recipe(material=own, settings={"crop_frames": 24}), "cpu", tmp_path / "cache")
    assert task.clips.held_out.tolist() == [False, True]
    assert task.clips.kind.tolist() == [SPOKEN, SPOKEN]
    batch = {name: torch.from_numpy(np.asarray(one)) for name, one in task.draw(0).items()}
    assert all(np.isfinite(loss) for loss in task.learn(batch, 0).values())
    assert np.isfinite(task.evaluate()["held_out_mel"])


def test_gates_compare_with_the_universal_generator() -> None:
    def like(log_mel: float, cents: float, comb_db: float) -> list[Likeness]:
        return [Likeness(log_mel, 5.0, cents, 0.9, comb_db, 0.0, 0.5, 0.0)] * 3

    assert not _failures(list(zip(like(0.59, 14.0, 2.9), like(0.4, 5.0, 0.0), strict=True)))
    said = _failures(list(zip(like(0.61, 16.0, 3.1), like(0.4, 5.0, 0.0), strict=True)))
    assert [one.split(" is ")[0] for one in said[:2]] == ["log mel", "pitch"]
    assert "frame rate" in said[2]


def test_what_cannot_learn_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="hyper: pitch: missing"):
        vocoder_hyper(recipe(hyper={key: value for key, value in HYPER.items() if key != "pitch"}))
    with pytest.raises(ConfigError, match="settings: shares"):
        VocoderTask(recipe(settings={"crop_frames": 24, "shares": [0.0, 0.0, 0.0]}), "cpu", tmp_path)
    speech_only = {"crop_frames": 24, "shares": [1.0, 0.0, 0.0]}
    with pytest.raises(TrainingError, match="no clip as long as a crop is learned from"):
        VocoderTask(recipe(settings=speech_only), "cpu", tmp_path)
    with pytest.raises(ConfigError, match="settings: KeyError: 'crop_frames'"):
        VocoderTask(recipe(settings={}), "cpu", tmp_path)
    with pytest.raises(ConfigError, match="material: needs notes, or speech"):
        VocoderMaterial.from_json({})


def test_a_pitch_far_from_a_notes_key_is_not_sure_and_the_key_stands_for_it() -> None:
    tracker: Any = SimpleNamespace(
        track=lambda *_: (np.array([440.0, 440.0, 880.0, 441.0]), np.array([True, False, True, True]))
    )
    at = np.arange(4) * FRAME_S * RATE
    octaves, sure = _followed(np.zeros(8000, np.float32), RATE, at, tracker, 440.0)
    assert sure.tolist() == [True, False, False, True]
    np.testing.assert_allclose(octaves, np.log2(440.0), atol=0.01)
    octaves, sure = _followed(np.zeros(8000, np.float32), RATE, at, tracker, 220.0)
    assert not sure.any()
    np.testing.assert_allclose(octaves, np.log2(220.0), atol=1e-6)
    octaves, sure = _followed(np.zeros(8000, np.float32), RATE, at, tracker, 0.0)
    assert sure.tolist() == [True, False, True, True], "where nobody knows a key"
