"""What several models make of the same, measured side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.train.distances import (
    PitchTracker,
    frame_rate_comb_db,
    log_mel_distance,
    multi_resolution_distance,
)
from synthhost.train.pictures import spectrograms


@dataclass(frozen=True, slots=True)
class Likeness:
    """One sound beside the one it should be like.

    Attributes:
        log_mel: Mean difference of log mel bands, in nats.
        spectral_db: Multi-resolution distance of log magnitudes, in dB.
        median_cents: Of pitch differences, where both are pitched; NaN where they never are.
        near: Share of these frames within 50 cents.
        comb_db: Energy at the frame rate above that between, beside the same of the original.
        level_db: Louder than the original, by the root mean square.
        peak: Largest sample.
        dc: Mean of all samples.
    """

    log_mel: float
    spectral_db: float
    median_cents: float
    near: float
    comb_db: float
    level_db: float
    peak: float
    dc: float


def likeness(
    made: Audio, original: Audio, sample_rate: int, frame_rate_hz: float, tracker: PitchTracker
) -> Likeness:
    """Measure a sound against an original of the same rate and length, both `[samples]`."""
    size = min(made.shape[0], original.shape[0])
    made, original = made[:size], original[:size]
    (hertz, sure), (wanted_hz, also) = (tracker.track(sound, sample_rate) for sound in (made, original))
    count = min(hertz.shape[0], wanted_hz.shape[0])
    both = sure[:count] & also[:count]
    cents = np.abs(1200.0 * np.log2(hertz[:count][both] / wanted_hz[:count][both]))
    combs = [frame_rate_comb_db(sound, sample_rate, frame_rate_hz) for sound in (made, original)]
    powers = [float(np.mean(np.asarray(sound, np.float64) ** 2)) + 1e-12 for sound in (made, original)]
    return Likeness(
        log_mel_distance(made, original, sample_rate),
        multi_resolution_distance(made, original),
        float(np.median(cents)) if cents.size else float("nan"),
        float((cents <= 50.0).mean()) if cents.size else 0.0,
        combs[0] - combs[1],
        float(10.0 * np.log10(powers[0] / powers[1])),
        float(np.abs(made).max()),
        float(made.mean()),
    )


def compared(
    sounds: Mapping[str, tuple[Audio, int, float]], original: tuple[Audio, int], picture: Path
) -> dict[str, Likeness]:
    """Measure what models made, by name, and draw all of it under the original.

    Args:
        sounds: Sound, sample rate and frame rate of each.
        original: Sound and sample rate of what they should be like.
        picture: Where it is drawn.

    Raises:
        TrainingError: Nothing was made, or what measures or draws is not installed.
    """
    if not sounds:
        raise TrainingError("There is nothing to compare.")
    tracker = PitchTracker()
    source, rate = original
    found = {
        name: likeness(sound, _at(source, rate, own_rate), own_rate, frame_rate_hz, tracker)
        for name, (sound, own_rate, frame_rate_hz) in sounds.items()
    }
    shown = {"original": (source, rate), **{name: each[:2] for name, each in sounds.items()}}
    spectrograms(shown, picture)
    return found


def _at(sound: Audio, from_rate: int, to_rate: int) -> Audio:
    if from_rate == to_rate:
        return sound
    return np.asarray(soxr.resample(sound, from_rate, to_rate), dtype=np.float32)
