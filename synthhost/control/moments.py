"""From a message's time tag, or its arrival, to the engine sample at which it takes effect."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from synthhost.core.board import StatusPage
from synthhost.core.errors import OscError
from synthhost.core.messages import NOW
from synthhost.core.timebase import IMMEDIATELY, ClockMap, ms_to_samples, ntp_to_unix_s

HORIZON_S = 3660.0
"""How far ahead a time tag may lie: an hour and a minute."""


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """How messages are placed in time.

    `arrival_delay_ms` above 0 gives messages without a time tag a constant delay instead of the engine's
    block jitter. `timetags="ignore"` treats every bundle as immediate, for senders whose clock is wrong.
    """

    timetags: Literal["follow", "ignore"] = "follow"
    arrival_delay_ms: float = 0.0


class Moments:
    """Resolves moments to engine samples: where the engine renders when the moment comes.

    The clock map follows the sink; the engine renders `ahead_samples` before it.
    """

    def __init__(
        self,
        status: StatusPage,
        clock: ClockMap,
        options: TimeOptions,
        monotonic_s: Callable[[], float] = time.monotonic,
        unix_s: Callable[[], float] = time.time,
    ) -> None:
        self._status = status
        self._clock = clock
        self._options = options
        self._monotonic_s = monotonic_s
        self._unix_s = unix_s

    def observe(self) -> None:
        """Take one reading of the sink's clock, unless the sink is just writing it."""
        status = self._status
        clock_ns, sample = int(status["sink_clock_ns"]), int(status["sink_sample"])
        if clock_ns and clock_ns == int(status["sink_clock_ns"]):
            self._clock.observe(clock_ns * 1e-9, sample)

    def at_sample(self, time_tag: int, arrived_s: float) -> int:
        """Return the engine sample for a message.

        Args:
            time_tag: Its 64-bit NTP time tag, 1 for "immediately".
            arrived_s: Monotonic seconds at which it was received.

        Raises:
            OscError: The tag lies beyond the horizon.
        """
        if time_tag <= IMMEDIATELY or self._options.timetags == "ignore":
            if self._options.arrival_delay_ms <= 0.0:
                return NOW
            delay = ms_to_samples(self._options.arrival_delay_ms, self._clock.sample_rate)
            return max(round(self._render_sample(arrived_s)) + delay, 0)
        ahead_s = ntp_to_unix_s(time_tag) - self._unix_s()
        if ahead_s > HORIZON_S:
            raise OscError(
                f"the time tag lies {ahead_s:.0f} s ahead; at most {HORIZON_S:.0f} s are taken. "
                "Is the sender's clock right? (--timetags ignore plays on arrival.)"
            )
        return max(round(self._render_sample(self._monotonic_s() + ahead_s)), 0)

    def _render_sample(self, monotonic_s: float) -> float:
        if self._clock.seen:
            return self._clock.sample_at(monotonic_s) + int(self._status["ahead_samples"])
        since_s = monotonic_s - self._monotonic_s()  # no sink yet: from where the engine stands
        return int(self._status["sample"]) + since_s * self._clock.sample_rate
