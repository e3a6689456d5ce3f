"""Reading a message's arguments: any numeric tag where a number is wanted, else a sentence that says so."""

from __future__ import annotations

import math

from synthhost.control.packets import Colour, OscArg, TimeTag
from synthhost.core.errors import OscError


def count(args: tuple[OscArg, ...], least: int, most: int, wanted: str) -> None:
    """Check how many arguments came.

    Raises:
        OscError: Too few or too many; the sentence says what is wanted.
    """
    if not least <= len(args) <= most:
        raise OscError(f"takes {wanted}, and got {len(args)} argument{'' if len(args) == 1 else 's'}.")


def number(args: tuple[OscArg, ...], at: int = 0) -> float:
    """Return an argument as a finite number.

    Raises:
        OscError: It is no number, or not a finite one.
    """
    value = args[at]
    if not isinstance(value, (int, float)) or isinstance(value, (TimeTag, Colour)):
        raise OscError(f"argument {at + 1} must be a number, and is {_named(value)}.")
    if not math.isfinite(value):
        raise OscError(f"argument {at + 1} is {value}, which is not a value that can be played.")
    return float(value)


def whole(args: tuple[OscArg, ...], at: int, least: int, most: int) -> int:
    """Return an argument as a whole number in a range.

    Raises:
        OscError: It is no number, has a fraction or lies outside.
    """
    value = args[at]
    exact = value if type(value) is int else number(args, at)
    if exact != int(exact) or not least <= exact <= most:
        raise OscError(f"argument {at + 1} must be a whole number from {least} to {most}, and is {exact:g}.")
    return int(exact)


def text(args: tuple[OscArg, ...], at: int, meaning: str) -> str:
    """Return an argument as text.

    Raises:
        OscError: It is not text, or empty.
    """
    value = args[at]
    if not isinstance(value, str) or not value:
        raise OscError(f"argument {at + 1} must be {meaning} as text, and is {_named(value)}.")
    return str(value)


def _named(value: OscArg) -> str:
    names = ((bool, "a truth value"), (str, "text"), (bytes, "a blob"), (tuple, "an array"))
    return next((name for kind, name in names if isinstance(value, kind)), repr(value))
