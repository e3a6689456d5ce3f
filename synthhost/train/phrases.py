"""A line of notes that several models play alike: one at a time, so that each one's pitch can be measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import key_hz
from synthhost.library.model import Model
from synthhost.schema.reading import read_text
from synthhost.train.distances import PitchTracker, frame_rate_comb_db, is_trackable

_MOST_NOTES, _LONGEST_S = 500, 120.0
_SETTLED_S = 0.12


@dataclass(frozen=True, slots=True)
class PhraseNote:
    """One note.

    Attributes:
        at_s: When it begins.
        key: In semitones.
        velocity: 0 to 1.
        held_s: How long it is held.
    """

    at_s: float
    key: float
    velocity: float
    held_s: float


def read_phrase(path: Path) -> list[PhraseNote]:
    """Read a text file of notes, a line each: when it begins in seconds, key, velocity, and seconds held.

    Raises:
        ConfigError: A line says something else, notes overlap, or it is too long.
    """
    notes: list[PhraseNote] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words = line.partition("#")[0].split()
        if not words:
            continue
        try:
            at_s, key, velocity, held_s = (float(word) for word in words)
        except ValueError:
            raise ConfigError(
                f"{path}, line {number}: expected four numbers, such as 0.5 60 0.8 0.4: when, key, velocity, "
                "seconds held."
            ) from None
        note = PhraseNote(at_s, key, velocity, held_s)
        if not (at_s >= 0.0 and 0.0 <= key <= 127.0 and 0.0 <= velocity <= 1.0 and held_s > 0.0):
            raise ConfigError(
                f"{path}, line {number}: a key lies within 0 to 127, a velocity within 0 to 1, and times do "
                "not run backwards."
            )
        notes.append(note)
    if not notes or len(notes) > _MOST_NOTES:
        raise ConfigError(f"{path}: holds {len(notes)} notes; give 1 to {_MOST_NOTES}.")
    if any(one.at_s + one.held_s > other.at_s for one, other in pairwise(notes)):
        raise ConfigError(f"{path}: notes must follow each other, one at a time.")
    if not notes[-1].at_s + notes[-1].held_s <= _LONGEST_S:
        raise ConfigError(f"{path}: is longer than {_LONGEST_S:.0f} s.")
    return notes


def played_phrase(model: Model, phrase: list[PhraseNote], timbre: NDArray[np.float32] | None) -> Audio:
    """Return a phrase as a model of notes plays it, `[samples]`; releases ring into what follows."""
    rate = model.spec.sample_rate
    pieces = [
        (int(note.at_s * rate), model.note(note.key, note.velocity, note.held_s, timbre)) for note in phrase
    ]
    out = np.zeros(max(begin + piece.shape[0] for begin, piece in pieces), np.float32)
    for begin, piece in pieces:
        out[begin : begin + piece.shape[0]] += piece
    return out


@dataclass(frozen=True, slots=True)
class Playing:
    """How a model played a phrase.

    Attributes:
        median_cents: Of pitch errors, where a note is pitched; NaN where none is.
        near: Share of pitched frames within 50 cents.
        pitched: Share of the notes within the tracker's reach that are pitched at all.
        noise_db: Energy between the harmonics, under that on them, over all notes.
        comb_db: Energy at the model's frame rate above that between, notes' own harmonics left aside.
        level_db: Root mean square of full scale.
        peak: Largest sample.
        dc: Mean of all samples.
    """

    median_cents: float
    near: float
    pitched: float
    noise_db: float
    comb_db: float
    level_db: float
    peak: float
    dc: float


def playing(
    sound: Audio, sample_rate: int, frame_rate_hz: float, phrase: list[PhraseNote], tracker: PitchTracker
) -> Playing:
    """Measure a phrase as it was played, `[samples]`."""
    cents: list[NDArray[np.float64]] = []
    pitched, within, on, between = 0, 0, 0.0, 0.0
    combs: list[float] = []
    for note in phrase:
        hertz = float(key_hz(note.key))
        begin, end = (int(at * sample_rate) for at in (note.at_s + _SETTLED_S, note.at_s + note.held_s))
        part = sound[begin:end]
        if part.shape[0] < sample_rate // 10:
            continue
        harmonic, rest = _split(part, sample_rate, hertz)
        on, between = on + harmonic, between + rest
        if part.shape[0] >= sample_rate // 2:
            combs.append(frame_rate_comb_db(part, sample_rate, frame_rate_hz, hertz))
        if is_trackable(hertz):
            found = tracker.cents(part, sample_rate, hertz)
            within += 1
            pitched += bool(found.size)
            cents.append(found)
    errors = np.abs(np.concatenate(cents)) if cents else np.zeros(0)
    power = float(np.mean(np.asarray(sound, np.float64) ** 2)) + 1e-12
    return Playing(
        float(np.median(errors)) if errors.size else math.nan,
        float((errors <= 50.0).mean()) if errors.size else 0.0,
        pitched / within if within else 0.0,
        float(10.0 * np.log10((between + 1e-20) / (on + 1e-20))),
        float(np.median(combs)) if combs else 0.0,
        float(10.0 * np.log10(power)),
        float(np.abs(sound).max()),
        float(sound.mean()),
    )


def _split(part: Audio, sample_rate: int, hertz: float) -> tuple[float, float]:
    """Return the energy near the harmonics of a pitch, and the rest above half of it."""
    power = np.abs(np.fft.rfft(np.asarray(part, np.float64) * np.hanning(part.shape[0]))) ** 2
    at = np.fft.rfftfreq(part.shape[0], 1.0 / sample_rate)
    width = max(4.0 * sample_rate / part.shape[0], 0.02 * hertz)
    places = np.rint(at / hertz)
    near = (np.abs(at - places * hertz) < width * np.maximum(places, 1.0) ** 0.5) & (places >= 1.0)
    heard = at > 0.5 * hertz
    return float(power[near].sum()), float(power[heard & ~near].sum())
