"""A strict OSC 1.0/1.1 decoder: bounded, total, and fast for the common packets.

Whatever bytes come in, the outcome is a list of messages or an `OscError`; nothing is guessed and no argument
is ever read from outside the packet. An unknown type tag ends the parse, because its size is unknown.
Leniencies, all seen in the field: a missing type string means no arguments, padding bytes may be anything,
and strings that are not UTF-8 are shown with replacement characters.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from synthhost.control.packets import (
    MAX_UDP_BYTES,
    Char,
    Colour,
    Impulse,
    Midi,
    OscArg,
    OscMessage,
    Symbol,
    TimeTag,
)
from synthhost.core.errors import OscError
from synthhost.core.timebase import IMMEDIATELY

MAX_DEPTH = 8
MAX_ELEMENTS = 8192
MAX_ADDRESS_BYTES = 1024

_BUNDLE = b"#bundle\0"
_BUNDLE_HEAD_BYTES = 16
_CACHED_TAGS = 2048  # longer type strings are parsed without the cache, to bound its memory
_SLASH, _COMMA, _HASH = b"/,#"

_INT = struct.Struct(">i")
_UINT = struct.Struct(">I")
_FLOAT = struct.Struct(">f")
_LONG = struct.Struct(">q")
_TAG = struct.Struct(">Q")
_DOUBLE = struct.Struct(">d")


def decode(packet: bytes, limit_bytes: int = MAX_UDP_BYTES) -> list[OscMessage]:
    """Return the messages of a packet in order.

    A nested bundle never happens before the one around it: the later of the two time tags holds.

    Raises:
        OscError: The packet is not OSC; nothing of it should be carried out.
    """
    size = len(packet)
    if size == 0 or size % 4:
        raise OscError(f"a packet of {size} bytes is not OSC: the size must be a multiple of 4.")
    if size > limit_bytes:
        raise OscError(f"a packet of {size} bytes is too large; at most {limit_bytes} are taken.")
    if packet[0] == _SLASH:
        return [_message(packet, 0, size, IMMEDIATELY)]
    reader = _BundleReader(packet)
    reader.element(0, size, IMMEDIATELY, 0)
    return reader.messages


class _BundleReader:
    """Walks nested bundles, counting as it goes."""

    __slots__ = ("_elements", "_packet", "messages")

    def __init__(self, packet: bytes) -> None:
        self._packet = packet
        self._elements = 0
        self.messages: list[OscMessage] = []

    def element(self, start: int, end: int, tag: int, depth: int) -> None:
        first = self._packet[start]
        if first == _SLASH:
            self.messages.append(_message(self._packet, start, end, tag))
        elif first == _HASH:
            self._bundle(start, end, tag, depth)
        else:
            raise OscError(f"byte {start}: a message begins with '/' and a bundle with '#bundle'.")

    def _bundle(self, start: int, end: int, outer_tag: int, depth: int) -> None:
        packet = self._packet
        if depth >= MAX_DEPTH:
            raise OscError(f"bundles are nested more than {MAX_DEPTH} deep; send them one after another.")
        if end - start < _BUNDLE_HEAD_BYTES or packet[start : start + 8] != _BUNDLE:
            raise OscError(f"byte {start}: '#bundle' and a time tag were expected.")
        tag = max(_TAG.unpack_from(packet, start + 8)[0], outer_tag)
        at = start + _BUNDLE_HEAD_BYTES
        while at < end:
            (size,) = _INT.unpack_from(packet, at)
            at += 4
            if size <= 0 or size % 4 or size > end - at:
                raise OscError(f"byte {at - 4}: a bundle element of {size} bytes does not fit its bundle.")
            self._elements += 1
            if self._elements > MAX_ELEMENTS:
                raise OscError(f"more than {MAX_ELEMENTS} elements in one packet; send several packets.")
            self.element(at, at + size, tag, depth + 1)
            at += size


def _message(packet: bytes, start: int, end: int, tag: int) -> OscMessage:
    stop = packet.find(b"\0", start, end)
    if stop < 0 or stop - start > MAX_ADDRESS_BYTES:
        raise OscError(
            f"byte {start}: an address ends with a zero and has at most {MAX_ADDRESS_BYTES} bytes."
        )
    address = _address(packet[start:stop])
    at = (stop + 4) & ~3
    if at >= end or packet[at] != _COMMA:  # old senders leave the type string out
        return OscMessage(address, (), tag)
    stop = packet.find(b"\0", at, end)
    if stop < 0:
        raise OscError(f"{address}: the type string has no end.")
    tags = packet[at + 1 : stop]
    at = (stop + 4) & ~3
    layout = _layout(tags) if len(tags) <= _CACHED_TAGS else None
    if layout is not None:
        if layout.size != end - at:
            raise OscError(f"{address}: {end - at} bytes of arguments, the type string says {layout.size}.")
        return OscMessage(address, layout.unpack_from(packet, at), tag)
    return OscMessage(address, _ArgumentReader(packet, at, end, address).arguments(tags), tag)


@lru_cache(maxsize=2048)
def _address(raw: bytes) -> str:
    try:
        address = raw.decode()
    except UnicodeDecodeError as error:
        raise OscError(f"the address {raw[:80]!r} is not UTF-8.") from error
    if not address.isprintable():
        raise OscError(f"the address {address[:80]!r} has characters that cannot be printed.")
    return address


@lru_cache(maxsize=256)
def _layout(tags: bytes) -> struct.Struct | None:
    """Return one struct for a type string of plain numbers, None for any other."""
    if tags.strip(b"ifhd"):
        return None
    return struct.Struct(">" + tags.decode().replace("h", "q"))


class _ArgumentReader:
    """Reads arguments one tag at a time, never past the end of its message."""

    __slots__ = ("_address", "_at", "_end", "_packet")

    def __init__(self, packet: bytes, at: int, end: int, address: str) -> None:
        self._packet = packet
        self._at = at
        self._end = end
        self._address = address

    def arguments(self, tags: bytes) -> tuple[OscArg, ...]:
        stack: list[list[OscArg]] = [[]]
        for tag in tags.decode("latin-1"):
            if tag == "[":
                if len(stack) > MAX_DEPTH:
                    raise self._error(f"arrays are nested more than {MAX_DEPTH} deep")
                stack.append([])
            elif tag == "]":
                if len(stack) == 1:
                    raise self._error("an array is closed that was never opened")
                inner = tuple(stack.pop())
                stack[-1].append(inner)
            else:
                stack[-1].append(self._argument(tag))
        if len(stack) > 1:
            raise self._error("an array is never closed")
        if self._at != self._end:
            raise self._error(f"{self._end - self._at} bytes are left over after the last argument")
        return tuple(stack[0])

    def _argument(self, tag: str) -> OscArg:
        match tag:
            case "f":
                return float(self._number(_FLOAT))
            case "i":
                return int(self._number(_INT))
            case "s":
                return self._text()
            case "b":
                return self._blob()
            case "T":
                return True
            case "F":
                return False
            case "N":
                return None
            case "I":
                return Impulse.IMPULSE
            case "h":
                return int(self._number(_LONG))
            case "d":
                return float(self._number(_DOUBLE))
            case "t":
                return TimeTag(self._number(_TAG))
            case "S":
                return Symbol(self._text())
            case "c":
                return self._char()
            case "r":
                return Colour(self._number(_UINT))
            case "m":
                return Midi(self._take(4))
        raise self._error(f"the type tag {tag!r} is not known, so the arguments after it cannot be read")

    def _number(self, form: struct.Struct) -> int | float:
        value: int | float = form.unpack(self._take(form.size))[0]
        return value

    def _take(self, size: int) -> bytes:
        start = self._at
        if size > self._end - start:
            raise self._error("the packet ends inside an argument")
        self._at = start + size
        return self._packet[start : self._at]

    def _text(self) -> str:
        stop = self._packet.find(b"\0", self._at, self._end)
        if stop < 0:
            raise self._error("a string has no end")
        raw = self._packet[self._at : stop]
        self._at = (stop + 4) & ~3
        return raw.decode(errors="replace")

    def _blob(self) -> bytes:
        (size,) = _INT.unpack(self._take(4))
        if size < 0:
            raise self._error(f"a blob says it has {size} bytes")
        return self._take((size + 3) & ~3)[:size]

    def _char(self) -> Char:
        (code,) = _UINT.unpack(self._take(4))
        try:
            return Char(chr(code))
        except (ValueError, OverflowError) as error:
            raise self._error(f"{code} is not a character") from error

    def _error(self, what: str) -> OscError:
        return OscError(f"{self._address}: {what}.")
