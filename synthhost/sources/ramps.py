"""A source's parameters as one value a frame."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from synthhost.core.errors import SourceError, suggestion
from synthhost.core.params import ParamSpec
from synthhost.core.smoothing import Ramp


class ParamRamps:
    """Ramps for a set of parameters, counted in frames."""

    def __init__(self, params: Sequence[ParamSpec], frame_rate_hz: float, most_frames: int) -> None:
        """Stand every parameter at its default.

        Args:
            params: What there is.
            frame_rate_hz: Frames per second, to turn smoothing times into steps.
            most_frames: The most frames one `fill` will ask for.
        """
        self._specs = {spec.name: spec for spec in params}
        self._rows = {spec.name: row for row, spec in enumerate(params)}
        self._ramps = [Ramp(s.default, round(s.smoothing_ms * frame_rate_hz / 1000.0)) for s in params]
        defaults = np.array([spec.default for spec in params], dtype=np.float32)
        self._table = np.repeat(defaults[:, None], most_frames, axis=1)
        self._constant = [True] * len(self._ramps)  # whether the whole row holds the ramp's target

    def move(self, name: str, value: float) -> float:
        """Aim a parameter at a value and return it as clamped. [render thread]

        Raises:
            SourceError: If there is no such parameter, or the value is not a finite number.
        """
        row, held = self._checked(name, value)
        self._ramps[row].move_to(held)
        self._constant[row] = False
        return held

    def jump(self, name: str, value: float) -> float:
        """Stand a parameter at a value and return it as clamped; raises as `move` does. [render thread]"""
        row, held = self._checked(name, value)
        self._ramps[row].jump_to(held)
        self._constant[row] = False
        return held

    def fill(self, frames: int) -> None:
        """Write the next values of every parameter, to be had from `values`. [render thread]"""
        for row, ramp in enumerate(self._ramps):
            if self._constant[row]:
                continue
            if ramp.settled:
                self._table[row] = ramp.target
                self._constant[row] = True
            else:
                ramp.fill(self._table[row, :frames])

    def values(self, name: str, frames: int) -> NDArray[np.float32]:
        """Return the values of the last `fill`, `[frames]`, a view. [render thread]"""
        return self._table[self._rows[name], :frames]

    def _checked(self, name: str, value: float) -> tuple[int, float]:
        if name not in self._specs:
            raise SourceError(f"there is no parameter {name!r}.{suggestion(name, self._specs)}")
        if not math.isfinite(value):
            raise SourceError(f"{name}: {value} is not a finite number.")
        return self._rows[name], self._specs[name].clamp(value)
