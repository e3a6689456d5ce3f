"""A chain of pedalboard effects with exact block bookkeeping."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pedalboard

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, suggestion
from synthhost.core.params import ParamSpec
from synthhost.effects.catalogue import EffectSpec, effect_spec
from synthhost.effects.knob import Knob

PIECE_SAMPLES = 1024
"""Longest block handed to pedalboard at once. Its effects forget everything when a longer block than any
before arrives, and a first block of one or two samples is taken for another channel layout; one block of
silence of this length at the start of a stream rules both out."""


class Chain:
    """Effects in series over a stereo stream; the same bits whatever the chunking while no parameter moves.

    Implements `core.seams.Effects`. A parameter glides once a block, so a moving one depends on the sequence
    of blocks, and on nothing else.

    Attributes:
        params: One for each effect's parameter, named `fx.I.NAME`; the default is the value built with.
        latency_samples: Delay of the chain; 0, as every effect in the catalogue answers at once.
        bad_blocks: Blocks replaced by silence because they held NaN or infinity on the way in or out.
        bad_values: Parameter values refused because they were not finite.
    """

    def __init__(self, plugins: Sequence[tuple[str, Mapping[str, float]]], sample_rate: int) -> None:
        """Build the effects and stand at the start of a stream.

        Args:
            plugins: Effect name and its parameters (in their own units), in the order of the chain.
            sample_rate: Hz.

        Raises:
            ConfigError: No effect or parameter goes by that name, or a value is out of range.
        """
        self._sample_rate = sample_rate
        self._knobs: dict[str, Knob] = {}
        self._moving: list[Knob] = []
        self._board = pedalboard.Chain([self._build(i, *named) for i, named in enumerate(plugins)])
        self._empty = len(self._board) == 0
        self.params: tuple[ParamSpec, ...] = tuple(knob.spec for knob in self._knobs.values())
        self.bad_blocks = 0
        self.bad_values = 0
        self._prime_silence = np.zeros((2, PIECE_SAMPLES), dtype=np.float32)
        self.latency_samples = 0
        held = PIECE_SAMPLES - self._prime()
        if held:
            raise ConfigError(f"effects: pedalboard holds {held} samples back; install pedalboard 0.9.26.")
        self.reset()  # touches every page of the delay lines now rather than on the render thread

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit; it glides there within its smoothing time.

        Raises:
            ConfigError: No parameter goes by that name.

        [render thread]
        """
        knob = self._knobs.get(name)
        if knob is None:
            raise ConfigError(f"effects: no parameter is named {name!r}.{suggestion(name, self._knobs)}")
        if not math.isfinite(value):
            self.bad_values += 1
            return
        knob.aim(value)
        if knob not in self._moving:
            self._moving.append(knob)

    def process(self, block: Audio) -> Audio:
        """Return the processed block, `[2, samples]` in and out, any length.

        An empty chain returns the block it was given. [render thread]
        """
        if self._empty or block.shape[1] == 0:
            return block
        if self._moving:
            self._glide(block.shape[1])
        if not np.isfinite(block).all():
            self.bad_blocks += 1
            block = np.where(np.isfinite(block), block, np.float32(0.0))
        heard = self._pieces(block)
        if np.isfinite(heard).all():
            return heard
        self.bad_blocks += 1
        self.reset()
        return np.zeros_like(block)

    def reset(self) -> None:
        """Forget tails and histories; parameters stay where they are.

        A chain with a Delay takes about 0.6 ms (pedalboard clears 30 s of it), others 0.1 ms.

        [render thread]
        """
        if self._empty:
            return
        self._board.reset()
        self._prime()

    def _glide(self, samples: int) -> None:
        for knob in self._moving:
            knob.advance(samples)
        self._moving = [knob for knob in self._moving if not knob.settled]

    def _pieces(self, block: Audio) -> Audio:
        if block.shape[1] <= PIECE_SAMPLES:
            return self._through(block)
        starts = range(0, block.shape[1], PIECE_SAMPLES)
        return np.concatenate([self._through(block[:, at : at + PIECE_SAMPLES]) for at in starts], axis=1)

    def _through(self, piece: Audio) -> Audio:
        heard: Audio = self._board.process(piece, self._sample_rate, reset=False)
        return heard

    def _prime(self) -> int:
        """Send silence ahead of the stream; returns how many samples came back."""
        return PIECE_SAMPLES if self._empty else int(self._through(self._prime_silence).shape[1])

    def _build(self, place: int, name: str, values: Mapping[str, float]) -> Any:
        where = f"effects[{place}]"
        try:
            effect = effect_spec(name)
        except ConfigError as error:
            raise ConfigError(f"{where}: {error}") from None
        plugin = effect.make()
        for spec in _checked(effect, values, self._sample_rate, f"{where} ({name})"):
            full_name = f"fx.{place}.{spec.name}"
            self._knobs[full_name] = Knob(plugin, spec.name, replace(spec, name=full_name), self._sample_rate)
        return plugin


def _checked(
    effect: EffectSpec, values: Mapping[str, float], sample_rate: int, where: str
) -> list[ParamSpec]:
    """Return the effect's parameters with the given values as defaults."""
    known = {spec.name: spec for spec in effect.params_at(sample_rate)}
    for name in values:
        if name not in known:
            raise ConfigError(
                f"{where}: no parameter is named {name!r}.{suggestion(name, known)}"
                f" It has: {', '.join(known)}."
            )
    return [_valued(spec, values.get(spec.name, spec.default), where) for spec in known.values()]


def _valued(spec: ParamSpec, value: float, where: str) -> ParamSpec:
    if isinstance(value, (int, float)) and spec.minimum <= value <= spec.maximum:
        return replace(spec, default=spec.clamp(float(value)))
    span = f"{spec.minimum:g} to {spec.maximum:g} {spec.unit}".rstrip()
    raise ConfigError(f"{where}: {spec.name} = {value!r} is outside {span}; it is the {spec.doc}.")
