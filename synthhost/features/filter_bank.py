"""Triangular mel filter banks on the Slaney scale (Auditory Toolbox, 1998), normalised to equal area.

The scale is linear below 1 kHz and logarithmic above; it is what librosa calls `htk=False, norm="slaney"`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthhost.core.specs import MelSpec

_HZ_PER_MEL = 200.0 / 3.0  # below the knee
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0  # above the knee: 27 mels from 1 kHz to 6.4 kHz


def hz_to_mel(hz: ArrayLike) -> NDArray[np.float64]:
    """Return Slaney mels for frequencies in Hz, any shape."""
    frequency = np.asarray(hz, dtype=np.float64)
    above = _KNEE_MEL + np.log(np.maximum(frequency, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(frequency < _KNEE_HZ, frequency / _HZ_PER_MEL, above)


def mel_to_hz(mel: ArrayLike) -> NDArray[np.float64]:
    """Return frequencies in Hz for Slaney mels, any shape."""
    mels = np.asarray(mel, dtype=np.float64)
    above = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mels < _KNEE_MEL, mels * _HZ_PER_MEL, above)


def band_edges_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the triangles' corners, `[bands + 2]`: band b rises from b, peaks at b + 1, ends at b + 2."""
    low, high = hz_to_mel(spec.fmin_hz), hz_to_mel(spec.fmax_hz)
    return mel_to_hz(np.linspace(low, high, spec.bands + 2))


def band_centres_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the frequency each band peaks at, `[bands]`."""
    return band_edges_hz(spec)[1:-1]


def hz_to_band(spec: MelSpec, hz: ArrayLike) -> NDArray[np.float64]:
    """Return fractional band indices for frequencies in Hz, any shape.

    Band b's centre maps to exactly b; below the first centre the index is negative, above the last it
    exceeds `bands - 1`.
    """
    low, high = hz_to_mel(spec.fmin_hz), hz_to_mel(spec.fmax_hz)
    return (hz_to_mel(hz) - low) / (high - low) * (spec.bands + 1) - 1.0


def filter_bank(spec: MelSpec) -> NDArray[np.float64]:
    """Return the weights of each band over the spectrum's bins, `[bands, n_fft // 2 + 1]`."""
    bins_hz = np.linspace(0.0, spec.sample_rate / 2.0, spec.n_fft // 2 + 1)
    edges = band_edges_hz(spec)
    rising, falling = _rising(bins_hz, edges), _falling(bins_hz, edges)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def _rising(bins_hz: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return (bins_hz[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]


def _falling(bins_hz: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return (edges[2:, None] - bins_hz[None, :]) / np.diff(edges)[1:, None]
