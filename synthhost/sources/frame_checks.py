"""Refusing frames that a model must never see."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from synthhost.core.arrays import Features
from synthhost.core.errors import FeatureError
from synthhost.core.specs import MelSpec

LARGEST = 50.0
"""No log-mel value lies beyond it; decibels do, and a network would carry such a value for a long time."""


def check_frames(values: ArrayLike, spec: MelSpec) -> Features:
    """Return values as frames, `[bands, frames]`, or say what is wrong with them.

    Args:
        values: `[bands, frames]`, or one frame after another in a flat sequence of `frames * bands`.
        spec: The mel convention of the model that will play them.

    Raises:
        FeatureError: If the bands are not the model's, there is no frame, or a value is no log-mel value.
    """
    try:
        given = np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, OverflowError) as error:
        raise FeatureError(f"mel: not a table of numbers ({error}).") from error
    if given.ndim == 1 and given.size % spec.bands == 0:
        given = given.reshape(-1, spec.bands).T
    if given.ndim != 2 or given.shape[0] != spec.bands:
        raise FeatureError(
            f"mel: expected {spec.bands} bands a frame, got shape {list(given.shape)}. "
            f"Send {spec.bands} values, or a multiple of {spec.bands} for several frames."
        )
    if given.shape[1] == 0:
        raise FeatureError(f"mel: no frame. Send {spec.bands} values a frame.")
    _check_values(given, spec)
    return np.ascontiguousarray(given)


def _check_values(frames: Features, spec: MelSpec) -> None:
    wrong = ~(np.abs(frames) <= LARGEST)  # true for NaN too
    if wrong.any():
        band, frame = (int(place) for place in np.argwhere(wrong)[0])
        logarithm = "natural" if spec.log == "ln" else "base 10"
        raise FeatureError(
            f"mel: {frames[band, frame]} in band {band} of frame {frame} is no log-mel value. "
            f"Send the {logarithm} logarithm of magnitudes, not decibels."
        )
