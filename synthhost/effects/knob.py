"""One parameter of one running effect, gliding in steps of a block."""

from __future__ import annotations

from typing import Any

import pedalboard

from synthhost.core.params import ParamSpec
from synthhost.core.smoothing import Ramp


class Knob:
    """Turns one attribute of a pedalboard plugin; at most one write for each block, only while it moves.

    It glides on the parameter's curve, so a cutoff moves evenly in octaves.
    """

    __slots__ = ("_attribute", "_place", "_plugin", "_target", "spec")

    def __init__(self, plugin: Any, attribute: str, spec: ParamSpec, sample_rate: int) -> None:
        """Take hold of `plugin.attribute` and stand it at the spec's default."""
        self.spec = spec
        self._plugin = plugin
        self._attribute = attribute
        self._target = spec.default
        steps = int(spec.smoothing_ms * sample_rate / 1000)
        self._place = Ramp(spec.to_norm(spec.default), steps)
        self._write(spec.default)

    @property
    def settled(self) -> bool:
        """Whether it stands at its target. [render thread]"""
        return self._place.settled

    def aim(self, value: float) -> None:
        """Glide to a value in the parameter's own unit, held to its range. [render thread]"""
        self._target = self.spec.clamp(value)
        self._place.move_to(self.spec.to_norm(self._target))

    def advance(self, samples: int) -> None:
        """Write where the glide stands after `samples` more. [render thread]"""
        place = self._place.advance(samples)
        self._write(self._target if self._place.settled else self.spec.from_norm(place))

    def _write(self, value: float) -> None:
        if self._attribute == "mode":
            self._plugin.mode = pedalboard.LadderFilter.Mode(int(value))
        else:
            setattr(self._plugin, self._attribute, value)
