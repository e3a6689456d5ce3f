"""How far the engine stays before the sink where nobody has fixed it: as far as was seen to be needed."""

from __future__ import annotations

from collections.abc import Callable

UNKNOWN_MS = 100.0
"""With what a machine begins that nothing is known of."""

LONGEST_MS = 300.0
"""A lead grows up to here without being asked: beyond it, hands no longer feel what they move."""

FIRST_HOLD_S = 15.0
"""After so long it is settled for the first time: stalls of virtual machines come every second or two."""

HOLD_S = 120.0
"""And so long it stays afterwards before it may be shortened again."""

_SPARE = 1.5  # what comes after the deepest dip may be deeper still
_NEARLY = 0.8  # of the lead: who waits for a gap to be heard has waited too long
_WORTH = 0.7  # of the lead: a smaller change is not worth being felt
_FORGETTING = 0.7  # of what earlier shows needed, a settling
_GROWING_GAP_S = 1.0  # what is late together is held by one step
_STEP_MS = 5.0
_ROUNDING_MS = 0.1


class Lead:
    """Long at first; as long as was needed and half as much again once that is known; longer before a gap.

    What was *used* of a lead is how near the sink came to the end of the finished sound: a lead and a half
    was used when a block came half a lead late.

    Args:
        least_ms: Says what the models' steps need at least.
        block_ms: Of a block.
        known_ms: What was used at most in earlier shows on this machine; None: nothing is known.
        remember: Takes what later shows should know.
    """

    def __init__(
        self,
        least_ms: Callable[[], float],
        block_ms: float,
        known_ms: float | None = None,
        remember: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._least_ms = least_ms
        self._block_ms = block_ms
        self._known_ms = known_ms
        self._remember = remember
        self._used_ms = 0.0  # at most, since it was last settled or grown
        self._since_s: float | None = None
        self._hold_s = FIRST_HOLD_S
        self._grown_s = float("-inf")

    @property
    def first_ms(self) -> float:
        """Return how long it is when a show begins."""
        return self._holding(0.0) if self._known_ms is not None else max(self._least_ms(), UNKNOWN_MS)

    def look(self, now_s: float, ahead_ms: float, used_ms: float) -> tuple[float, str] | None:
        """Return the new length and a sentence about it where it is to change; None where it is to stay.

        Args:
            now_s: The time.
            ahead_ms: Its present length.
            used_ms: How much of it was used at most since the last look.
        """
        if self._since_s is None:
            self._since_s = now_s
        self._used_ms = max(self._used_ms, used_ms)
        least_ms = self._least_ms()
        if least_ms > ahead_ms + _ROUNDING_MS:
            return least_ms, (
                f"What plays now needs the engine {least_ms:.0f} ms ahead of the sink: it is so from now on "
                f"(before: {ahead_ms:.0f} ms), and controls are heard so much later. --ahead-ms fixes it."
            )
        if used_ms >= _NEARLY * ahead_ms:
            return self._grown(now_s, ahead_ms, used_ms)
        if now_s - self._since_s < self._hold_s:
            return None
        return self._settled(now_s, ahead_ms)

    def _grown(self, now_s: float, ahead_ms: float, used_ms: float) -> tuple[float, str] | None:
        late_ms = max(used_ms - ahead_ms, 0.0)
        grown_ms = _next_step(max(ahead_ms + 2.0 * late_ms, _SPARE * ahead_ms))
        grown_ms = min(grown_ms, max(LONGEST_MS, self._least_ms()))
        if used_ms > LONGEST_MS or grown_ms <= ahead_ms or now_s - self._grown_s < _GROWING_GAP_S:
            return None
        self._learn(used_ms)
        self._begin_again(now_s, HOLD_S)
        self._grown_s = now_s
        happened = (
            f"Blocks were up to {late_ms:.0f} ms late, {ahead_ms:.0f} ms ahead of the sink"
            if late_ms > 0.0
            else f"{used_ms:.0f} of the {ahead_ms:.0f} ms that the engine is ahead of the sink were needed"
        )
        return grown_ms, (
            f"{happened}: it is {grown_ms:.0f} ms from now on, and controls are heard so much later. "
            "--ahead-ms fixes it."
        )

    def _settled(self, now_s: float, ahead_ms: float) -> tuple[float, str] | None:
        used_ms = self._used_ms
        self._learn(used_ms)
        settled_ms = _next_step(self._holding(used_ms))
        self._begin_again(now_s, HOLD_S)
        if settled_ms > _WORTH * ahead_ms:
            return None
        return settled_ms, (
            f"At most {used_ms:.0f} of the {ahead_ms:.0f} ms that the engine is ahead of the sink were "
            f"needed: it is {settled_ms:.0f} ms from now on, and controls are heard so much earlier. "
            "--ahead-ms fixes it."
        )

    def _learn(self, used_ms: float) -> None:
        """Let later shows know what was used; what earlier ones needed is forgotten by and by."""
        self._known_ms = max(used_ms, _FORGETTING * (self._known_ms or 0.0))
        self._remember(self._known_ms)

    def _holding(self, used_ms: float) -> float:
        """Return how long it must be for what was used now or in earlier shows."""
        needed_ms = max(used_ms, self._known_ms or 0.0)
        return max(min(_SPARE * needed_ms + self._block_ms, LONGEST_MS), self._least_ms())

    def _begin_again(self, now_s: float, hold_s: float) -> None:
        self._used_ms, self._since_s, self._hold_s = 0.0, now_s, hold_s


def _next_step(ms: float) -> float:
    return _STEP_MS * (1.0 + ms // _STEP_MS)
