"""How far sounds are from each other, and what pitch they have: the measures that models are held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError

FFT_SIZES = (256, 512, 1024, 2048, 4096)
_FLOOR = 1e-4  # of full scale: what lies below is not told apart
_SURE = 0.8  # confidence from which on a frame counts as pitched
_TRACKED_HZ = (46.9, 2093.0)


@dataclass(frozen=True, slots=True)
class PitchErrors:
    """How far a sound's pitch is from what it should be.

    Attributes:
        median_cents: Of the sizes of all errors.
        near: Share of pitched frames within 50 cents.
        frames: That were pitched.
    """

    median_cents: float
    near: float
    frames: int


def multi_resolution_distance(one: Audio, other: Audio) -> float:
    """Return the mean difference of log magnitudes over several windows, in dB; both `[samples]`, as long.

    As the log part of the multi-resolution STFT distance (Yamamoto, Song, Kim 2020), silence left aside.
    """
    size = min(one.shape[0], other.shape[0])
    parts = []
    for fft in FFT_SIZES:
        first, second = (_magnitudes(sound[:size], fft) for sound in (one, other))
        heard = np.maximum(first, second) > _FLOOR
        differ = np.abs(np.log(np.maximum(first, _FLOOR)) - np.log(np.maximum(second, _FLOOR)))
        parts.append(float(differ[heard].mean()) if heard.any() else 0.0)
    return float(np.mean(parts) * 20.0 / np.log(10.0))


def is_trackable(pitch_hz: float) -> bool:
    """Whether the pitch tracker reaches so low and so high."""
    return _TRACKED_HZ[0] * 1.06 < pitch_hz < _TRACKED_HZ[1] / 1.06


class PitchTracker:
    """Follows the pitch of single voices: SwiftF0 (Nieradzik 2025), whose weights come with its package.

    Raises:
        TrainingError: It is not installed.
    """

    def __init__(self) -> None:
        try:
            from swift_f0 import SwiftF0
        except ImportError as error:
            raise TrainingError("Measuring pitch needs SwiftF0: pip install 'synthhost[train]'.") from error
        self._tracker = SwiftF0(threads=1, spin=False)

    def cents(self, sound: Audio, sample_rate: int, wanted_hz: float) -> NDArray[np.float64]:
        """Return how far each pitched frame of a sound is from a pitch, in cents, `[frames]`."""
        found = self._tracker.detect(np.asarray(sound, np.float32), sample_rate)
        pitched = np.asarray(found.confidence) > _SURE
        hertz = np.asarray(found.pitch_hz, np.float64)[pitched]
        return np.asarray(1200.0 * np.log2(np.maximum(hertz, 1.0) / wanted_hz))


def pitch_errors(cents: NDArray[np.float64]) -> PitchErrors:
    """Sum up errors in cents, `[frames]`."""
    if not cents.size:
        return PitchErrors(float("nan"), 0.0, 0)
    sizes = np.abs(cents)
    return PitchErrors(float(np.median(sizes)), float((sizes <= 50.0).mean()), int(cents.size))


def _magnitudes(sound: Audio, fft: int) -> NDArray[np.float64]:
    padded = np.concatenate([np.zeros(fft // 2), np.asarray(sound, np.float64), np.zeros(fft)])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, fft)[:: fft // 4]
    window = np.hanning(fft)
    return np.asarray(np.abs(np.fft.rfft(pieces * window)) * (2.0 / window.sum()))
