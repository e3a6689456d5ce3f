"""Who is told what: changed values and meters below a prefix, and a heartbeat, until they expire."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass, field

from synthhost.control.address import below
from synthhost.control.replies import ReplyPath, reply
from synthhost.core.errors import OscError

MAX_SUBSCRIPTIONS = 64
_VALUES_PER_TURN = 256  # one subscription sends no more at once; the rest follows in the next turn
_HEARTBEAT_S = 1.0

Read = Callable[[str], float | str]
Meters = Callable[[], Iterable[tuple[str, float, float]]]
"""Yields address, peak and RMS, both in dB."""


@dataclass(slots=True)
class _Subscription:
    path: ReplyPath
    prefix: str
    period_s: float
    ends_s: float
    due_s: float
    pending: dict[str, None] = field(default_factory=dict)  # changed addresses, in order of change


class Subscriptions:
    """Who is told what; bounded in number, time and rate."""

    def __init__(self) -> None:
        self._by_key: dict[tuple[Hashable, str], _Subscription] = {}
        self._heartbeat_s = 0.0
        self.beats = 0

    def __len__(self) -> int:
        return len(self._by_key)

    def add(
        self,
        path: ReplyPath,
        prefix: str,
        rate_hz: float,
        ttl_s: float,
        now_s: float,
        addresses: Iterable[str],
    ) -> None:
        """Begin or renew; everything below the prefix is sent first, so that the client knows it all.

        Args:
            path: Where values go.
            prefix: Which addresses; ends at whole parts.
            rate_hz: How often at most.
            ttl_s: For how long.
            now_s: Monotonic seconds.
            addresses: Every address that has a value.

        Raises:
            OscError: There are too many subscriptions.
        """
        key = (path.key, prefix)
        if key not in self._by_key and len(self._by_key) >= MAX_SUBSCRIPTIONS:
            raise OscError(f"there are {MAX_SUBSCRIPTIONS} subscriptions already; let one expire first.")
        snapshot = dict.fromkeys(address for address in addresses if below(address, prefix))
        self._by_key[key] = _Subscription(path, prefix, 1.0 / rate_hz, now_s + ttl_s, now_s, snapshot)

    def remove(self, path: ReplyPath, prefix: str) -> int:
        """Stop one subscription, or with an empty prefix all of that client; return how many stopped."""
        gone = [key for key in self._by_key if key[0] == path.key and prefix in ("", key[1])]
        for key in gone:
            del self._by_key[key]
        return len(gone)

    def changed(self, addresses: Iterable[str]) -> None:
        """Note that these addresses have a new value; only the latest is sent."""
        if self._by_key:
            for address in addresses:
                for each in self._by_key.values():
                    if below(address, each.prefix):
                        each.pending[address] = None

    def tick(self, now_s: float, read: Read, meters: Meters) -> None:
        """Send what is due and forget who has expired or gone."""
        if not self._by_key:
            return
        for key, each in list(self._by_key.items()):
            if now_s >= each.ends_s:
                del self._by_key[key]
            elif now_s >= each.due_s:
                each.due_s = max(each.due_s + each.period_s, now_s)
                self._send(each, read, meters)
        if now_s >= self._heartbeat_s + _HEARTBEAT_S:
            self._heartbeat_s = now_s
            self._beat()

    def _send(self, each: _Subscription, read: Read, meters: Meters) -> None:
        for address in list(itertools.islice(each.pending, _VALUES_PER_TURN)):
            if not each.path.send(reply(address, read(address))):
                break  # the way is full; what is left stays pending
            del each.pending[address]
        if below("/meter", each.prefix) or below(each.prefix, "/meter"):
            for address, peak_db, rms_db in meters():
                if below(address, each.prefix):
                    each.path.send(reply(address, peak_db, rms_db))

    def _beat(self) -> None:
        self.beats += 1
        packet = reply("/heartbeat", self.beats)
        for path in self._clients():
            path.send(packet)

    def _clients(self) -> Iterator[ReplyPath]:
        yield from {each.path.key: each.path for each in self._by_key.values()}.values()


def to_db(level: float) -> float:
    """Return a linear level in decibels, not below -120."""
    return max(20.0 * math.log10(level), -120.0) if level > 1e-6 else -120.0
