"""Where a tape is read: a place that runs, loops and can be moved."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthhost.sources.tape import FEWEST_FRAMES


def loop_bounds(start: float, end: float, frames: int) -> tuple[float, float]:
    """Return the loop's first place and the one after its last, in frames.

    Ends in the wrong order change places. A loop shorter than `FEWEST_FRAMES` is widened around its middle,
    because so few frames repeated would buzz.

    Args:
        start: Fraction of the tape, 0..1.
        end: Fraction of the tape, 0..1.
        frames: Length of the tape, at least `FEWEST_FRAMES`.

    [render thread]
    """
    low, high = min(start, end) * frames, max(start, end) * frames
    if high - low >= FEWEST_FRAMES:
        return low, high
    low = min(max(0.5 * (low + high) - 0.5 * FEWEST_FRAMES, 0.0), float(frames - FEWEST_FRAMES))
    return low, low + FEWEST_FRAMES


class Playhead:
    """A place on a tape, in frames; every frame it moves on by the speed."""

    __slots__ = ("_backwards", "_jumped", "frames", "place")

    def __init__(self, frames: int) -> None:
        """Stand at the start of a tape of so many frames."""
        self.frames = frames
        self.place = 0.0
        self._jumped = False
        self._backwards = False

    def jump_to(self, fraction: float) -> None:
        """Move to a place given as a fraction of the tape. [render thread]"""
        self.place = fraction * (self.frames - 1)
        self._jumped = True

    def change_tape(self, frames: int) -> None:
        """Keep the relative place on a tape of another length. [render thread]"""
        self.place *= (frames - 1) / (self.frames - 1)
        self.frames = frames
        self._jumped = True

    def run(
        self,
        speed: NDArray[np.float32],
        loop_start: NDArray[np.float32],
        loop_end: NDArray[np.float32],
        places: NDArray[np.float64],
        jumps: NDArray[np.bool_],
    ) -> None:
        """Write where each frame is read, and move on.

        Frame by frame, not as a running sum: the places must be the same bits however the frames are grouped.

        Args:
            speed: Frames per frame, `[n]`.
            loop_start: Fraction of the tape, `[n]`.
            loop_end: Fraction of the tape, `[n]`.
            places: Written, `[n]`.
            jumps: Written, `[n]`: where a place does not follow from the one before (moved, wrapped, turned).

        [render thread]
        """
        ends = zip(speed.tolist(), loop_start.tolist(), loop_end.tolist(), strict=True)
        for index, (step, start, end) in enumerate(ends):
            jumped = self._jumped
            low, high = loop_bounds(start, end, self.frames)
            if not low <= self.place < high:
                self.place = min(low + (self.place - low) % (high - low), np.nextafter(high, low))
                jumped = True
            if (step < 0.0) != self._backwards:
                self._backwards = not self._backwards
                jumped = True
            places[index] = self.place
            jumps[index] = jumped
            self.place += step
            self._jumped = False
