"""The frame source: mel frames that arrive from outside, one by one, over OSC."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features
from synthhost.core.mel_conventions import convention_of
from synthhost.core.mel_units import mel_units
from synthhost.core.noise import uniforms
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec
from synthhost.sources.frame_queue import FrameQueue
from synthhost.sources.glide import Glide
from synthhost.sources.mel_colour import MelColour
from synthhost.sources.ramps import ParamRamps
from synthhost.sources.source_params import FRAME_PARAMS

FADE_MS = 500.0
"""How long the last frame takes to fade to silence when no other follows."""

_SHIMMER = 0.5  # nats of loudness either way, a band and frame: held frames without it buzz at the frame rate
_EXACT_GAP_FRAMES = (
    2  # after so short a gap the stream goes on bit for bit, after a longer one it is mixed in
)
_MOST_FRAMES = 64
_SHIMMER_STREAM = 5


class FrameSource:
    """Plays frames in the order of their indices, at one frame a hop.

    What is missing is held: the last frame again, at first as it was, then shimmering and fading out. Before
    the first frame, and after a fade, it is silent; the next frame then begins a new stream, at any index.
    """

    kind = "frames"
    params: tuple[ParamSpec, ...] = FRAME_PARAMS

    def __init__(self, spec: MelSpec, seed: int = 0) -> None:
        """Stand silent, waiting for frames.

        Raises:
            FeatureError: If the convention is not known.
        """
        units = mel_units(spec)
        self.spec = spec
        self._seed = seed
        frame_rate_hz = spec.sample_rate / spec.hop_samples
        self._ramps = ParamRamps(FRAME_PARAMS, frame_rate_hz, _MOST_FRAMES)
        self._queue = FrameQueue(spec.bands)
        self._colour = MelColour(spec)
        self._glide = Glide(spec.bands)
        self._floor = np.float32(units.silence)
        self._shimmer = _SHIMMER * units.per_loudness_nat
        self._clip = convention_of(spec).clip
        self._fade_frames = round(FADE_MS * frame_rate_hz / 1000.0)
        self._last = np.full(spec.bands, self._floor, dtype=np.float32)
        self._rows = np.zeros((_MOST_FRAMES, spec.bands), dtype=np.float32)
        self._jumps = np.zeros(_MOST_FRAMES, dtype=np.bool_)
        self._held = self._fade_frames  # frames since the last real one; all faded at first
        self._gathering = True
        self._gathered_frames = 0
        self._frame = 0

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit.

        Raises:
            SourceError: If there is no such parameter, or the value is not a finite number.

        [render thread]
        """
        self._ramps.move(name, value)

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value at once; raises as `set_param` does."""
        self._ramps.jump(name, value)

    def push(self, index: int | None, frames: Features) -> None:
        """Take frames that were checked where they entered, `[bands, frames]`.

        Args:
            index: Of the first of them; none to follow the newest.
            frames: Any number; beyond what the queue holds they are dropped and counted.

        [render thread]
        """
        self._queue.push(index, frames)

    def counters(self) -> dict[str, int]:
        """Return frames late, duplicate, missing, starved for, dropped, and streams restarted by a leap."""
        return dict(self._queue.counts)

    def next_frames(self, out: Features) -> None:
        """Write the next frames, `[bands, frames]`. [render thread]"""
        for first in range(0, out.shape[1], _MOST_FRAMES):
            part = out[:, first : first + _MOST_FRAMES]
            part[:] = self._next_rows(part.shape[1]).T

    def _next_rows(self, frames: int) -> NDArray[np.float32]:
        self._ramps.fill(frames)
        rows, jumps = self._rows[:frames], self._jumps[:frames]
        depths = self._ramps.values("depth", frames)
        for place in range(frames):
            jumps[place] = self._one_frame(rows[place], float(depths[place]))
        self._glide.smooth(rows, jumps)
        self._colour.apply(
            rows, *(self._ramps.values(name, frames) for name in ("pitch", "formant", "brightness", "level"))
        )
        return rows

    def _one_frame(self, row: NDArray[np.float32], depth: float) -> bool:
        """Write one frame and return whether it must be mixed in."""
        frame = self._frame
        self._frame += 1
        if self._gathering:
            self._gather(depth)
        if not self._gathering and self._queue.pop(row):
            mixed_in = _EXACT_GAP_FRAMES < self._held < self._fade_frames
            self._held = 0
            self._last[:] = row
            return mixed_in
        self._hold(row, frame)
        return False

    def _gather(self, depth: float) -> None:
        """Start once enough frames wait, or the first has waited as long as they take."""
        if not self._queue.waiting:
            return
        self._gathered_frames += 1
        if self._queue.waiting >= depth or self._gathered_frames > depth:
            self._gathering = False
            self._gathered_frames = 0

    def _hold(self, row: NDArray[np.float32], frame: int) -> None:
        if self._held >= self._fade_frames:
            row[:] = self._floor
            return
        fade = self._held / self._fade_frames
        row[:] = self._last
        if self._held >= _EXACT_GAP_FRAMES:
            shimmer = uniforms(self._seed, _SHIMMER_STREAM, frame * row.size, row.size) - 0.5
            row += (2.0 * self._shimmer * shimmer).astype(np.float32)
        row += np.float32(fade) * (self._floor - row)
        if self._clip is not None:
            np.clip(row, *self._clip, out=row)
        self._held += 1
        if self._held == self._fade_frames and not self._queue.waiting:
            self._queue.restart()
            self._gathering = True
