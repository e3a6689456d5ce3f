"""What a client may ask of the control process itself; everything else becomes a command for the engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Query:
    """Answer with the present value of each address."""

    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """Answer with load, misses and levels, and with what computes each track."""


@dataclass(frozen=True, slots=True)
class LatencyRequest:
    """Answer with every part of every track's latency."""


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Send values and meters below a prefix until the time is over; port 0 is the port that asked."""

    port: int
    prefix: str
    rate_hz: float
    ttl_s: float


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Stop what `Subscribe` began; an empty prefix stops everything sent to that port."""

    port: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Answer at once, so that a client knows somebody listens."""


@dataclass(frozen=True, slots=True)
class ListAddresses:
    """Answer with every address below a prefix, its types, unit and range."""

    prefix: str


@dataclass(frozen=True, slots=True)
class Help:
    """Answer with lines for a person: what every address below a prefix is for, or a few on the whole."""

    prefix: str = ""


@dataclass(frozen=True, slots=True)
class MoveMacro:
    """Remember where a macro stands; what it moves is sent as commands beside this."""

    track: str
    macro: str
    value: float


@dataclass(frozen=True, slots=True)
class Refusal:
    """One of the addresses a pattern stands for did not take the arguments."""

    address: str
    reason: str


Request: TypeAlias = (
    Query
    | StatusRequest
    | LatencyRequest
    | Subscribe
    | Unsubscribe
    | Heartbeat
    | ListAddresses
    | Help
    | MoveMacro
    | Refusal
)
