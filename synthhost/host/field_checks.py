"""Whether the fields of a message or a plan that was read from a file hold what they are declared to hold."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import fields
from types import MappingProxyType
from typing import Any

import numpy as np

LARGEST_WHOLE = 1 << 62


def wrong_field(record: Any) -> str | None:
    """Return what is wrong with the first unfit field of a dataclass instance, or None."""
    for field in fields(record):
        value = getattr(record, field.name)
        fits = _FITS.get(str(field.type))
        if fits is not None and not fits(value):
            return f"{field.name} is {value!r:.60}, which is no {field.type}"
    return None


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < LARGEST_WHOLE


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_mapping(value: Any) -> bool:
    return isinstance(value, dict)


def _is_frames(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and bool(np.isfinite(value).all())


_FITS: MappingProxyType[str, Callable[[Any], bool]] = MappingProxyType(
    {
        "int": _is_whole,
        "int | None": lambda value: value is None or _is_whole(value),
        "float": _is_number,
        "float | None": lambda value: value is None or _is_number(value),
        "tuple[float, ...] | None": lambda value: value is None or all(map(_is_number, value)),
        "str": _is_text,
        "str | None": lambda value: value is None or _is_text(value),
        "dict[str, Any]": _is_mapping,
        "dict[str, int]": lambda value: _is_mapping(value) and all(map(_is_whole, value.values())),
        "dict[str, str]": lambda value: _is_mapping(value) and all(map(_is_text, value.values())),
        "Features": _is_frames,
        "OptionValue": lambda value: _is_text(value) or _is_number(value),
    }
)
