"""Triangular mel filter banks, spread on a convention's scale and weighed as it weighs them."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthhost.core.mel_conventions import convention_of
from synthhost.core.specs import MelSpec
from synthhost.features.mel_scales import hz_to_mel, mel_to_hz


def band_edges_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the triangles' corners, `[bands + 2]`: band b rises from b, peaks at b + 1, ends at b + 2."""
    scale = convention_of(spec).scale
    low, high = hz_to_mel(spec.fmin_hz, scale), hz_to_mel(spec.fmax_hz, scale)
    return mel_to_hz(np.linspace(low, high, spec.bands + 2), scale)


def band_centres_hz(spec: MelSpec) -> NDArray[np.float64]:
    """Return the frequency each band peaks at, `[bands]`."""
    return band_edges_hz(spec)[1:-1]


def hz_to_band(spec: MelSpec, hz: ArrayLike) -> NDArray[np.float64]:
    """Return fractional band indices for frequencies in Hz, any shape.

    Band b's centre maps to exactly b; below the first centre the index is negative, above the last it
    exceeds `bands - 1`.

    [render thread]
    """
    scale = convention_of(spec).scale
    low, high = hz_to_mel(spec.fmin_hz, scale), hz_to_mel(spec.fmax_hz, scale)
    return (hz_to_mel(hz, scale) - low) / (high - low) * (spec.bands + 1) - 1.0


def filter_bank(spec: MelSpec) -> NDArray[np.float64]:
    """Return the weights of each band over the spectrum's bins, `[bands, n_fft // 2 + 1]`.

    A triangle peaks at 1, or has an area of 1 in Hz where the convention says so (librosa's
    `norm="slaney"`).
    """
    bins_hz = np.linspace(0.0, spec.sample_rate / 2.0, spec.n_fft // 2 + 1)
    edges = band_edges_hz(spec)
    rising, falling = _rising(bins_hz, edges), _falling(bins_hz, edges)
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    if not convention_of(spec).equal_area:
        return triangles
    return triangles * (2.0 / (edges[2:] - edges[:-2]))[:, None]


def _rising(bins_hz: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return (bins_hz[None, :] - edges[:-2, None]) / np.diff(edges)[:-1, None]


def _falling(bins_hz: NDArray[np.float64], edges: NDArray[np.float64]) -> NDArray[np.float64]:
    return (edges[2:, None] - bins_hz[None, :]) / np.diff(edges)[1:, None]
