"""What can be told of a sound file without ears: level, clipping, mean, silence, clicks, pitch, humming."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.train.distances import PitchTracker, frame_rate_comb_db

_SILENT = 10.0 ** (-70.0 / 20.0)  # of full scale
_FULL = 0.999
_PIECE_S = 0.05
_AROUND_S = 0.004  # on either side of a jump
_JUMPS_BY, _LEAST_JUMP = 12.0, 0.01
_HUM_S = 1.0
_LONGEST_S = 3600.0


@dataclass(frozen=True, slots=True)
class Heard:
    """One sound.

    Attributes:
        seconds: Its length.
        peak_db: The largest sample, in dB of full scale.
        level_db: Root mean square of what is not silent, in dB of full scale.
        clipped: Samples at full scale.
        broken: Samples that are no numbers.
        mean: Of all samples: the largest of its channels.
        sounding: Share of time in which it is louder than -70 dB.
        silence_s: The longest time in which it is not.
        clicks: Jumps from one sample to the next that stand out of the sound around them on both sides.
        pitched: Share of the sounding time with a clear pitch; NaN: nobody followed it.
        cents: How far that is from the nearest key of equal temperament, at the median; NaN: it has none, or
            nobody followed it.
        comb_db: Energy at multiples of its model's frame rate above that between them, at the median over
            sounding seconds; NaN where the rate is not known.
    """

    seconds: float
    peak_db: float
    level_db: float
    clipped: int
    broken: int
    mean: float
    sounding: float
    silence_s: float
    clicks: int
    pitched: float
    cents: float
    comb_db: float


def read_sound(path: Path) -> tuple[Audio, int]:
    """Return a sound file's samples, `[channels, samples]`, and its sample rate.

    Raises:
        TrainingError: It cannot be read, is empty or longer than an hour.
    """
    try:
        with soundfile.SoundFile(path) as file:
            if not 0 < file.frames <= _LONGEST_S * file.samplerate:
                raise TrainingError(f"{path}: {file.frames} samples; an hour at most can be listened to.")
            return np.ascontiguousarray(file.read(dtype="float32", always_2d=True).T), int(file.samplerate)
    except (OSError, soundfile.LibsndfileError) as error:
        raise TrainingError(f"{path}: is no sound file that can be read ({error}).") from error


def listened_to(
    sound: Audio, sample_rate: int, tracker: PitchTracker | None, frame_rate_hz: float | None = None
) -> Heard:
    """Measure a sound, `[channels, samples]`.

    Args:
        sound: With one sample at least.
        sample_rate: In Hz.
        tracker: Of pitch; None leaves pitch out.
        frame_rate_hz: Of the model that made it, if it is known.
    """
    good = np.nan_to_num(sound, nan=0.0, posinf=0.0, neginf=0.0)
    mixed = good.mean(0)
    loud = _loud(good, sample_rate)
    size = max(int(_PIECE_S * sample_rate), 1)
    sounding = np.repeat(loud, size)[: good.shape[1]]
    power = float(np.mean(good[:, sounding].astype(np.float64) ** 2)) if sounding.any() else 0.0
    share = float(loud.mean())
    return Heard(
        good.shape[1] / sample_rate,
        _decibels(float(np.abs(good).max())),
        _decibels(math.sqrt(power)),
        int((np.abs(good) >= _FULL).sum()),
        int((~np.isfinite(sound)).sum()),
        float(np.abs(good.mean(1)).max()),
        share,
        _longest(~loud) * size / sample_rate,
        sum(clicks_in(channel, sample_rate) for channel in good),
        *(_pitch(mixed, sample_rate, tracker, share) if tracker else (math.nan, math.nan)),
        math.nan if frame_rate_hz is None else _comb_db(mixed, sample_rate, frame_rate_hz, sounding),
    )


def _pitch(mixed: Audio, sample_rate: int, tracker: PitchTracker, sounding: float) -> tuple[float, float]:
    """Return the share of the sounding time with a clear pitch, and how far it is from keys, in cents."""
    hertz, sure = tracker.track(mixed, sample_rate)
    keys = 69.0 + 12.0 * np.log2(np.maximum(hertz[sure], 1.0) / 440.0)
    cents = 100.0 * np.abs(keys - np.rint(keys))
    return (
        min(float(sure.mean()) / sounding, 1.0) if sounding and sure.size else 0.0,
        float(np.median(cents)) if cents.size else math.nan,
    )


def clicks_in(channel: Audio, sample_rate: int) -> int:
    """Return how many jumps stand out of what lies before them and behind them, `[samples]`.

    A note's begin is loud behind, and its end before: neither counts.
    """
    steps = np.abs(np.diff(np.asarray(channel, np.float64)))
    size = max(int(_AROUND_S * sample_rate), 2)
    if steps.shape[0] < 2 * size + 3:
        return 0
    sums = np.concatenate(([0.0], np.cumsum(steps**2)))
    places = np.arange(size + 1, steps.shape[0] - size - 1)
    before = (sums[places - 1] - sums[places - 1 - size]) / size
    behind = (sums[places + 2 + size] - sums[places + 2]) / size
    around = np.sqrt(np.maximum(before, behind))
    stands_out = (steps[places] > _JUMPS_BY * around) & (steps[places] > _LEAST_JUMP)
    found = places[stands_out]
    return int(found.size and 1 + (np.diff(found) > size).sum())


def _loud(sound: Audio, sample_rate: int) -> NDArray[np.bool_]:
    """Return which pieces of a twentieth of a second are not silent."""
    size = max(int(_PIECE_S * sample_rate), 1)
    count = -(-sound.shape[1] // size)
    padded = np.pad(np.abs(sound).max(0), (0, count * size - sound.shape[1]))
    return np.asarray(padded.reshape(count, size).max(1) > _SILENT)


def _longest(flags: NDArray[np.bool_]) -> int:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], flags.astype(np.int8), [0]))))
    return int((edges[1::2] - edges[::2]).max()) if edges.size else 0


def _comb_db(sound: Audio, sample_rate: int, frame_rate_hz: float, sounding: NDArray[np.bool_]) -> float:
    size = int(_HUM_S * sample_rate)
    found = [
        frame_rate_comb_db(sound[first : first + size], sample_rate, frame_rate_hz)
        for first in range(0, sound.shape[0] - size + 1, size)
        if sounding[first : first + size].all()
    ]
    return float(np.median(found)) if found else math.nan


def _decibels(linear: float) -> float:
    return 20.0 * math.log10(max(linear, 1e-10))
