"""Blocks beside each other: around a shortcut, or several on the same input."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock, Block
from synthhost.streaming.sequence import CompositeState

_PROBE = 1 << 16  # inputs, far beyond any edge, at which lengths are compared
Combine = Literal["mean", "sum"]


@dataclass(slots=True)
class WaitingState(CompositeState):
    """The states of the parts, and a queue for each stream that must wait, `[batch, time, channels]`."""

    queues: list[Tensor | None]

    def copy(self) -> Self:
        """Return an independent state with the same future. [render thread]"""
        parts = [part.copy() for part in self.parts]
        return dataclasses.replace(self, parts=parts, queues=list(self.queues))


def _joined(queue: Tensor | None, x: Tensor) -> Tensor:
    """Return what waits, the new last. [render thread]"""
    return x if queue is None or not queue.shape[1] else torch.cat((queue, x), 1)


class Residual(Block[WaitingState]):
    """`x + body(x)`: the input waits in a queue until the body has decided as many samples.

    Raises:
        ConfigError: The body changes the length of a stream.
    """

    def __init__(self, body: AnyBlock) -> None:
        super().__init__()
        self.body = body
        self.parts = (body,)
        self.in_channels, self.out_channels = body.in_channels, body.out_channels
        if body.total(_PROBE) != _PROBE:
            raise ConfigError(
                f"A residual body turns {_PROBE} samples into {body.total(_PROBE)}, so it cannot be added "
                "to its input; pad its convolutions to keep the length."
            )

    def forward(self, x: Tensor) -> Tensor:
        """Run over a whole stream, `[batch, channels, time]`."""
        y: Tensor = x + self.body(x)
        return y

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> WaitingState:
        """Return the state of a stream that has not begun."""
        return WaitingState(batch, [self.body.new_state(batch, draws)], [None])

    def step(self, x: Tensor, state: WaitingState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        return self._add(x, self.parts[0].step(x, state.parts[0]), state)

    def finish(self, x: Tensor, state: WaitingState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        return self._add(x, self.parts[0].finish(x, state.parts[0]), state)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return self.body.ready(n_inputs)

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self.body.total(n_inputs)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        lowest, highest = self.body.support(first, last)
        return min(first, lowest), max(last, highest)

    def _add(self, x: Tensor, y: Tensor, state: WaitingState) -> Tensor:
        """Add as much waiting input as the body has decided. [render thread]"""
        waiting = _joined(state.queues[0], x)
        decided = y.shape[1]
        state.queues[0] = waiting[:, decided:]
        return y + waiting[:, :decided]


class Branches(Block[WaitingState]):
    """The same input through several blocks, their outputs summed or averaged; fast ones wait for slow ones.

    Raises:
        ConfigError: The branches give streams of different length.
    """

    def __init__(self, branches: Sequence[AnyBlock], combine: Combine) -> None:
        super().__init__()
        assert branches
        for index, branch in enumerate(branches):
            self.add_module(str(index), branch)
        self.parts = tuple(branches)
        self.combine: Combine = combine
        self.in_channels = next((p.in_channels for p in self.parts if p.in_channels), None)
        self.out_channels = next((p.out_channels for p in self.parts if p.out_channels), None)
        lengths = [branch.total(_PROBE) for branch in self.parts]
        if len(set(lengths)) > 1:
            raise ConfigError(
                f"Branches turn {_PROBE} samples into {lengths} samples and cannot be added; "
                "give them paddings that end in the same length."
            )

    def forward(self, x: Tensor) -> Tensor:
        """Run over a whole stream, `[batch, channels, time]`."""
        return self._combined([part(x) for part in self.parts])

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> WaitingState:
        """Return the state of a stream that has not begun."""
        states = [part.new_state(batch, draws) for part in self.parts]
        return WaitingState(batch, states, [None] * len(states))

    def step(self, x: Tensor, state: WaitingState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        outputs = [part.step(x, one) for part, one in zip(self.parts, state.parts, strict=True)]
        return self._align(outputs, state)

    def finish(self, x: Tensor, state: WaitingState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        outputs = [part.finish(x, one) for part, one in zip(self.parts, state.parts, strict=True)]
        return self._align(outputs, state)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return min(part.ready(n_inputs) for part in self.parts)

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return min(part.total(n_inputs) for part in self.parts)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        ranges = [part.support(first, last) for part in self.parts]
        return min(low for low, _ in ranges), max(high for _, high in ranges)

    def _align(self, outputs: list[Tensor], state: WaitingState) -> Tensor:
        """Combine what all branches have decided; the rest waits. [render thread]"""
        waiting = [_joined(queue, new) for queue, new in zip(state.queues, outputs, strict=True)]
        decided = min(one.shape[1] for one in waiting)
        state.queues = [one[:, decided:] for one in waiting]
        return self._combined([one[:, :decided] for one in waiting])

    def _combined(self, outputs: list[Tensor]) -> Tensor:
        """Return the sum or mean of equal shapes. [render thread]"""
        total = outputs[0]
        for output in outputs[1:]:
            total = total + output
        return total / len(outputs) if self.combine == "mean" else total
