"""Numbers a person gives to a render, checked with a sentence that names them."""

from __future__ import annotations

import math
import warnings
from numbers import Integral, Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthhost.core.errors import FeatureError


def whole(name: str, value: object, lowest: int, highest: int) -> int:
    """Return a value as a whole number.

    Raises:
        FeatureError: It is none, or lies outside the range.
    """
    if isinstance(value, bool) or not isinstance(value, Integral) or not lowest <= int(value) <= highest:
        raise FeatureError(f"{name} is {value!r}; give a whole number from {lowest} to {highest}.")
    return int(value)


def finite(name: str, value: object, lowest: float, highest: float) -> float:
    """Return a value as a number.

    Raises:
        FeatureError: It is none, not finite, or lies outside the range.
    """
    fits = isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)
    if not fits or not lowest <= float(value) <= highest:  # type: ignore[arg-type]
        raise FeatureError(f"{name} is {value!r}; give a number from {lowest:g} to {highest:g}.")
    return float(value)  # type: ignore[arg-type]


def float32_array(name: str, values: ArrayLike, wanted: str) -> NDArray[np.float32]:
    """Return anything that is an array of real numbers as float32; what float32 cannot hold is infinite.

    Raises:
        FeatureError: It is none.
    """
    try:
        with np.errstate(over="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error")  # complex numbers would lose a half without a word
            return np.asarray(values, dtype=np.float32)
    except (TypeError, ValueError, RuntimeError, Warning) as error:
        raise FeatureError(f"{name} is no array of real numbers ({error}); {wanted}.") from error
