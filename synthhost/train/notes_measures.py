"""What the note instrument is held to: pitch, onset, velocity, a smooth timbre space, likeness to real notes.

Nothing of it is learned from: the notes compared with are keys and piano layers held out.
"""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.note_frames import NoteLine, NoteSpec, key_hz, whole_note
from synthhost.train.distances import (
    PitchTracker,
    is_trackable,
    multi_resolution_distance,
    pitch_errors,
)
from synthhost.train.notes_material import Note, NoteMaterial, played

Render: TypeAlias = Callable[[Features], Audio]
"""Turns frames `[bands, frames]` into sound `[samples]`."""

MOST_CENTS = 5.0
LEAST_NEAR = 0.95
MOST_STEP_DB = 3.0
_LEAST_PITCHED = 5  # frames
_NOTE_S, _SETTLED_S = 1.0, 0.15
_VELOCITIES = (0.15, 0.3, 0.45, 0.6, 0.75, 0.9, 1.0)
_LINES, _POINTS = 60, 101  # straight lines through the timbre space, and where each is looked at
_HEARD_DB, _RISEN_DB = -80.0, -20.0
_SEED = 5


@dataclass(frozen=True, slots=True)
class NotesMeasures:
    """What was measured.

    Attributes:
        median_cents: Of pitch errors, over all instruments and keys of their ranges.
        near: Share of pitched frames within 50 cents.
        worst: The instrument with the largest median error, and that error in cents.
        onset_ms: After which a note is heard at most, over all instruments: above -80 dB of its peak.
        late_ms: By how much it comes to a tenth of its peak later than the notes held out do, at the median.
        velocity_falls_db: The most that a note struck harder is softer.
        step_db: The most that the loudness of any partial or band changes in a hundredth of a straight line
            between two instruments, those within 40 dB of the loudest.
        distances_db: Multi-resolution distance to notes held out, by instrument.
        peak: The largest sample of any note.
        dc: The largest mean of any note.
        pitched: Share of notes of which the tracker is sure for five frames or more; the others count in no
            pitch error.
        unsure: Instruments in no frame of which the tracker is sure, such as short ones.
    """

    median_cents: float
    near: float
    worst: tuple[str, float]
    onset_ms: float
    late_ms: float
    velocity_falls_db: float
    step_db: float
    distances_db: Mapping[str, float] = field(default_factory=dict)
    peak: float = 0.0
    dc: float = 0.0
    pitched: float = 1.0
    unsure: tuple[str, ...] = ()

    @property
    def worst_told(self) -> str:
        """Which instrument is furthest off, and which are not followed, for people."""
        name, cents = self.worst
        parts = [f"at worst {cents:.1f} ({name})"] if name else []
        if self.unsure:
            parts.append(f"no frame of {', '.join(self.unsure)} is surely pitched")
        return ", and ".join(parts)

    def failures(self, block_ms: float) -> list[str]:
        """Return which gates do not hold, in sentences; none where all do.

        Args:
            block_ms: Within which a note must be heard.
        """
        gates = (
            (self.median_cents < MOST_CENTS, f"pitch is {self.median_cents:.1f} cents off at the median"),
            (self.near >= LEAST_NEAR, f"only {100 * self.near:.1f} % of frames are within 50 cents"),
            (self.onset_ms <= block_ms, f"a note is heard only after {self.onset_ms:.1f} ms"),
            (self.velocity_falls_db <= 0.1, f"a harder note is {self.velocity_falls_db:.2f} dB softer"),
            (self.step_db <= MOST_STEP_DB, f"timbre jumps by {self.step_db:.1f} dB"),
        )
        return [said for holds, said in gates if not holds]


class Instrument:
    """A model of notes as it is measured.

    Args:
        spec: What it takes.
        sample_rate: In Hz.
        hop_samples: Of a frame.
        render: Plays it.
        levels: Gives the levels of partials and bands of frames, `[frames, levels]`; None: it has none.
        timbres: Where its instruments lie, `[dimensions]` by name.
    """

    def __init__(
        self,
        spec: NoteSpec,
        sample_rate: int,
        hop_samples: int,
        render: Render,
        levels: Callable[[Features], NDArray[np.float64]] | None,
        timbres: Mapping[str, Features],
    ) -> None:
        self.spec = spec
        self.sample_rate = sample_rate
        self.hop_samples = hop_samples
        self.render = render
        self.levels = levels
        self.timbres = timbres

    def note(
        self, timbre: Features, key: float, velocity: float, held_s: float = _NOTE_S, after_s: float = 0.0
    ) -> Audio:
        """Return one note, `[samples]`."""
        return self.render(self.frames(timbre, key, velocity, held_s, after_s))

    def frames(
        self, timbre: Features, key: float, velocity: float, held_s: float, after_s: float = 0.0
    ) -> Features:
        """Return the frames of one note, `[bands, frames]`."""
        line = NoteLine(self.spec, self.sample_rate, self.hop_samples)
        line.begin(key, velocity)
        held, after = (round(seconds * self.sample_rate / self.hop_samples) for seconds in (held_s, after_s))
        return whole_note(line, timbre, held, after)


