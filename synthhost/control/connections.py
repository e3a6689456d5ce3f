"""One TCP client: its framing, and answers that wait for a slow reader up to a bound."""

from __future__ import annotations

import socket
from collections.abc import Hashable
from typing import Any

from synthhost.control.framing import Deframer, frame

_READ_BYTES = 1 << 16
_MAX_WAITING_BYTES = 1 << 20


class Connection:
    """A connected client; also the path its answers take."""

    def __init__(self, client: socket.socket, peer: tuple[Any, ...]) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = client
        self.peer = peer
        self.open = True
        self._deframer = Deframer()
        self._waiting = bytearray()

    @property
    def key(self) -> Hashable:
        """Return what tells this client from others."""
        return ("tcp", *self.peer)

    def receive(self) -> list[bytes]:
        """Return the packets completed by what has arrived; `open` turns False at the end of the stream.

        Raises:
            OscError: The framing is broken; close the connection.
        """
        try:
            piece = self.socket.recv(_READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            piece = b""
        if not piece:
            self.open = False
            return []
        return self._deframer.feed(piece)

    def send(self, packet: bytes) -> bool:
        """Send a packet without waiting; False when the client is gone or reads too slowly."""
        framed = frame(packet, bool(self._deframer.slip))
        if not self.open or len(self._waiting) + len(framed) > _MAX_WAITING_BYTES:
            return False
        self._waiting += framed
        self.push_out()
        return self.open

    def push_out(self) -> None:
        """Send what waits, as far as the client takes it now."""
        if not self._waiting:
            return
        try:
            sent = self.socket.send(self._waiting)
        except BlockingIOError:
            return
        except OSError:
            self.open = False
            return
        del self._waiting[:sent]

    def close(self) -> None:
        """Close the connection."""
        self.open = False
        self.socket.close()
