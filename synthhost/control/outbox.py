"""The way to the engine: a ring, and a bounded queue before it for when the engine falls behind."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from synthhost.core.errors import OscError
from synthhost.core.messages import Command, encode
from synthhost.core.rings import ByteRing

MAX_WAITING = 100_000  # commands
MAX_TOGETHER = 256
"""Commands of one bundle that are sure to take effect in the same block; a longer one is cut."""

_MAX_WAITING_BYTES = 128 << 20
_RECORD_HEAD_BYTES = 4


class Outbox:
    """Sends bundles of commands in order; what finds no room waits, and beyond a bound is refused."""

    def __init__(self, ring: ByteRing) -> None:
        self._ring = ring
        self._waiting: deque[tuple[int, bytes]] = deque()  # commands in the record, record
        self._waiting_bytes = 0
        self.waiting = 0
        self.refused = 0

    def send(self, commands: Sequence[Command]) -> None:
        """Send commands that take effect together, up to `MAX_TOGETHER` of them.

        Raises:
            OscError: The bundle can never fit the ring, or too many wait already (counted).
        """
        for begin in range(0, len(commands), MAX_TOGETHER):
            self._send_record(commands[begin : begin + MAX_TOGETHER])

    def _send_record(self, commands: Sequence[Command]) -> None:
        record = encode(list(commands))
        if len(record) + _RECORD_HEAD_BYTES > self._ring.capacity_bytes:
            self.refused += len(commands)
            raise OscError(f"a bundle of {len(commands)} commands is too large; send it in parts.")
        if self.waiting + len(commands) > MAX_WAITING or self._waiting_bytes > _MAX_WAITING_BYTES:
            self.refused += len(commands)
            raise OscError("the engine is behind and the queue is full; this was not taken.")
        self._waiting.append((len(commands), record))
        self._waiting_bytes += len(record)
        self.waiting += len(commands)
        self.push_on()

    def push_on(self) -> None:
        """Move what waits into the ring, as far as there is room."""
        while self._waiting and self._has_room(self._waiting[0][1]):
            count, record = self._waiting.popleft()
            self._ring.push(record)
            self._waiting_bytes -= len(record)
            self.waiting -= count

    def _has_room(self, record: bytes) -> bool:
        return self._ring.filled_bytes + len(record) + _RECORD_HEAD_BYTES <= self._ring.capacity_bytes
