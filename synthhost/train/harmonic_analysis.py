"""Takes single notes apart into harmonics and noise bands, frame by frame: what a note model learns from.

A long window of eight periods tells harmonics from the noise between them; a short one tells how loud the
sound is at that moment, so that attacks stay sharp. After sinusoidal modelling with a stochastic part (Serra
and Smith 1990); the stretching of partials follows stiff strings (Fletcher 1964).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.note_frames import band_edges_hz

_PERIODS = 8.0
_LEAST_WINDOW_S, _MOST_WINDOW_S = 0.02, 0.25
_SHORT_PERIODS, _LEAST_SHORT_S = 2.0, 0.006
_LOBE = 2.0 / _PERIODS  # half the width of a window's main lobe, in fundamentals
_BETWEEN = 0.15  # how far around the middle between two harmonics noise is looked for, in fundamentals
_SHARPEST = 8.0  # what the short window may add, linear
_CENTS = np.arange(-45.0, 46.0, 1.5)
_STRETCHES = np.concatenate([[0.0], np.geomspace(2e-5, 2e-3, 15)])
_TUNED_PARTIALS = 16
_TUNED_FROM_S, _TUNED_S = 0.05, 0.5
_FLOOR = 1e-7


@dataclass(frozen=True, slots=True)
class NoteFrames:
    """A note taken apart.

    Attributes:
        pitch_hz: Of its fundamental.
        stretch: Partial k lies at `k * pitch_hz * sqrt(1 + stretch * k**2)`.
        harmonics: Amplitudes, `[harmonics, frames]`, linear.
        noise: Root mean squares of the noise bands, `[bands, frames]`, linear.
    """

    pitch_hz: float
    stretch: float
    harmonics: NDArray[np.float32]
    noise: NDArray[np.float32]


def partial_places(count: int, stretch: float) -> NDArray[np.float64]:
    """Return where partials lie, `[count]`, in fundamentals."""
    k = np.arange(1, count + 1, dtype=np.float64)
    return np.asarray(k * np.sqrt(1.0 + stretch * k * k))


def tuned(sound: Audio, pitch_hz: float, sample_rate: int) -> tuple[float, float]:
    """Return the pitch in Hz and the stretch that a note really has, near the pitch it is said to have."""
    begin = int(_TUNED_FROM_S * sample_rate)
    part = np.asarray(sound[begin : begin + int(_TUNED_S * sample_rate)], dtype=np.float64)
    if part.shape[0] < 1024 or not np.any(part):
        return pitch_hz, 0.0
    size = 1 << 17
    spectrum = np.abs(np.fft.rfft(part * np.hanning(part.shape[0]), size))
    count = int(np.clip(0.45 * sample_rate / pitch_hz, 1, _TUNED_PARTIALS))
    pitches = pitch_hz * 2.0 ** (_CENTS / 1200.0)
    best = (-1.0, pitch_hz, 0.0)
    for stretch in _STRETCHES if count > 4 else _STRETCHES[:1]:
        bins = np.rint(pitches[:, None] * partial_places(count, stretch) * size / sample_rate).astype(int)
        scores = np.sqrt(spectrum[np.minimum(bins, size // 2)]).sum(1)
        at = int(np.argmax(scores))
        if scores[at] > 1.01 * best[0]:  # a stretch must be worth it
            best = float(scores[at]), float(pitches[at]), float(stretch)
    return best[1], best[2]


class Analysis:
    """Takes notes apart at one rate.

    Args:
        sample_rate: Of the sounds, in Hz.
        harmonics: How many are looked for.
        bands: Of noise.
    """

    def __init__(self, sample_rate: int, harmonics: int, bands: int) -> None:
        self._rate = sample_rate
        self._harmonics = harmonics
        edges = band_edges_hz(bands, sample_rate)
        self._middles_hz = 0.5 * (edges[1:] + edges[:-1])
        self._widths = (edges[1:] - edges[:-1]) / (sample_rate / 2.0)

    def frames(self, sound: Audio, pitch_hz: float, at: NDArray[np.int64]) -> NoteFrames:
        """Take a note apart at some samples.

        Args:
            sound: Mono, `[samples]`.
            pitch_hz: It is said to have.
            at: The samples, `[frames]`.
        """
        pitch_hz, stretch = tuned(sound, pitch_hz, self._rate)
        seconds = float(np.clip(_PERIODS / pitch_hz, _LEAST_WINDOW_S, _MOST_WINDOW_S))
        power, energies = self._spectra(sound, at, seconds)
        bins_a_fundamental = pitch_hz * 2 * (energies.shape[1] - 1) / self._rate
        noise = self._noise_density(energies, bins_a_fundamental)
        harmonics = self._harmonic_powers(energies, noise, bins_a_fundamental, stretch)
        short_s = max(_SHORT_PERIODS / pitch_hz, _LEAST_SHORT_S)
        short = _powers(sound, at, int(short_s * self._rate))
        louder = np.sqrt(np.clip(short / np.maximum(power, _FLOOR**2), 0.0, _SHARPEST**2))
        bands = self._bands(noise, bins_a_fundamental, energies.shape[1])
        return NoteFrames(
            pitch_hz,
            stretch,
            (np.sqrt(2.0 * harmonics).T * louder).astype(np.float32),
            (np.sqrt(bands).T * louder).astype(np.float32),
        )

    def _spectra(
        self, sound: Audio, at: NDArray[np.int64], seconds: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the mean square under long windows, `[frames]`, and what each bin has of it, twice-sided."""
        size = int(seconds * self._rate)
        window = np.hanning(size + 2)[1:-1]
        pieces = _around(sound, at, size)
        fft = 1 << (size - 1).bit_length()
        spectra = np.abs(np.fft.rfft(pieces * window, fft)) ** 2
        share = spectra / (fft * (window**2).sum())  # so that both sides sum to the mean square
        return (pieces**2 * window**2).sum(1) / (window**2).sum(), share

    def _noise_density(self, energies: NDArray[np.float64], fundamental: float) -> NDArray[np.float64]:
        """Return the mean energy of a bin midway between harmonics, `[frames, harmonics + 1]`."""
        bins = energies.shape[1]
        sums = np.concatenate([np.zeros((energies.shape[0], 1)), np.cumsum(energies, 1)], 1)
        middles = (np.arange(self._harmonics + 1) + 0.5) * fundamental
        first = np.clip(np.floor(middles - _BETWEEN * fundamental).astype(int), 0, bins - 1)
        last = np.clip(np.ceil(middles + _BETWEEN * fundamental).astype(int) + 1, first + 1, bins)
        density: NDArray[np.float64] = (sums[:, last] - sums[:, first]) / (last - first)
        return density

    def _harmonic_powers(
        self,
        energies: NDArray[np.float64],
        noise: NDArray[np.float64],
        fundamental: float,
        stretch: float,
    ) -> NDArray[np.float64]:
        """Return the mean square of every harmonic, half its squared amplitude, `[frames, harmonics]`."""
        frames, bins = energies.shape
        powers = np.zeros((frames, self._harmonics))
        lobe = max(int(np.ceil(_LOBE * fundamental)), 2)
        around = np.arange(-lobe, lobe + 1)
        search = np.arange(-max(int(0.15 * fundamental), 1), max(int(0.15 * fundamental), 1) + 1)
        rows = np.arange(frames)[:, None]
        for index, place in enumerate(partial_places(self._harmonics, stretch) * fundamental):
            middle = round(place)
            if middle + lobe + search[-1] >= bins - 1:
                break
            peaks = middle + search[np.argmax(energies[:, middle + search], 1)]
            lobes = energies[rows, np.maximum(peaks[:, None] + around, 0)].sum(1)
            floor = np.minimum(noise[:, index], noise[:, index + 1]) * around.shape[0]
            powers[:, index] = 2.0 * np.maximum(lobes - floor, 0.0)
        return powers

    def _bands(self, noise: NDArray[np.float64], fundamental: float, bins: int) -> NDArray[np.float64]:
        """Return the mean square of every noise band, `[frames, bands]`."""
        fft = 2 * (bins - 1)
        places_hz = (np.arange(self._harmonics + 1) + 0.5) * fundamental * self._rate / fft
        known = int(np.searchsorted(places_hz, self._rate / 2.0))
        density = np.log(np.maximum(noise[:, :known], _FLOOR**2 / fft))
        rows = [np.interp(self._middles_hz, places_hz[:known], row) for row in density]
        return np.asarray(np.exp(np.stack(rows)) * self._widths * fft)


def _around(sound: Audio, at: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    """Return pieces of a sound around some samples, `[frames, size]`; silence lies outside of it."""
    padded = np.concatenate([np.zeros(size), np.asarray(sound, dtype=np.float64), np.zeros(size)])
    first = np.minimum(at, sound.shape[0]) + size - size // 2
    return padded[first[:, None] + np.arange(size)]


def _powers(sound: Audio, at: NDArray[np.int64], size: int) -> NDArray[np.float64]:
    window = np.hanning(size + 2)[1:-1]
    return np.asarray((_around(sound, at, size) ** 2 * window).sum(1) / window.sum())
