"""Answers to clients: where they go, which types they use, and how often errors are told."""

from __future__ import annotations

import socket
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, Protocol

from synthhost.control.encoding import encode
from synthhost.control.packets import OscArg

_INT32 = range(-(1 << 31), 1 << 31)
_MAX_REASON = 400  # characters
_MAX_SENDERS = 256
_ERRORS_PER_SECOND = 10.0


class ReplyPath(Protocol):
    """The way back to one client; equal for packets of the same client."""

    @property
    def key(self) -> Hashable:
        """Return what tells this client from others."""

    @property
    def peer(self) -> tuple[Any, ...]:
        """Return the client's address as the socket gave it."""

    def send(self, packet: bytes) -> bool:
        """Send a packet without waiting; False when it could not be sent."""


@dataclass(frozen=True, slots=True)
class UdpPath:
    """Answers to the port a datagram came from."""

    peer: tuple[Any, ...]  # as the socket gave it
    socket: socket.socket = field(compare=False, repr=False)

    @property
    def key(self) -> Hashable:
        """Return the peer's address."""
        return self.peer

    def send(self, packet: bytes) -> bool:
        """Send a packet without waiting; False when it could not be sent."""
        try:
            self.socket.sendto(packet, self.peer)
        except OSError:
            return False
        return True


def reply(address: str, *args: str | float | bytes) -> bytes:
    """Encode an answer with the types every peer reads: `i`, `f`, `s` and `b` only."""
    return encode(address, tuple(_plain(arg) for arg in args))


def _plain(arg: str | float | bytes) -> OscArg:
    if isinstance(arg, bool):
        return int(arg)
    if isinstance(arg, str):
        return arg.replace("\0", "?")
    if isinstance(arg, int):
        return arg if arg in _INT32 else float(arg)
    if isinstance(arg, float):
        return min(max(arg, -3.4e38), 3.4e38) if arg == arg else 0.0
    return arg


class ErrorReplies:
    """Tells senders what went wrong, at most ten times a second each; every error is counted."""

    def __init__(self) -> None:
        self.count = 0
        self._senders: OrderedDict[Hashable, _Allowance] = OrderedDict()

    def send(self, path: ReplyPath, address: str, reason: str | Exception, now_s: float) -> bool:
        """Send `/error address reason`; False when this sender has had enough for now."""
        self.count += 1
        allowance = self._allowance(path.key, now_s)
        if not allowance.take(now_s):
            return False
        more = f" ({allowance.held} more errors were not sent)" if allowance.held else ""
        allowance.held = 0
        return path.send(reply("/error", address[:_MAX_REASON], str(reason)[:_MAX_REASON] + more))

    def _allowance(self, key: Hashable, now_s: float) -> _Allowance:
        allowance = self._senders.get(key)
        if allowance is None:
            allowance = self._senders[key] = _Allowance(_ERRORS_PER_SECOND, now_s)
            if len(self._senders) > _MAX_SENDERS:
                self._senders.popitem(last=False)
        self._senders.move_to_end(key)
        return allowance


@dataclass(slots=True)
class _Allowance:
    """A token bucket; `held` counts what was kept back since the last one sent."""

    tokens: float
    filled_s: float
    held: int = 0

    def take(self, now_s: float) -> bool:
        grown = max(now_s - self.filled_s, 0.0) * _ERRORS_PER_SECOND
        self.tokens = min(self.tokens + grown, _ERRORS_PER_SECOND)
        self.filled_s = now_s
        if self.tokens < 1.0:
            self.held += 1
            return False
        self.tokens -= 1.0
        return True
