"""Crops of tracked notes as networks hear them: frames, and the sound that they became."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.note_frames import (
    AIR,
    CYCLES,
    FRACTION,
    GAIN,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    PLACE,
    TOLD_CHANNELS,
    told,
)
from synthhost.train.tracked_notes import TrackedNotes

_PLACES = 1 << 16


@dataclass(frozen=True, slots=True)
class Crop:
    """A piece of a note.

    Attributes:
        frames: Without a timbre, `[OSCILLATOR_CHANNELS + TOLD_CHANNELS, frames]`.
        first_sample: Of all notes' sound, where it begins.
        timbre: The note's.
        at_start: Whether it is the note's begin.
    """

    frames: NDArray[np.float32]
    first_sample: int
    timbre: int
    at_start: bool


def crop_of(
    notes: TrackedNotes, note: int, begin: int, count: int, sample_rate: int, hop_samples: int, place: int = 0
) -> Crop:
    """Return a note's frames `begin` to `begin + count - 1`, as far as it has them.

    Args:
        notes: All.
        note: Which.
        begin: Its frame, from 0.
        count: Of frames.
        sample_rate: In Hz.
        hop_samples: Of a frame.
        place: Of the noise that the note began at.
    """
    first, last = notes.frames_of(note)
    count = min(count, last - first - begin)
    cycles = notes.cycles_of(note)[begin : begin + count + 1]
    cycles = cycles - np.floor(cycles[0])
    frames = np.zeros((OSCILLATOR_CHANNELS + TOLD_CHANNELS, count), np.float32)
    whole = np.floor(cycles[:-1])
    frames[CYCLES], frames[FRACTION] = whole, cycles[:-1] - whole
    frames[PITCH_FROM_HZ] = frames[PITCH_HZ] = np.diff(cycles) * (sample_rate / hop_samples)
    frames[GAIN] = frames[AIR] = 1.0
    numbers = begin + np.arange(count)
    frames[PLACE] = (place + numbers * hop_samples) % _PLACES
    hop_s = hop_samples / sample_rate
    held = int(notes.held_frames[note])
    since = np.maximum(numbers + 1 - held, 0) * hop_s if held >= 0 else 0.0
    frames[OSCILLATOR_CHANNELS:] = told(notes.key[note], notes.velocity[note], (numbers + 1) * hop_s, since)
    return Crop(frames, (first + begin) * hop_samples, int(notes.timbre[note]), begin == 0)


def drawn_crop(
    notes: TrackedNotes,
    among: NDArray[np.int64],
    rng: np.random.Generator,
    count: int,
    sample_rate: int,
    hop_samples: int,
    at_start: float,
) -> Crop:
    """Return a crop of a note drawn by chance.

    Args:
        notes: All; each is as long as a crop.
        among: Which are drawn from.
        rng: Chance.
        count: Of frames.
        sample_rate: In Hz.
        hop_samples: Of a frame.
        at_start: How often it is a note's begin.
    """
    note = int(rng.choice(among))
    first, last = notes.frames_of(note)
    latest = last - first - count
    begin = 0 if rng.random() < at_start else int(rng.integers(0, latest + 1))
    place = int(rng.integers(0, _PLACES))
    return crop_of(notes, note, begin, count, sample_rate, hop_samples, place)
