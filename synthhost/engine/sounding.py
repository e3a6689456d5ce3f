"""What every voice of a track does alike: pieces of sound, effects, the preset's gain, what it cost."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Effects, Runner, Source

PIECE_SAMPLES = 512  # pulled at a time, so that no queue's size depends on the block's


class RateConverter(Protocol):
    """Joins a model's rate to the engine's, in any block sizes, with the same samples."""

    delay_ms: float

    def needed(self, n_out: int) -> int:
        """Return how many samples at the input rate the next `n_out` outputs need. [render thread]"""

    def take(self, n_out: int, samples: Audio) -> Audio:
        """Return exactly `n_out` samples from `needed(n_out)` new ones. [render thread]"""


class Sounding(ABC):
    """One running instance of a preset. All state lives here, so it can be built and warmed anywhere."""

    def __init__(
        self, source: Source, runner: Runner, chunk_frames: int, converter: RateConverter, effects: Effects
    ) -> None:
        self.source = source
        self.runner = runner
        self.effects = effects
        self.converter = converter
        self.chunk_frames = chunk_frames
        self.trim = 1.0  # the preset's own gain, linear
        self.model_seconds = 0.0  # spent in the model since `take_cost`
        self.bad_samples = 0  # not finite, or of a step that failed: played as silence
        self._controls = frozenset(spec.name for spec in runner.controls)
        self._stereo = np.zeros((2, 0), dtype=np.float32)

    @property
    def params(self) -> tuple[ParamSpec, ...]:
        """Return every parameter of the source, the model and the chain."""
        return (*self.source.params, *self.runner.controls, *self.effects.params)

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit. [render thread]"""
        if name.startswith("fx."):
            self.effects.set_param(name, value)
        elif name in self._controls:
            self._set_control(name, value)
        else:
            self.source.set_param(name, value)

    def render(self, wet: Audio, dry: Audio) -> None:
        """Write the next samples: `wet` `[2, samples]` after the chain, `dry` `[samples]` before.

        [render thread]
        """
        count = dry.shape[0]
        for begin in range(0, count, PIECE_SAMPLES):
            self._pull(dry[begin : begin + PIECE_SAMPLES])
        if self._stereo.shape[1] != count:
            self._stereo = np.empty((2, count), dtype=np.float32)
        self._stereo[:] = dry
        np.multiply(self.effects.process(self._stereo), np.float32(self.trim), out=wet)

    def forget_tails(self) -> None:
        """Forget what sounds on by itself. [render thread]"""
        self.effects.reset()

    def take_cost(self) -> float:
        """Return the seconds spent in the model since the last call. [render thread]"""
        spent, self.model_seconds = self.model_seconds, 0.0
        return spent

    @abstractmethod
    def warm_up(self, samples: int) -> None:
        """Play the first samples into nothing, before the voice is heard."""

    @abstractmethod
    def _pull(self, out: Audio) -> None:
        """Write the next samples before the chain, at most `PIECE_SAMPLES`. [render thread]"""

    @abstractmethod
    def _set_control(self, name: str, value: float) -> None:
        """Tell the model something that holds from its next sample on. [render thread]"""

    def _finite(self, fresh: Audio) -> Audio:
        """Silence and count what is not finite, in place. [render thread]"""
        if not np.isfinite(fresh).all():
            self.bad_samples += int(np.count_nonzero(~np.isfinite(fresh)))
            np.nan_to_num(fresh, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return fresh