def measure_notes(
    instrument: Instrument,
    material: NoteMaterial,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
) -> NotesMeasures:
    """Measure an instrument.

    Raises:
        DownloadError: What it is compared with cannot be had.
        TrainingError: The pitch tracker is not installed.
    """
    tracker = PitchTracker()
    errors: dict[str, Any] = {}
    pitched: list[bool] = []
    onset_ms, falls_db, peak, dc = 0.0, 0.0, 0.0, 0.0
    for timbre in material.timbres:
        say(f"measuring {timbre.name} ...")
        point = instrument.timbres[timbre.name]
        keys = [
            key for key in range(timbre.lowest, timbre.highest + 1, 5) if is_trackable(float(key_hz(key)))
        ]
        cents = []
        for key in keys:
            sound = instrument.note(point, key, 0.7)
            settled = sound[int(_SETTLED_S * instrument.sample_rate) :]
            cents.append(tracker.cents(settled, instrument.sample_rate, float(key_hz(key))))
            pitched.append(cents[-1].size >= _LEAST_PITCHED)
            onset_ms = max(onset_ms, _onset_ms(sound, instrument.sample_rate))
            peak, dc = max(peak, float(np.abs(sound).max())), max(dc, abs(float(sound.mean())))
        errors[timbre.name] = np.concatenate(cents)
        falls_db = max(falls_db, _falls_db(instrument, point, 0.5 * (timbre.lowest + timbre.highest)))
    together = pitch_errors(np.concatenate(list(errors.values())))
    medians = {name: pitch_errors(found).median_cents for name, found in errors.items() if found.size}
    worst = max(medians, key=medians.__getitem__, default="")
    distances, late_ms = _beside_real_notes(instrument, material, cache, say)
    return NotesMeasures(
        together.median_cents,
        together.near,
        (worst, medians.get(worst, math.nan)),
        onset_ms,
        late_ms,
        falls_db,
        _step_db(instrument),
        distances,
        peak,
        dc,
        float(np.mean(pitched)),
        tuple(name for name in errors if name not in medians),
    )


def _onset_ms(sound: Audio, sample_rate: int, decibels: float = _HEARD_DB) -> float:
    heard = np.flatnonzero(np.abs(sound) > np.abs(sound).max() * 10.0 ** (decibels / 20.0))
    return 1000.0 * int(heard[0]) / sample_rate if heard.size else float("inf")


def _falls_db(instrument: Instrument, point: Features, key: float) -> float:
    """Return the most that a note struck harder is softer, in dB."""
    loudness = [
        10.0 * np.log10(np.mean(instrument.note(point, key, velocity, 0.5).astype(np.float64) ** 2) + 1e-12)
        for velocity in _VELOCITIES
    ]
    return float(max(0.0, *(np.maximum.accumulate(loudness) - loudness)))


def _step_db(instrument: Instrument) -> float:
    """Return the largest step of any audible level on straight lines between instruments, in dB."""
    rng = np.random.default_rng(_SEED)
    points = list(instrument.timbres.values())
    worst = 0.0
    if instrument.levels is None:
        return worst
    for _ in range(_LINES):
        first, last = rng.choice(len(points), 2, replace=False)
        key, age = (
            rng.uniform(instrument.spec.lowest + 6.0, instrument.spec.highest - 6.0),
            rng.integers(1, 60),
        )
        rows = []
        for part in np.linspace(0.0, 1.0, _POINTS):
            point = ((1.0 - part) * points[first] + part * points[last]).astype(np.float32)
            frames = instrument.frames(point, key, 0.7, 0.4)[:, age : age + 1]
            rows.append(instrument.levels(frames)[0])
        levels = np.stack(rows)
        floor = levels.max() * 10.0 ** (-40.0 / 20.0)
        decibels = 20.0 * np.log10(np.maximum(levels, floor))
        worst = max(worst, float(np.abs(np.diff(decibels, axis=0)).max()))
    return worst


def _beside_real_notes(
    instrument: Instrument, material: NoteMaterial, cache: Path, say: Callable[[str], None]
) -> tuple[dict[str, float], float]:
    """Return how far the instrument is from notes held out, by timbre, and how much later it rises, in ms."""
    say("comparing with notes held out ...")
    found: dict[str, list[float]] = defaultdict(list)
    late_ms: list[float] = []
    rate = instrument.sample_rate
    for note in _held_out(material, instrument.sample_rate, cache):
        timbre = material.timbres[note.timbre]
        held_s = (note.held_samples or note.sound.shape[0]) / instrument.sample_rate
        after_s = note.sound.shape[0] / instrument.sample_rate - held_s
        sound = instrument.note(
            instrument.timbres[timbre.name], note.key, note.velocity, held_s, max(after_s, 0.0)
        )
        gain = np.sqrt(np.mean(sound.astype(np.float64) ** 2) / np.mean(note.sound.astype(np.float64) ** 2))
        late_ms.append(_onset_ms(sound, rate, _RISEN_DB) - _onset_ms(note.sound, rate, _RISEN_DB))
        found[timbre.name].append(multi_resolution_distance(sound, note.sound * np.float32(gain)))
    return {name: float(np.mean(values)) for name, values in found.items()}, float(np.median(late_ms))


def _held_out(material: NoteMaterial, sample_rate: int, cache: Path) -> list[Note]:
    """Return a note of every instrument and key held out: a middle velocity, two seconds at most.

    It is recorded, whoever taught the model.
    """
    chosen: dict[tuple[int, float], Note] = {}
    for note in played(dataclasses.replace(material, teacher=""), sample_rate, cache):
        if not note.held_out or not np.any(note.sound):
            continue
        known = chosen.get((note.timbre, note.key))
        if known is None or abs(note.velocity - 0.7) < abs(known.velocity - 0.7):
            cut = note.sound[: 2 * sample_rate]
            held = None if note.held_samples is None else min(note.held_samples, cut.shape[0])
            chosen[note.timbre, note.key] = Note(note.timbre, note.key, note.velocity, held, cut, True)
    return list(chosen.values())
