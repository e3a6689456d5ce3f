"""When a track steps down its ladder while it plays, and when up again: from counts, by a given clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from synthhost.core.board import block_quantile_ms
from synthhost.host.chunking import ROOM

WINDOW_S = 5.0
"""How far back is looked: long enough for one in a thousand of the shortest blocks, short to a listener."""

LATE_BLOCKS = 3
"""So many late blocks in a window are no accident: a single stall of the machine makes one or two."""

HEAVY = 0.5
"""The share of the time that models take at least where lateness is theirs; below, a wider ring helps."""

SETTLE_S = 3.0
"""After a step: building, warming and crossfading cost more than what follows, and are not judged."""

HOLD_S = 30.0
"""Without a late block, before a step up: a chorus should not step up in every rest."""

LONGEST_HOLD_S = 600.0
"""`HOLD_S` doubles up to this each time a step up had to be taken back."""

PATIENCE_S = 60.0
"""How long a step may take to be built, before that track's ladder is given up."""

_GAP_S = 0.25  # between two looks that are kept


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a track stands on its ladder.

    Attributes:
        name: Of the track.
        preset: That plays on it.
        rung: It plays on.
        factors: Of real time that its model needed on every rung when it was measured, from the top; None
            where it was not. Their number is that of the rungs and one.
        model_seconds: Spent in its models so far.
    """

    name: str
    preset: str
    rung: int
    factors: Sequence[float | None]
    model_seconds: float


@dataclass(frozen=True, slots=True)
class Counts:
    """What the render loop has counted so far."""

    late_blocks: int
    block_times: NDArray[np.int64]
    tracks: Sequence[Standing]

    @property
    def model_seconds(self) -> dict[str, float]:
        """Return the seconds spent in each track's models."""
        return {track.name: track.model_seconds for track in self.tracks}


@dataclass(frozen=True, slots=True)
class Step:
    """A track is to play on another rung of its preset."""

    track: str
    preset: str
    rung: int
    why: str


@dataclass(frozen=True, slots=True)
class _Window:
    """What happened lately."""

    seconds: float
    late_blocks: int
    p999_ms: float
    shares: Mapping[str, float]  # of the time, by track

    @property
    def share(self) -> float:
        return sum(self.shares.values())


@dataclass(slots=True)
class _Pending:
    """A step that is being built."""

    step: Step
    asked_s: float


@dataclass(slots=True)
class Stepping:
    """Watches a show and decides. One thread calls it."""

    _seen: deque[tuple[float, Counts]] = field(default_factory=deque)
    _pending: _Pending | None = None
    _refused: set[tuple[str, str]] = field(default_factory=set)  # tracks and presets that stay where they are
    _quiet_until_s: float = 0.0
    _calm_since_s: float | None = None  # the last late block, or the first look
    _hold_s: float = HOLD_S
    _up_s: float | None = None  # the last step up
    _late_blocks: int = 0

    def look(self, now_s: float, counts: Counts) -> Step | None:
        """Return the step to take now, if any; called a few times a second."""
        if self._calm_since_s is None or counts.late_blocks > self._late_blocks:
            self._calm_since_s, self._late_blocks = now_s, counts.late_blocks
        if self._is_settling(now_s, counts):
            self._seen.clear()
            return None
        if not self._seen or now_s - self._seen[-1][0] >= _GAP_S:
            self._seen.append((now_s, counts))
        while now_s - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()
        window = self.window(now_s, counts)
        if window is None:
            return None
        step = self._down(now_s, window, counts.tracks) or self._up(now_s, window, counts.tracks)
        if step is not None:
            self._pending = _Pending(step, now_s)
        return step

    def window(self, now_s: float, counts: Counts) -> _Window | None:
        """Return what happened since the oldest look that is kept; None before there are two."""
        if not self._seen or now_s - self._seen[0][0] < _GAP_S:
            return None
        first_s, first = self._seen[0]
        seconds, before = now_s - first_s, first.model_seconds
        shares = {
            name: (spent - before.get(name, spent)) / seconds for name, spent in counts.model_seconds.items()
        }
        times = block_quantile_ms(counts.block_times - first.block_times, 0.999)
        return _Window(seconds, counts.late_blocks - first.late_blocks, times, shares)

    def helpless(self, now_s: float, counts: Counts) -> bool:
        """Whether blocks are late again and again and no step down would help."""
        window = self.window(now_s, counts)
        if window is None or window.late_blocks < LATE_BLOCKS:
            return False
        return window.share < HEAVY or not any(map(self._has_rung_left, counts.tracks))

    def _is_settling(self, now_s: float, counts: Counts) -> bool:
        pending = self._pending
        if pending is None:
            return now_s < self._quiet_until_s
        track = next((one for one in counts.tracks if one.name == pending.step.track), None)
        gone = track is None or track.preset != pending.step.preset
        if not gone and track is not None and track.rung != pending.step.rung:
            if now_s - pending.asked_s < PATIENCE_S:
                return True
            self._refused.add((track.name, track.preset))
        self._pending, self._quiet_until_s = None, now_s + SETTLE_S
        return True

    def _has_rung_left(self, track: Standing) -> bool:
        return track.rung + 1 < len(track.factors) and (track.name, track.preset) not in self._refused

    def _down(self, now_s: float, window: _Window, tracks: Sequence[Standing]) -> Step | None:
        able = [track for track in tracks if self._has_rung_left(track)]
        if not able or window.late_blocks < LATE_BLOCKS or window.share < HEAVY:
            return None
        if self._up_s is not None and now_s - self._up_s < 2.0 * self._hold_s:
            self._hold_s = min(2.0 * self._hold_s, LONGEST_HOLD_S)
            self._up_s = None
        dearest = max(able, key=lambda track: window.shares[track.name])
        why = (
            f"{window.late_blocks} blocks were late within {window.seconds:.0f} s, the models took "
            f"{100 * window.share:.0f} % of the time (work of a block {window.p999_ms:.1f} ms at p99.9)"
        )
        return Step(dearest.name, dearest.preset, dearest.rung + 1, why)

    def _up(self, now_s: float, window: _Window, tracks: Sequence[Standing]) -> Step | None:
        assert self._calm_since_s is not None
        calm_s = now_s - self._calm_since_s
        settled_s = now_s - self._quiet_until_s
        if min(calm_s, settled_s) < self._hold_s or window.seconds < 0.5 * WINDOW_S:
            return None
        above = {track.name: _share_above(track, window) for track in tracks}
        fitting = [
            track
            for track in tracks
            if above[track.name] <= ROOM and (track.name, track.preset) not in self._refused
        ]
        if not fitting:
            return None
        best = min(fitting, key=lambda track: above[track.name])
        self._up_s = now_s
        why = (
            f"no block was late for {calm_s:.0f} s, and there the models need "
            f"{100 * above[best.name]:.0f} % of the time"
        )
        return Step(best.name, best.preset, best.rung - 1, why)


def _share_above(track: Standing, window: _Window) -> float:
    """Return the share of the time that all models would take with a track one rung higher; inf if unknown.

    What was measured before the show is stretched by how much slower the present rung is now than then: the
    machine may have other work.
    """
    if track.rung == 0:
        return float("inf")
    here, above = track.factors[track.rung], track.factors[track.rung - 1]
    if here is None or above is None or here <= 0.0:
        return float("inf")
    stretched = max(window.shares[track.name] / here, 1.0)
    return window.share - window.shares[track.name] + stretched * above
