"""How far sounds are from each other, and what pitch they have: the measures that models are held to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.core.specs import MelSpec
from synthhost.features.mel import mel_spectrogram

FRAME_S = 0.016
"""Between the frames in which pitch is tracked; the first lies at a sound's begin."""

FFT_SIZES = (256, 512, 1024, 2048, 4096)
_FLOOR = 1e-4  # of full scale: what lies below is not told apart
_SURE = 0.8  # confidence from which on a frame counts as pitched
_TRACKED_HZ = (46.9, 2093.0)
_LOOKED_AT_S, _STRONG = 0.12, 0.25  # of the strongest partial
_FRAMES_AT_ONCE = 512
_HIGHEST_LINE_HZ, _LINE_HZ = 6000.0, 2.5
_BETWEEN_LINES = (0.3, 0.4, 0.6, 0.7)  # where, between two multiples of the frame rate, it is compared with


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
            raise TrainingError(
                "Measuring pitch needs SwiftF0: pip install -e '.[train]' in synthhost's folder."
            ) from error
        self._tracker = SwiftF0(threads=1, spin=False)

    def track(self, sound: Audio, sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return the pitch of every frame of a sound in Hz, and whether it is sure of it, both `[frames]`.

        SwiftF0 reads clean tones octaves too high at some keys; where a strong partial stands an octave
        lower, that is the pitch.
        """
        found = self._tracker.detect(np.asarray(sound, np.float32), sample_rate)
        hertz = _of_the_lowest(np.asarray(found.pitch_hz, np.float64), sound, sample_rate)
        return hertz, np.asarray(found.confidence) > _SURE

    def cents(self, sound: Audio, sample_rate: int, wanted_hz: float) -> NDArray[np.float64]:
        """Return how far each pitched frame of a sound is from a pitch, in cents, `[frames]`."""
        hertz, sure = self.track(sound, sample_rate)
        return np.asarray(1200.0 * np.log2(np.maximum(hertz[sure], 1.0) / wanted_hz))


def _of_the_lowest(hertz: NDArray[np.float64], sound: Audio, sample_rate: int) -> NDArray[np.float64]:
    """Return pitches an octave or two lower where strong partials stand there, `[frames]`."""
    size = 1 << round(np.log2(_LOOKED_AT_S * sample_rate))
    padded = np.pad(np.asarray(sound, np.float32), size // 2)
    begins = np.minimum((np.arange(hertz.size) * FRAME_S * sample_rate).astype(np.int64), sound.shape[0])
    found = hertz.copy()
    for first in range(0, hertz.size, _FRAMES_AT_ONCE):
        some = slice(first, first + _FRAMES_AT_ONCE)
        pieces = np.stack([padded[begin : begin + size] for begin in begins[some]])
        spectra = np.abs(np.fft.rfft(pieces * np.hanning(size), axis=1))
        for _ in range(2):
            found[some] = _an_octave_lower(found[some], spectra, sample_rate / size)
    return found


def _an_octave_lower(
    hertz: NDArray[np.float64], spectra: NDArray[np.float64], apart_hz: float
) -> NDArray[np.float64]:
    """Return half of those pitches, `[frames]`, at which spectra, `[frames, bins]`, hold a strong partial."""
    middle = np.rint(0.5 * hertz / apart_hz).astype(np.int64)
    beside = np.clip(middle[:, None] + np.arange(-1, 2), 0, spectra.shape[1] - 1)
    partial = np.take_along_axis(spectra, beside, 1).max(1)
    lower = (partial >= _STRONG * spectra.max(1)) & (0.5 * hertz > _TRACKED_HZ[0])
    return np.where(lower, 0.5 * hertz, hertz)


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


def frame_rate_comb_db(sound: Audio, sample_rate: int, frame_rate_hz: float, pitch_hz: float = 0.0) -> float:
    """Return how far energy at multiples of the frame rate stands above that between them, in dB.

    A model that makes a tone of its own at every frame stands far above 0; recordings lie near it.

    Args:
        sound: `[samples]`, a second or longer.
        sample_rate: In Hz.
        frame_rate_hz: The model's.
        pitch_hz: Of the sound itself; lines near its harmonics are left out. 0: it has none.
    """
    power = np.abs(np.fft.rfft(np.asarray(sound, np.float64) * np.hanning(sound.shape[0]))) ** 2
    hertz = np.fft.rfftfreq(sound.shape[0], 1.0 / sample_rate)
    count = int(min(_HIGHEST_LINE_HZ, 0.45 * sample_rate) / frame_rate_hz)
    on: list[float] = []
    between: list[float] = []
    for line in range(1, count + 1):
        for place, kept in ((0.0, on), *((offset, between) for offset in _BETWEEN_LINES)):
            middle = (line + place) * frame_rate_hz
            near_harmonic = abs(middle / pitch_hz - round(middle / pitch_hz)) * pitch_hz if pitch_hz else 1e9
            if near_harmonic > _LINE_HZ * 4.0:
                first, last = np.searchsorted(hertz, (middle - _LINE_HZ, middle + _LINE_HZ))
                kept.append(float(power[first : last + 1].mean()))
    if not on or not between:
        return 0.0
    return float(10.0 * np.log10((np.mean(on) + 1e-20) / (np.mean(between) + 1e-20)))


def log_mel_distance(one: Audio, other: Audio, sample_rate: int) -> float:
    """Return the mean difference of log mel bands in nats, 80 bands to 8 kHz; both `[samples]`, as long."""
    spec = MelSpec(
        "jik876", sample_rate, 1024, 256, 1024, 80, 0.0, min(8000.0, sample_rate / 2.0), "ln", 1e-5
    )
    size = min(one.shape[0], other.shape[0])
    first, second = (mel_spectrogram(np.asarray(sound[:size], np.float32), spec) for sound in (one, other))
    return float(np.abs(first - second).mean())
