"""Notes are followed to the phase of their fundamental, and crops of them run beside their sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synthhost.core.errors import TrainingError
from synthhost.core.note_frames import (
    FRACTION,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    PLACE,
    TOLD_CHANNELS,
    key_hz,
    told,
)
from synthhost.streaming.excitation import FixedLevels
from synthhost.streaming.oscillators import Oscillators
from synthhost.train import tracked_notes as module
from synthhost.train.note_crops import Crop, crop_of, drawn_crop
from synthhost.train.notes_material import Note, NoteMaterial
from synthhost.train.tracked_notes import TrackedNotes, followed_cycles, tracked_notes

RATE, HOP = 16000, 64
KEYS = (45.0, 52.5, 60.0, 64.0)
MATERIAL = NoteMaterial.from_json(
    {
        "timbres": [{"name": "one", "program": 0, "lowest": 45, "highest": 64}],
        "key_step": 1,
        "velocities": [90],
        "held_s": [0.4],
        "after_s": 0.1,
        "held_out_every": 3,
    }
)
Array = NDArray[np.float64]


def gliding(pitch_hz: float, seconds: float, cents: float, harmonics: int = 1) -> tuple[Array, Array]:
    """Return a tone that glides from so many cents below a pitch to as many above, and its fundamental."""
    times = np.arange(int(seconds * RATE))
    hertz = pitch_hz * 2.0 ** (np.linspace(-cents, cents, times.size) / 1200.0)
    turns = 0.3 + np.cumsum(hertz) / RATE
    sound = sum(np.sin(2.0 * np.pi * k * turns + k) / k for k in range(2, harmonics + 1))
    fundamental = np.sin(2.0 * np.pi * turns)
    return np.asarray(fundamental + sound), fundamental


def alike(one: Array, other: Array) -> float:
    return float(np.corrcoef(one, other)[0, 1])


@pytest.mark.parametrize("pitch_hz", [55.0, 220.0, 1000.0])
@pytest.mark.parametrize("harmonics", [1, 6])
def test_cycles_are_locked_to_a_tone_that_glides(pitch_hz: float, harmonics: int) -> None:
    sound, fundamental = gliding(pitch_hz, 1.0, 60.0, harmonics)
    cycles = followed_cycles(sound.astype(np.float32), pitch_hz, RATE)
    assert cycles.shape == (sound.size + 1,)
    assert (np.diff(cycles) > 0.0).all()
    assert alike(np.sin(2.0 * np.pi * cycles[:-1]), fundamental) > 0.99


@pytest.mark.parametrize("left", [0.0, 0.005])
def test_cycles_are_found_again_after_a_faint_gap(left: float) -> None:
    sound, fundamental = gliding(220.0 * 2.0 ** (20.0 / 1200.0), 0.8, 0.0)
    sound[5000:6000] *= left
    cycles = followed_cycles(sound.astype(np.float32), 220.0, RATE)
    assert np.abs(np.diff(cycles) * RATE / 220.0 - 1.0).max() < 0.06
    for part in (slice(0, 4500), slice(6500, None)):
        assert alike(np.sin(2.0 * np.pi * cycles[:-1][part]), fundamental[part]) > 0.99


def test_where_the_fundamental_is_gone_the_given_pitch_goes_on() -> None:
    sound, fundamental = gliding(225.0, 0.8, 0.0)
    sound[6000:] = 0.0
    cycles = followed_cycles(sound.astype(np.float32), 220.0, RATE)
    assert alike(np.sin(2.0 * np.pi * cycles[:5500]), fundamental[:5500]) > 0.99
    np.testing.assert_allclose(np.diff(cycles[7000:]) * RATE, 220.0, rtol=1e-9)


def test_silence_and_what_has_no_fundamental_stand_at_the_given_pitch() -> None:
    silent = followed_cycles(np.zeros(4000, np.float32), 330.0, RATE)
    np.testing.assert_allclose(silent, np.arange(4001) * 330.0 / RATE, atol=1e-9)
    octave = np.sin(2.0 * np.pi * 440.0 * np.arange(RATE) / RATE).astype(np.float32)
    cycles = followed_cycles(octave, 220.0, RATE)
    drifted = cycles - np.arange(RATE + 1) * 220.0 / RATE
    assert np.ptp(drifted) < 1.0, "less than a cycle in a second"


def test_another_pitch_is_not_followed() -> None:
    fifth = np.sin(2.0 * np.pi * 330.0 * np.arange(RATE) / RATE).astype(np.float32)
    cycles = followed_cycles(fifth, 220.0, RATE)
    assert (cycles[-1] - cycles[0]) == pytest.approx(220.0, rel=0.06)


def fake_notes(*_: Any) -> Iterator[Note]:
    """Yield notes that glide, of odd lengths; every third is held out."""
    for number, key in enumerate(KEYS):
        sound, _ = gliding(float(key_hz(key)), 0.45 + 0.013 * number, 40.0)
        held = None if number == 3 else int(0.3 * RATE)
        yield Note(0, key, 0.5 + 0.1 * number, held, (0.2 * sound).astype(np.float32), number % 3 == 1)
    yield Note(0, 50.0, 0.5, None, np.zeros(RATE, np.float32), held_out=False)


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TrackedNotes:
    monkeypatch.setattr(module, "played", fake_notes)
    return tracked_notes(MATERIAL, RATE, HOP, tmp_path)


def test_notes_fill_whole_frames_and_silent_ones_are_left_out(notes: TrackedNotes) -> None:
    np.testing.assert_array_equal(notes.key, KEYS)
    lengths = [int((0.45 + 0.013 * number) * RATE) // HOP for number in range(len(KEYS))]
    np.testing.assert_array_equal(np.diff(notes.first_frame), lengths)
    assert notes.sound.size == sum(lengths) * HOP
    assert notes.cycles.size == sum(lengths) + len(KEYS)
    np.testing.assert_array_equal(notes.held_frames, [75, 75, 75, -1])
    np.testing.assert_array_equal(notes.held_out, [False, True, False, False])
    for note, length in enumerate(lengths):
        assert notes.cycles_of(note).size == length + 1


def test_they_are_made_once_and_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "played", fake_notes)
    first = tracked_notes(MATERIAL, RATE, HOP, tmp_path)
    monkeypatch.setattr(module, "played", lambda *_: iter(()))
    again = tracked_notes(MATERIAL, RATE, HOP, tmp_path)
    for name in TrackedNotes.__slots__:
        np.testing.assert_array_equal(getattr(first, name), getattr(again, name))
    with pytest.raises(TrainingError, match="nothing of it sounds"):
        tracked_notes(MATERIAL, RATE, HOP // 2, tmp_path)


def excitation(crop: Crop) -> Array:
    """Return the sine that a network which plays notes would hear beside a crop."""
    frames = torch.from_numpy(crop.frames[None, :OSCILLATOR_CHANNELS])
    sound = Oscillators(RATE, HOP, 1, 1)(FixedLevels((1.0,), (0.0,))(frames))
    return np.asarray(sound[0, 0].numpy(), np.float64)


@pytest.mark.parametrize("note", range(len(KEYS)))
@pytest.mark.parametrize("begin", [0, 17])
def test_the_excitation_of_a_crop_is_in_phase_with_its_sound(
    notes: TrackedNotes, note: int, begin: int
) -> None:
    crop = crop_of(notes, note, begin, 80, RATE, HOP)
    sound = notes.sound[crop.first_sample :][: 80 * HOP]
    assert alike(excitation(crop)[HOP:], sound[HOP:].astype(np.float64)) > 0.98


def test_frames_of_a_crop_follow_each_other_and_tell_of_their_note(notes: TrackedNotes) -> None:
    crop = crop_of(notes, 2, 60, 40, RATE, HOP, place=100)
    assert crop.frames.shape == (OSCILLATOR_CHANNELS + TOLD_CHANNELS, 40)
    assert not crop.at_start
    whole = crop.frames[:2].astype(np.float64).sum(0)
    np.testing.assert_allclose(np.diff(whole) * RATE / HOP, crop.frames[PITCH_HZ, :-1], rtol=1e-3)
    np.testing.assert_array_equal(crop.frames[PITCH_HZ], crop.frames[PITCH_FROM_HZ])
    assert ((crop.frames[FRACTION] >= 0.0) & (crop.frames[FRACTION] <= 1.0)).all()
    np.testing.assert_array_equal(crop.frames[PLACE], 100 + (60 + np.arange(40)) * HOP)
    numbers, hop_s = 60 + np.arange(1, 41), HOP / RATE
    expected = told(60.0, notes.velocity[2], numbers * hop_s, np.maximum(numbers - 75, 0) * hop_s)
    np.testing.assert_allclose(crop.frames[OSCILLATOR_CHANNELS:], expected, atol=1e-6)


def test_a_crop_ends_where_its_note_ends(notes: TrackedNotes) -> None:
    first, last = notes.frames_of(1)
    crop = crop_of(notes, 1, last - first - 5, 40, RATE, HOP)
    assert crop.frames.shape[1] == 5
    assert crop.first_sample == (last - 5) * HOP


def test_drawn_crops_lie_within_one_of_the_notes_that_are_drawn_from(notes: TrackedNotes) -> None:
    rng, among, seen, starts = np.random.default_rng(0), np.flatnonzero(~notes.held_out), set(), 0
    for _ in range(200):
        crop = drawn_crop(notes, among, rng, 100, RATE, HOP, at_start=0.3)
        assert crop.frames.shape[1] == 100
        note = int(np.searchsorted(notes.first_frame * HOP, crop.first_sample, side="right")) - 1
        assert not notes.held_out[note]
        begin, end = notes.frames_of(note)
        assert begin * HOP <= crop.first_sample <= (end - 100) * HOP
        assert crop.at_start == (crop.first_sample == begin * HOP)
        seen.add(note)
        starts += crop.at_start
    assert seen == set(among)
    assert 40 < starts < 100
