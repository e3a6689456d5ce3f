"""A channel strip: gain, pan and mute as ramps over samples."""

from __future__ import annotations

import math
from types import MappingProxyType

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.params import ParamSpec
from synthhost.core.smoothing import Ramp
from synthhost.core.timebase import ms_to_samples

SILENT_DB = -90.0  # from here down a fader is closed
_SMOOTHING_MS = 10.0

GAIN = ParamSpec(
    "gain_db", "dB", SILENT_DB, 12.0, 0.0, "Level; the lowest value is silence.", smoothing_ms=_SMOOTHING_MS
)
PAN = ParamSpec("pan", "", -1.0, 1.0, 0.0, "Balance, -1 left to 1 right.", smoothing_ms=_SMOOTHING_MS)
MUTE = ParamSpec("mute", "", 0.0, 1.0, 0.0, "1 silences the track.", _SMOOTHING_MS, kind="bool")
SOLO = ParamSpec(
    "solo", "", 0.0, 1.0, 0.0, "1 silences every track that is not solo.", _SMOOTHING_MS, kind="bool"
)
STRIP_PARAMS = (GAIN, PAN, MUTE, SOLO)
STRIP_SPECS = MappingProxyType({spec.name: spec for spec in STRIP_PARAMS})


def db_to_linear(gain_db: float) -> float:
    """Return the factor for a level; everything at or under `SILENT_DB` is 0."""
    return 0.0 if gain_db <= SILENT_DB else math.pow(10.0, gain_db / 20.0)


class Strip:
    """Applies level and balance to a stereo block; every change takes 10 ms."""

    def __init__(self, sample_rate: int) -> None:
        steps = ms_to_samples(_SMOOTHING_MS, sample_rate)
        self.values = {spec.name: spec.default for spec in STRIP_PARAMS}
        self._left = Ramp(1.0, steps)
        self._right = Ramp(1.0, steps)
        self._silenced = False  # by another track's solo
        self._curve = np.empty(0, dtype=np.float32)

    def set_param(self, name: str, value: float) -> None:
        """Move gain, pan, mute or solo. [render thread]"""
        self.values[name] = value
        self._aim()

    def silence(self, silenced: bool) -> None:
        """Close the strip because another track is solo, or open it again. [render thread]"""
        if silenced != self._silenced:
            self._silenced = silenced
            self._aim()

    def settle(self) -> None:
        """Stand at the present targets at once (before the first block)."""
        for ramp in (self._left, self._right):
            ramp.jump_to(ramp.target)

    @property
    def closed(self) -> bool:
        """Whether nothing is heard through the strip now. [render thread]"""
        return self._left.settled and self._right.settled and self._left.value == self._right.value == 0.0

    def apply(self, block: Audio) -> None:
        """Scale a stereo block in place, `[2, samples]`. [render thread]"""
        for channel, ramp in ((0, self._left), (1, self._right)):
            if ramp.settled:
                if ramp.value != 1.0:
                    block[channel] *= np.float32(ramp.value)
                continue
            if self._curve.shape[0] != block.shape[1]:
                self._curve = np.empty(block.shape[1], dtype=np.float32)
            ramp.fill(self._curve)
            block[channel] *= self._curve

    def _aim(self) -> None:
        open_ = not (self.values["mute"] or self._silenced)
        gain = db_to_linear(self.values["gain_db"]) if open_ else 0.0
        pan = self.values["pan"]
        _move(self._left, gain * min(1.0 - pan, 1.0))
        _move(self._right, gain * min(1.0 + pan, 1.0))


def _move(ramp: Ramp, level: float) -> None:
    """Aim a ramp; a message that changes nothing must not hold a closing strip open. [render thread]"""
    if level != ramp.target:
        ramp.move_to(level)
