"""Straight ramps from where a control is to where it should be."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio


class Ramp:
    """A value that reaches its target in a fixed number of steps; the same whatever the block size.

    A step is whatever the owner counts in: samples for gains, frames for source parameters.
    """

    __slots__ = ("_left", "_slope", "_steps", "target", "value")

    def __init__(self, value: float, steps: int) -> None:
        self.value = value
        self.target = value
        self._steps = max(int(steps), 1)
        self._left = 0
        self._slope = 0.0

    @property
    def settled(self) -> bool:
        """Whether the value stands at its target. [render thread]"""
        return self._left == 0

    def move_to(self, target: float) -> None:
        """Aim at a new target from the present value. [render thread]"""
        self.target = target
        self._left = self._steps
        self._slope = (target - self.value) / self._steps

    def jump_to(self, value: float) -> None:
        """Stand at a value at once. [render thread]"""
        self.value = value
        self.target = value
        self._left = 0

    def advance(self, steps: int = 1) -> float:
        """Move on and return the value reached. [render thread]"""
        if self._left <= steps:
            self.value = self.target
            self._left = 0
        else:
            self._left -= steps
            self.value = self.target - self._slope * self._left
        return self.value

    def fill(self, out: Audio) -> None:
        """Write the next `len(out)` values, `out` `[samples]`, and move on by as many. [render thread]"""
        moving = min(self._left, out.shape[0])
        if moving:
            left_after = self._left - np.arange(1, moving + 1)
            out[:moving] = self.target - self._slope * left_after
        out[moving:] = self.target
        self.advance(out.shape[0])
