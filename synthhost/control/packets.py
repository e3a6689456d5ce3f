"""What an OSC packet holds, as Python values.

Plain Python types stand for the common tags (int for `i` and `h`, float for `f` and `d`, str for `s`, bytes
for `b`, True, False, None, a tuple for `[ ]`); the rarer tags have small types of their own here, so that
what was decoded can be encoded again.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple, TypeAlias

from synthhost.core.timebase import IMMEDIATELY

MAX_UDP_BYTES = 65_507
"""The largest packet UDP over IPv4 can carry."""

MAX_TCP_BYTES = 1 << 20
"""The largest packet taken from a TCP connection."""


class TimeTag(int):
    """A 64-bit NTP time as an argument (`t`)."""

    __slots__ = ()


class Symbol(str):
    """An alternative string (`S`)."""

    __slots__ = ()


class Char(str):
    """One character (`c`)."""

    __slots__ = ()


class Colour(int):
    """32 bits of red, green, blue, alpha (`r`)."""

    __slots__ = ()


class Midi(bytes):
    """Port, status and two bytes of a MIDI message (`m`)."""

    __slots__ = ()


class Impulse(Enum):
    """The argument that only says "now" (`I`)."""

    IMPULSE = "I"


OscArg: TypeAlias = "int | float | str | bytes | bool | Impulse | tuple[OscArg, ...] | None"


class OscMessage(NamedTuple):
    """One message: where it goes, what it says, and the time tag of the innermost bundle around it."""

    address: str
    args: tuple[OscArg, ...] = ()
    time_tag: int = IMMEDIATELY
