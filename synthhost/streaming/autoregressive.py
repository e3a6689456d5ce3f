"""Autoregressive networks: a block that conditions, then a recurrence that makes one sample after another."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from synthhost.core.arrays import Audio
from synthhost.streaming.block import AnyBlock


class LoopState(Protocol):
    """What a recurrence remembers of one voice."""

    def copy(self) -> Any:
        """Return an independent state with the same future. [render thread]"""


class SampleLoop(Protocol):
    """The recurrence of one network, its weights laid out, computed a sample at a time in compiled code."""

    @property
    def uniforms(self) -> int:
        """Return how many values uniform in (0, 1) one sample needs."""

    @property
    def normals(self) -> int:
        """Return how many standard normal values one sample needs."""

    @property
    def outputs(self) -> int:
        """Return how many logits, or parameters of a distribution, one sample is drawn from."""

    @property
    def weight_bytes(self) -> int:
        """Return what its matrices take in memory."""

    def new_state(self) -> Any:
        """Return the state of a voice that has not begun."""

    def run(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        state: Any,
        out: Audio,
        values: NDArray[np.float32] | None = None,
    ) -> None:
        """Make the next samples of one voice.

        Args:
            condition: `[samples, channels]`, C-contiguous; no channels where nothing conditions.
            uniforms: `[samples, uniforms]`, C-contiguous.
            normals: `[samples, normals]`, C-contiguous.
            temperature: 0 takes the likeliest value.
            state: Of this voice; moved on.
            out: `[samples]`, written in place.
            values: `[samples]`, written in place with what was drawn: ids or values.

        [render thread]
        """

    def predict(
        self,
        condition: NDArray[np.float32],
        values: NDArray[np.float32],
        state: Any,
        outputs: NDArray[np.float32],
    ) -> None:
        """Write what each sample would be drawn from, if those before it had been drawn as told.

        Args:
            condition: `[samples, channels]`, C-contiguous.
            values: `[samples]`, as `run` gives them.
            state: Of this voice; moved on as if all of them had been drawn.
            outputs: `[samples, outputs]`, written in place.
        """

    def run_together(
        self,
        condition: NDArray[np.float32],
        uniforms: NDArray[np.float64],
        normals: NDArray[np.float32],
        temperature: float,
        states: list[Any],
        out: Audio,
    ) -> None:
        """Make the next samples of several voices in step, reading the weights once for all of them.

        Every voice sounds as it would alone, to the bit.

        Args:
            condition: `[voices, samples, channels]`, C-contiguous.
            uniforms: `[voices, samples, uniforms]`, C-contiguous.
            normals: `[voices, samples, normals]`, C-contiguous.
            temperature: 0 takes the likeliest value.
            states: One of each voice; moved on.
            out: `[voices, samples]`, written in place; samples lie beside each other.

        [render thread]
        """


class Autoregressive(nn.Module, ABC):
    """A network that makes a sample from those before it.

    Attributes:
        conditioner: Turns frames into one row of conditions a sample, `[batch, channels, samples]`. What runs
            by itself has one that only counts: frames of no bands become samples of no channels.
    """

    conditioner: AnyBlock

    @property
    def timed(self) -> AnyBlock:
        """Return the conditioner: the recurrence itself looks back only."""
        return self.conditioner

    @abstractmethod
    def loop(self, *, precision: str = "", level: str = "") -> SampleLoop:
        """Lay the weights out for the recurrence; again after weights changed.

        Args:
            precision: How weights are stored, "float32" or "float16"; sums are of float32 in any. Empty: as
                the voice was built.
            level: Which of the processor's instructions it uses; empty: the best, or as the environment says.
        """
