"""Short mixes that keep a jump in the frames from clicking."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GLIDE_FRAMES = 4  # 46 ms at 86 frames a second


class Glide:
    """After a jump, mixes from the last frame heard to the arriving ones."""

    __slots__ = ("_from", "_last", "_left", "_started")

    def __init__(self, bands: int) -> None:
        """Stand at the start of a stream, where there is nothing to mix from."""
        self._from = np.zeros(bands, dtype=np.float32)
        self._last = np.zeros(bands, dtype=np.float32)
        self._left = 0
        self._started = False

    def smooth(self, rows: NDArray[np.float32], jumps: NDArray[np.bool_]) -> None:
        """Mix in place.

        Args:
            rows: The next frames, `[n, bands]`.
            jumps: Which of them does not follow from the one before, `[n]`.

        [render thread]
        """
        if self._left or jumps.any():
            self._mix(rows, jumps)
        self._last[:] = rows[-1]
        self._started = True

    def _mix(self, rows: NDArray[np.float32], jumps: NDArray[np.bool_]) -> None:
        before = self._last
        for row, jumped in zip(rows, jumps.tolist(), strict=True):
            if jumped and self._started:
                self._from[:] = before
                self._left = GLIDE_FRAMES
            if self._left:
                share = np.float32(self._left / (GLIDE_FRAMES + 1))
                row += share * (self._from - row)
                self._left -= 1
            before = row
            self._started = True
