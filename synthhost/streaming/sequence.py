"""Blocks one after the other."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import AnyBlock, Block, State


@dataclass(slots=True)
class CompositeState(State):
    """The states of the parts, in order."""

    parts: list[State]

    def copy(self) -> Self:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self, parts=[part.copy() for part in self.parts])

    def set_control(self, name: str, value: float) -> None:
        """Hand a control to every part. [render thread]"""
        for part in self.parts:
            part.set_control(name, value)


class Sequence(Block[CompositeState]):
    """Named blocks one after the other."""

    def __init__(self, parts: Mapping[str, AnyBlock]) -> None:
        super().__init__()
        assert parts
        for name, part in parts.items():
            self.add_module(name, part)
        self.parts = tuple(parts.values())
        self.in_channels = next((p.in_channels for p in self.parts if p.in_channels), None)
        self.out_channels = next((p.out_channels for p in reversed(self.parts) if p.out_channels), None)

    def __getitem__(self, name: str) -> AnyBlock:
        part = self._modules[name]
        assert isinstance(part, Block)
        return part

    def forward(self, x: Tensor) -> Tensor:
        """Run all parts over a whole stream, `[batch, channels, time]`."""
        for part in self.parts:
            x = part(x)
        return x

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> CompositeState:
        """Return the state of a stream that has not begun."""
        return CompositeState(batch, [part.new_state(batch, draws) for part in self.parts])

    def step(self, x: Tensor, state: CompositeState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        for part, its_state in zip(self.parts, state.parts, strict=True):
            x = part.step(x, its_state)
        return x

    def finish(self, x: Tensor, state: CompositeState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        for part, its_state in zip(self.parts, state.parts, strict=True):
            x = part.finish(x, its_state)
        return x

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        for part in self.parts:
            n_inputs = part.ready(n_inputs)
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        for part in self.parts:
            n_inputs = part.total(n_inputs)
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        for part in reversed(self.parts):
            first, last = part.support(first, last)
        return first, last
