"""Writing OSC messages and bundles."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from types import MappingProxyType
from typing import TypeVar

from synthhost.control.packets import Char, Colour, Impulse, Midi, OscArg, Symbol, TimeTag
from synthhost.core.errors import OscError

_STRUCTS = MappingProxyType({"i": ">i", "f": ">f", "h": ">q", "d": ">d", "t": ">Q", "r": ">I", "c": ">I"})
_Kind = TypeVar("_Kind")
_INT32 = range(-(1 << 31), 1 << 31)


def encode(address: str, args: Sequence[OscArg] = (), tags: str | None = None) -> bytes:
    """Return a message as bytes.

    Args:
        address: Where it goes; begins with a slash.
        args: The arguments.
        tags: Their type string without the comma; guessed from the Python types when left out (int becomes
            `i`, or `h` when it needs more than 32 bits; float becomes `f`).

    Raises:
        OscError: An argument does not fit its tag.
    """
    if not address.startswith("/") or "\0" in address:
        raise OscError(f"{address!r} is not an OSC address; it must begin with '/'.")
    if tags is None:
        tags = "".join(_guess(arg) for arg in args)
    try:
        body = b"".join(_pieces(args, tags))
    except (struct.error, TypeError, ValueError, AttributeError, OverflowError, IndexError) as error:
        raise OscError(f"{address}: the arguments {args!r:.80} do not fit the types {tags!r}.") from error
    return _padded(address.encode()) + _padded(b"," + tags.encode()) + body


def encode_bundle(time_tag: int, elements: Sequence[bytes]) -> bytes:
    """Return messages or bundles, already encoded, as one bundle for a 64-bit NTP time tag."""
    sized = [struct.pack(">i", len(element)) + element for element in elements]
    return b"#bundle\0" + struct.pack(">Q", time_tag) + b"".join(sized)


def _guess(arg: OscArg) -> str:
    match arg:
        case bool():
            return "T" if arg else "F"
        case None:
            return "N"
        case Impulse():
            return "I"
        case TimeTag():
            return "t"
        case Colour():
            return "r"
        case int():
            return "i" if arg in _INT32 else "h"
        case float():
            return "f"
        case Symbol():
            return "S"
        case Char():
            return "c"
        case str():
            return "s"
        case Midi():
            return "m"
        case bytes():
            return "b"
        case tuple():
            return "[" + "".join(_guess(inner) for inner in arg) + "]"
    raise OscError(f"{type(arg).__name__} cannot be sent over OSC.")


def _pieces(args: Sequence[OscArg], tags: str) -> list[bytes]:
    """Encode the arguments; the tags walk through nested arrays as they walk through the values."""
    pieces: list[bytes] = []
    open_arrays: list[list[OscArg]] = [list(reversed(args))]  # the next value is the last
    for tag in tags:
        if tag == "[":
            inner = open_arrays[-1].pop()
            if not isinstance(inner, tuple):
                raise TypeError("an array was expected")
            open_arrays.append(list(reversed(inner)))
        elif tag == "]":
            if open_arrays.pop():
                raise ValueError("more values than tags in an array")
        else:
            pieces.append(_piece(open_arrays[-1].pop(), tag))
    if len(open_arrays) != 1 or open_arrays[0]:
        raise ValueError("more values than tags")
    return pieces


def _piece(arg: OscArg, tag: str) -> bytes:
    if tag in "TFNI":
        return b""
    if tag in "sS":
        return _padded(_checked(arg, str).encode())
    if tag == "b":
        blob = _checked(arg, bytes)
        return struct.pack(">i", len(blob)) + blob + bytes(-len(blob) % 4)
    if tag == "m":
        midi = _checked(arg, bytes)
        if len(midi) != 4:
            raise ValueError("a MIDI argument has 4 bytes")
        return bytes(midi)
    form = _STRUCTS.get(tag)
    if form is None:
        raise ValueError(f"no type tag {tag!r}")
    return struct.pack(form, ord(_checked(arg, str)) if tag == "c" else arg)


def _checked(arg: OscArg, kind: type[_Kind]) -> _Kind:
    if not isinstance(arg, kind):
        raise TypeError(f"{kind.__name__} was expected")
    return arg


def _padded(raw: bytes) -> bytes:
    if b"\0" in raw:
        raise ValueError("a string cannot hold a zero byte")
    return raw + bytes(4 - len(raw) % 4)
