"""How OSC packets are cut out of a TCP stream: a length in front (1.0) or SLIP with double END (1.1)."""

from __future__ import annotations

import re
import struct
from types import MappingProxyType

from synthhost.control.packets import MAX_TCP_BYTES
from synthhost.core.errors import OscError

_END = b"\xc0"
_ESCAPES = re.compile(rb"\xdb(.?)", re.DOTALL)
_MEANING = MappingProxyType({b"\xdc": b"\xc0", b"\xdd": b"\xdb"})
_READ_BYTES = 1 << 16  # room for the start of the next packet, read together with the end of this one
_LENGTH = struct.Struct(">i")


class Deframer:
    """Collects the bytes of one connection and hands out whole packets.

    The first byte decides: 0xC0 begins SLIP; as a length it would be negative, so nothing is lost by that.
    """

    def __init__(self, limit_bytes: int = MAX_TCP_BYTES) -> None:
        self._limit_bytes = limit_bytes
        self._pending = bytearray()
        self.slip: bool | None = None  # None until the first byte came

    def feed(self, piece: bytes) -> list[bytes]:
        """Take what arrived, any number of bytes, and return the packets it completes.

        Raises:
            OscError: The stream is broken or a packet too large; the connection should be closed.
        """
        self._pending += piece
        if self.slip is None and self._pending:
            self.slip = self._pending[:1] == _END
        if not self.slip:
            return self._from_lengths()
        return self._from_slip(ended=_END in piece)

    def _from_lengths(self) -> list[bytes]:
        packets: list[bytes] = []
        at = 0
        while len(self._pending) - at >= _LENGTH.size:
            (size,) = _LENGTH.unpack_from(self._pending, at)
            if not 0 < size <= self._limit_bytes:
                raise OscError(f"a TCP packet says it has {size} bytes; 1 to {self._limit_bytes} are taken.")
            stop = at + _LENGTH.size + size
            if stop > len(self._pending):
                break
            packets.append(bytes(self._pending[at + _LENGTH.size : stop]))
            at = stop
        del self._pending[:at]
        return packets

    def _from_slip(self, ended: bool) -> list[bytes]:
        if len(self._pending) > 2 * self._limit_bytes + _READ_BYTES:
            raise OscError(f"a SLIP packet does not end within {self._limit_bytes} bytes.")
        if not ended:  # keeps byte by byte arrival linear
            return []
        *whole, rest = bytes(self._pending).split(_END)
        self._pending = bytearray(rest)
        return [_ESCAPES.sub(_unescape, piece) for piece in whole if piece]


def _unescape(found: re.Match[bytes]) -> bytes:
    meant = _MEANING.get(found[1])
    if meant is None:
        raise OscError(f"a SLIP escape is followed by {found[1]!r}.")
    return meant


def frame(packet: bytes, slip: bool) -> bytes:
    """Return a packet ready for a TCP stream."""
    if slip:
        return _END + packet.replace(b"\xdb", b"\xdb\xdd").replace(b"\xc0", b"\xdb\xdc") + _END
    return _LENGTH.pack(len(packet)) + packet
