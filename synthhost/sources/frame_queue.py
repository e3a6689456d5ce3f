"""Frames from outside, put back into order; bounded, and every loss is counted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features

CAPACITY_FRAMES = 256
"""Frames further ahead than this are dropped: about 3 s at 86 frames a second."""


class FrameQueue:
    """A ring of frames by index, with the index to be played next.

    While frames come with indices, a gap is left behind as soon as a later frame waits; with nothing waiting,
    the reader waits too, so a late sender adds delay once instead of being late for ever.
    """

    __slots__ = ("_end", "_has", "_rows", "counts", "next_index", "waiting")

    def __init__(self, bands: int) -> None:
        """Stand before the first frame."""
        self._rows = np.zeros((CAPACITY_FRAMES, bands), dtype=np.float32)
        self._has = np.zeros(CAPACITY_FRAMES, dtype=np.bool_)
        self.next_index: int | None = None  # none before the first frame of a stream
        self._end = 0  # one after the newest index
        self.waiting = 0  # frames held
        self.counts = {"late": 0, "duplicate": 0, "missing": 0, "starved": 0, "dropped": 0, "restarted": 0}

    def push(self, index: int | None, frames: Features) -> None:
        """Take frames `[bands, frames]`, the first at this index or after the newest. [render thread]"""
        start = self._end if index is None else index
        if self.next_index is not None and not self.waiting and start >= self.next_index + CAPACITY_FRAMES:
            self.restart()
            self.counts["restarted"] += 1
        if self.next_index is None:
            self.next_index = start
            self._end = start
        for offset in range(frames.shape[1]):
            self._put(start + offset, frames[:, offset])

    def _put(self, index: int, frame: NDArray[np.float32]) -> None:
        assert self.next_index is not None
        slot = index % CAPACITY_FRAMES
        if index < self.next_index:
            self.counts["late"] += 1
        elif index >= self.next_index + CAPACITY_FRAMES:
            self.counts["dropped"] += 1
        elif self._has[slot]:
            self.counts["duplicate"] += 1
        else:
            self._rows[slot] = frame
            self._has[slot] = True
            self.waiting += 1
            self._end = max(self._end, index + 1)

    def pop(self, out: NDArray[np.float32]) -> bool:
        """Write the next frame, `[bands]`, and move on; false if it is not there. [render thread]"""
        if self.next_index is None:
            return False
        if not self.waiting:
            self.counts["starved"] += 1
            return False
        slot = self.next_index % CAPACITY_FRAMES
        self.next_index += 1
        if not self._has[slot]:
            self.counts["missing"] += 1
            return False
        out[:] = self._rows[slot]
        self._has[slot] = False
        self.waiting -= 1
        return True

    def restart(self) -> None:
        """Forget the numbering: the next frame begins a new stream, whatever its index. [render thread]"""
        self._has[:] = False
        self.waiting = 0
        self.next_index = None
        self._end = 0
