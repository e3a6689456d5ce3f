"""Seeded motion of a reading: slow random drift, and the grains that keep a still reading alive.

A mel vocoder without other input turns a frame held still into a tone at the frame rate (86 Hz at 22.05 kHz
and 256 samples a frame): its output must repeat when its input does. Slow drift does not help, as measured on
sustained choir, voice, guitar and piano: what counts is that frames follow each other about as fast as they
were recorded. So a slow or frozen reading is made of *grains*: short runs at recorded speed, each begun at
another place near the playhead and mixed into the next. At recorded speed the grains close up and vanish.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthhost.core.noise import uniforms

GRAIN_FRAMES = 16  # a new grain this often: 186 ms at 86 frames a second
GRAIN_MIX_FRAMES = 6  # and mixed with the one before for so long
GRAIN_SCATTER_FRAMES = 8.0  # begun up to so far from the playhead
_HALF_RUN_FRAMES = 0.5 * (GRAIN_FRAMES + GRAIN_MIX_FRAMES)


class Knots:
    """Random values in -1..1 by absolute index; only remembers the last run asked for."""

    __slots__ = ("_first", "_held", "_seed", "_stream")

    def __init__(self, seed: int, stream: int) -> None:
        """Draw from one stream of one seed."""
        self._seed = seed
        self._stream = stream
        self._first = 0
        self._held = np.empty(0)

    def run(self, first: int, count: int) -> NDArray[np.float64]:
        """Return the values `first .. first + count - 1`, `[count]`. [render thread]"""
        if first != self._first or count != self._held.size:
            self._first = first
            self._held = 2.0 * uniforms(self._seed, self._stream, first, count) - 1.0
        return self._held


class Drift:
    """Smooth random motion in -1..1: values at regular knots joined by smooth steps."""

    __slots__ = ("_knot_frames", "_knots")

    def __init__(self, seed: int, stream: int, knot_frames: int) -> None:
        """Take a new direction every `knot_frames` frames."""
        self._knots = Knots(seed, stream)
        self._knot_frames = knot_frames

    def at(self, first_frame: int, frames: int) -> NDArray[np.float64]:
        """Return the motion of frames `first_frame ..`, `[frames]`. [render thread]"""
        index = np.arange(first_frame, first_frame + frames)
        knot = index // self._knot_frames
        values = self._knots.run(int(knot[0]), int(knot[-1] - knot[0]) + 2)
        knot -= knot[0]
        part = (index % self._knot_frames) / self._knot_frames
        part *= part * (3.0 - 2.0 * part)
        moved: NDArray[np.float64] = values[knot] * (1.0 - part) + values[knot + 1] * part
        return moved


class Grains:
    """Offsets of two overlapping runs at recorded speed around the playhead."""

    __slots__ = ("_knots",)

    def __init__(self, seed: int, stream: int) -> None:
        """Scatter the grains by one stream of one seed."""
        self._knots = Knots(seed, stream)

    def at(
        self, first_frame: int, frames: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """Return the offsets of frames `first_frame ..` for a reading that stands still.

        Returns:
            `[frames]` each: the offset in the present grain and in the one before, in frames, and the present
            grain's share, 0..1. A reading that moves scales the offsets by what it lacks in speed.

        [render thread]
        """
        index = np.arange(first_frame, first_frame + frames)
        grain = index // GRAIN_FRAMES
        scatter = self._knots.run(int(grain[0]) - 1, int(grain[-1] - grain[0]) + 2) * GRAIN_SCATTER_FRAMES
        into = index % GRAIN_FRAMES
        grain -= grain[0]
        present = scatter[grain + 1] + (into - _HALF_RUN_FRAMES)
        before = scatter[grain] + (into + GRAIN_FRAMES - _HALF_RUN_FRAMES)
        weight = np.minimum((into + 1.0) / (GRAIN_MIX_FRAMES + 1.0), 1.0)
        return present, before, weight.astype(np.float32)
