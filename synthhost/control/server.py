"""The OSC server: one thread receives, decodes and hands over; nothing waits, nothing grows without bound.

A second thread for decoding would make receiving slower, not faster: in one interpreter a receiver beside a
busy decoder waits up to a switch interval (5 ms) for every datagram. So the one thread first empties the
sockets into a bounded backlog, then handles a small slice of it, and looks at the sockets again.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, TypeAlias

from synthhost.control.codec import decode
from synthhost.control.connections import Connection
from synthhost.control.packets import MAX_TCP_BYTES, MAX_UDP_BYTES, OscMessage
from synthhost.control.replies import ErrorReplies, ReplyPath, UdpPath
from synthhost.control.sockets import dropped_datagrams, granted_buffer_bytes, open_pair
from synthhost.core.errors import OscError

Handler: TypeAlias = Callable[[list[OscMessage], ReplyPath, float], None]
"""Takes the messages of one packet, the way back, and the monotonic second at which it was received."""

MAX_CONNECTIONS = 32
_BACKLOG_PACKETS = 100_000
_BACKLOG_BYTES = 64 << 20
_SLICE_PACKETS = 64  # handled in one call, ...
_SLICE_S = 0.002  # ... and for how long, when packets are costly
_LOOK_EVERY = 4  # packets between two looks at the UDP socket: unprivileged buffers hold a few hundred
_DATAGRAMS_PER_LOOK = 256  # so that a flood leaves time to handle some of it


class OscServer:
    """Receives OSC over UDP and TCP on one port.

    Attributes:
        port: The port that was opened.
        packets: Packets received.
        malformed: Packets that were not OSC, or broke their framing.
        messages: Messages handed over.
        overflowed: Packets dropped because the backlog was full.
        errors: Counts and paces what is told to senders.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 9000) -> None:
        """Open the port.

        Raises:
            OscError: The port is taken or the host is not one of this machine's.
        """
        self._udp, self._listener = open_pair(host, port)
        self.port: int = self._udp.getsockname()[1]
        self.packets = 0
        self.malformed = 0
        self.messages = 0
        self.overflowed = 0
        self.errors = ErrorReplies()
        self._connections: set[Connection] = set()
        self._backlog: deque[tuple[bytes, Any, float]] = deque()  # packet, peer or connection, arrival
        self._backlog_bytes = 0
        self._datagram = memoryview(bytearray(1 << 16))
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._udp, selectors.EVENT_READ, self._receive_datagrams)
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)

    @property
    def buffer_bytes(self) -> int:
        """Return the receive buffer the system granted."""
        return granted_buffer_bytes(self._udp)

    @property
    def dropped(self) -> int:
        """Return how many datagrams were lost: dropped by the system, or by us with a full backlog."""
        return dropped_datagrams(self._udp) + self.overflowed

    def serve(self, handler: Handler, timeout_s: float) -> int:
        """Receive everything that has arrived and handle a slice of it; return the packets still waiting.

        Waits up to `timeout_s` for the first packet when none is waiting.
        """
        for ready, _ in self._selector.select(0.0 if self._backlog else timeout_s):
            ready.data()
        ends_s = time.monotonic() + _SLICE_S
        for handled in range(min(_SLICE_PACKETS, len(self._backlog))):
            if handled % _LOOK_EVERY == _LOOK_EVERY - 1:
                self._receive_datagrams()
                if time.monotonic() > ends_s:
                    break
            packet, sender, arrived_s = self._backlog.popleft()
            self._backlog_bytes -= len(packet)
            self._handle(handler, packet, sender, arrived_s)
        for connection in list(self._connections):
            connection.push_out()
            if not connection.open:
                self._drop(connection)
        return len(self._backlog)

    def path_to(self, path: ReplyPath, port: int) -> ReplyPath:
        """Return the path to a UDP port of a client's host, or the client's own for port 0."""
        if port == 0:
            return path
        return UdpPath((path.peer[0], port, *path.peer[2:]), self._udp)

    def close(self) -> None:
        """Close the port and every connection."""
        for connection in list(self._connections):
            self._drop(connection)
        self._selector.close()
        self._udp.close()
        self._listener.close()

    def _handle(self, handler: Handler, packet: bytes, sender: Any, arrived_s: float) -> None:
        over_tcp = isinstance(sender, Connection)
        path: ReplyPath = sender if over_tcp else UdpPath(sender, self._udp)
        try:
            messages = decode(packet, MAX_TCP_BYTES if over_tcp else MAX_UDP_BYTES)
        except OscError as error:
            self._complain(path, error)
            return
        self.messages += len(messages)
        handler(messages, path, arrived_s)

    def _complain(self, path: ReplyPath, error: OscError) -> None:
        self.malformed += 1
        self.errors.send(path, "", str(error), time.monotonic())

    def _queue(self, packet: bytes, sender: Any) -> None:
        self.packets += 1
        if len(self._backlog) >= _BACKLOG_PACKETS or self._backlog_bytes >= _BACKLOG_BYTES:
            self.overflowed += 1
            return
        self._backlog.append((packet, sender, time.monotonic()))
        self._backlog_bytes += len(packet)

    def _receive_datagrams(self) -> None:
        datagram = self._datagram
        receive = self._udp.recvfrom_into
        for _ in range(_DATAGRAMS_PER_LOOK):
            try:
                size, peer = receive(datagram)
            except BlockingIOError:
                return
            except OSError:  # an earlier answer met a closed port; the next datagram is unharmed
                continue
            self._queue(bytes(datagram[:size]), peer)

    def _accept(self) -> None:
        try:
            client, peer = self._listener.accept()
        except OSError:  # gone again, or no file handle left: the client sees a closed connection
            return
        if len(self._connections) >= MAX_CONNECTIONS:
            client.close()
            return
        connection = Connection(client, peer)
        self._connections.add(connection)
        self._selector.register(client, selectors.EVENT_READ, lambda: self._receive_stream(connection))

    def _receive_stream(self, connection: Connection) -> None:
        try:
            for packet in connection.receive():
                self._queue(packet, connection)
        except OscError as error:
            self.packets += 1
            self._complain(connection, error)
            connection.open = False

    def _drop(self, connection: Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        self._connections.discard(connection)
        with contextlib.suppress(OSError):
            connection.socket.shutdown(socket.SHUT_RDWR)
        connection.close()
