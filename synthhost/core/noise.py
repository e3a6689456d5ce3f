"""Counter-based randomness: a value is a pure function of (seed, stream, index), never of call order.

The mixing is SplitMix64 (Steele, Lea, Flood 2014), applied to the counter and keyed by seed and stream.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = (words ^ (words >> np.uint64(30))) * _MIX_A
    words = (words ^ (words >> np.uint64(27))) * _MIX_B
    return words ^ (words >> np.uint64(31))


def _key(seed: int, stream: int) -> NDArray[np.uint64]:
    start = np.array([seed & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64)
    keyed = _mix(start + _GOLDEN)
    return _mix(keyed ^ np.array([stream & 0xFFFFFFFFFFFFFFFF], dtype=np.uint64) * _GOLDEN)


def hashes(seed: int, stream: int, first: int, count: int) -> NDArray[np.uint64]:
    """Return 64 random bits for each index `first .. first + count - 1`, `[count]`."""
    index = np.arange(count, dtype=np.uint64) + np.uint64(first & 0xFFFFFFFFFFFFFFFF)
    return _mix(_mix(index * _GOLDEN + _key(seed, stream)) + _GOLDEN)


def uniforms(seed: int, stream: int, first: int, count: int) -> NDArray[np.float64]:
    """Return values uniform in the open interval (0, 1), `[count]`, by absolute index."""
    bits = hashes(seed, stream, first, count) >> np.uint64(11)
    return (bits.astype(np.float64) + 0.5) * 2.0**-53


def normals(seed: int, stream: int, first: int, count: int) -> NDArray[np.float64]:
    """Return standard normal values, `[count]`, by absolute index (Box-Muller, one of each pair kept)."""
    radius = np.sqrt(-2.0 * np.log(uniforms(seed, 2 * stream, first, count)))
    angle = 2.0 * np.pi * uniforms(seed, 2 * stream + 1, first, count)
    return np.asarray(radius * np.cos(angle), dtype=np.float64)
