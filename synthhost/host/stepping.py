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

BUILD_S = 5.0
"""So long a step that is being built is waited for before the other tracks are judged again."""

PATIENCE_S = 30.0
"""How long a step may take to be built, before that track's ladder is given up for a while."""

AGAIN_S = 300.0
"""For how long it is given up."""

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

    @property
    def below(self) -> int | None:
        """Return the next rung down that takes less than all above it, or may, being unknown."""
        return next((rung for rung in self._stairs() if rung > self.rung), None)

    @property
    def above(self) -> int | None:
        """Return the rung that a step up leads to: the one from which `below` leads here."""
        return max((rung for rung in self._stairs() if rung < self.rung), default=None)

    @property
    def least(self) -> float:
        """Return what its lowest rung takes, in parts of what the present one does; 0 where unknown."""
        here, left = self.factors[self.rung], self.factors[self.rung :]
        known = [factor for factor in left if factor is not None]
        return min(known) / here if here and len(known) == len(left) else 0.0

    def _stairs(self) -> list[int]:
        stairs, least = [], float("inf")
        for rung, factor in enumerate(self.factors):
            if factor is None or factor < least:
                stairs.append(rung)
                least = least if factor is None else factor
        return stairs


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
    _pending: dict[str, _Pending] = field(default_factory=dict)  # by track
    _given_up: dict[tuple[str, str], float] = field(default_factory=dict)  # track and preset, until when
    _news: list[str] = field(default_factory=list)
    _quiet_until_s: float = 0.0
    _calm_since_s: float | None = None  # the last late block, or the first look
    _hold_s: float = HOLD_S
    _up_s: float | None = None  # the last step up
    _late_blocks: int = 0

    def look(self, now_s: float, counts: Counts) -> Step | None:
        """Return the step to take now, if any; called a few times a second."""
        if self._calm_since_s is None or counts.late_blocks > self._late_blocks:
            self._calm_since_s, self._late_blocks = now_s, counts.late_blocks
        self._settle(now_s, counts)
        if now_s < self._quiet_until_s:
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
            self._pending[step.track], self._quiet_until_s = _Pending(step, now_s), now_s + BUILD_S
        return step

    def take_news(self) -> list[str]:
        """Return sentences on steps that could not be taken since the last call."""
        news, self._news = self._news, []
        return news

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
        return window.share < HEAVY or not self._able(window, counts.tracks)

    def _settle(self, now_s: float, counts: Counts) -> None:
        """Note which steps were taken, and give up those that are not built in time."""
        standing = {track.name: track for track in counts.tracks}
        self._given_up = {stays: until_s for stays, until_s in self._given_up.items() if now_s < until_s}
        for pending in list(self._pending.values()):
            step, track = pending.step, standing.get(pending.step.track)
            if track is None or track.preset != step.preset or track.rung == step.rung:
                self._quiet_until_s = now_s + SETTLE_S
            elif now_s - pending.asked_s < PATIENCE_S:
                continue
            else:
                self._give_up(now_s, step)
            del self._pending[step.track]

    def _give_up(self, now_s: float, step: Step) -> None:
        self._given_up[step.track, step.preset] = now_s + AGAIN_S
        self._news.append(
            f"Track {step.track} is not on rung {step.rung} of its ladder {PATIENCE_S:.0f} s after that was "
            f"asked for: it stays where it is for the next {AGAIN_S / 60.0:.0f} minutes."
        )

    def _is_free(self, track: Standing) -> bool:
        return track.name not in self._pending and (track.name, track.preset) not in self._given_up

    def _able(self, window: _Window, tracks: Sequence[Standing]) -> list[Standing]:
        """Return the tracks whose step down would help.

        Where not even all lowest rungs fit, only whoever takes too much by itself gives anything up.
        """
        able = [track for track in tracks if track.below is not None and self._is_free(track)]
        parts = {track.name: track.least if self._is_free(track) else 1.0 for track in tracks}
        if sum(window.shares[name] * part for name, part in parts.items()) > 1.0:
            return [track for track in able if window.shares[track.name] > ROOM]
        return able

    def _down(self, now_s: float, window: _Window, tracks: Sequence[Standing]) -> Step | None:
        able = self._able(window, tracks)
        if not able or window.late_blocks < LATE_BLOCKS or window.share < HEAVY:
            return None
        if self._up_s is not None and now_s - self._up_s < 2.0 * self._hold_s:
            self._hold_s = min(2.0 * self._hold_s, LONGEST_HOLD_S)
            self._up_s = None
        dearest = max(able, key=lambda track: window.shares[track.name])
        assert dearest.below is not None
        why = (
            f"{window.late_blocks} blocks were late within {window.seconds:.0f} s, the models took "
            f"{100 * window.share:.0f} % of the time (work of a block {window.p999_ms:.1f} ms at p99.9)"
        )
        return Step(dearest.name, dearest.preset, dearest.below, why)

    def _up(self, now_s: float, window: _Window, tracks: Sequence[Standing]) -> Step | None:
        assert self._calm_since_s is not None
        calm_s = now_s - self._calm_since_s
        settled_s = now_s - self._quiet_until_s
        if self._pending or min(calm_s, settled_s) < self._hold_s or window.seconds < 0.5 * WINDOW_S:
            return None
        above = {track.name: _share_above(track, window) for track in tracks}
        fitting = [track for track in tracks if above[track.name] <= ROOM and self._is_free(track)]
        if not fitting:
            return None
        best = min(fitting, key=lambda track: above[track.name])
        assert best.above is not None
        self._up_s = now_s
        why = (
            f"no block was late for {calm_s:.0f} s, and there the models need "
            f"{100 * above[best.name]:.0f} % of the time"
        )
        return Step(best.name, best.preset, best.above, why)


def _share_above(track: Standing, window: _Window) -> float:
    """Return the share of the time that all models would take with a track one step higher; inf if unknown.

    What was measured before the show is stretched by how much slower the present rung is now than then: the
    machine may have other work.
    """
    if track.above is None:
        return float("inf")
    here, above = track.factors[track.rung], track.factors[track.above]
    if here is None or above is None or here <= 0.0:
        return float("inf")
    stretched = max(window.shares[track.name] / here, 1.0)
    return window.share - window.shares[track.name] + stretched * above
