"""Which id stands for which amplitude, and which amplitude for which id, in networks that draw ids."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def amplitude_ids(
    sound: Any, ids: int, levels: float, companding: float = 0.0, emphasis: float = 0.0
) -> NDArray[np.int64]:
    """Return the nearest ids of a sound, of any shape; with emphasis `[samples]`.

    Args:
        sound: Within -1 to 1; what lies beyond becomes the outermost ids.
        ids: How many there are.
        levels: Ids 0 to `levels` stand for -1 to 1.
        companding: mu of the mu-law; 0: none.
        emphasis: Of what a de-emphasis with this pole undoes; 0: none.
    """
    heard = np.asarray(sound, np.float64)
    if emphasis:
        heard = heard - emphasis * np.concatenate(([0.0], heard[:-1]))
    if companding:
        heard = np.sign(heard) * np.log1p(companding * np.abs(heard)) / np.log1p(companding)
    nearest = np.rint((heard + 1.0) * 0.5 * levels)
    return np.asarray(np.clip(nearest, 0, ids - 1), np.int64)


def amplitudes(ids: NDArray[np.int64], levels: float, companding: float = 0.0) -> NDArray[np.float64]:
    """Return what ids stand for, of any shape, without de-emphasis.

    Args:
        ids: They.
        levels: Ids 0 to `levels` stand for -1 to 1.
        companding: mu of the mu-law; 0: none.
    """
    heard = 2.0 * ids.astype(np.float64) / levels - 1.0
    if companding:
        heard = np.sign(heard) * np.expm1(np.abs(heard) * np.log1p(companding)) / companding
    return heard
