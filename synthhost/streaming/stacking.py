"""Samples as rows of a hop each, and back: where sound is heard beside the frames that it was made of."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State


@dataclass(slots=True)
class StackState(State):
    """Samples that fill no row yet, `[batch, samples, 1]`."""

    held: Tensor


class Stack(Block[StackState]):
    """Every `hop` samples of one channel become one row of `hop` channels; what fills none is dropped."""

    in_channels = 1

    def __init__(self, hop: int) -> None:
        super().__init__()
        assert hop >= 1, hop
        self.hop = self.out_channels = hop

    def forward(self, x: Tensor) -> Tensor:
        """Stack a whole stream, `[batch, 1, samples]` to `[batch, hop, rows]`."""
        return self._rows(x.transpose(1, 2)).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> StackState:
        """Return the state of a stream that has not begun."""
        return StackState(batch, torch.zeros(batch, 0, 1))

    def step(self, x: Tensor, state: StackState) -> Tensor:
        """Stack the next piece. [render thread]"""
        held = torch.cat((state.held.to(x), x), 1)
        rows = self._rows(held)
        state.held = held[:, rows.shape[1] * self.hop :]
        return rows

    def finish(self, x: Tensor, state: StackState) -> Tensor:
        """Stack the last piece. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs // hop`."""
        return n_inputs // self.hop

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs // hop`."""
        return n_inputs // self.hop

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first sample of a row and the last of another."""
        return first * self.hop, (last + 1) * self.hop - 1

    def _rows(self, x: Tensor) -> Tensor:
        """Return whole rows of `[batch, samples, 1]`. [render thread]"""
        rows = x.shape[1] // self.hop
        return x[:, : rows * self.hop].reshape(x.shape[0], rows, self.hop)


class Unstack(Block[State]):
    """The first `hop` channels of every row become `hop` samples of one channel."""

    out_channels = 1

    def __init__(self, hop: int, channels: int) -> None:
        """Say what rows are made of.

        Args:
            hop: Channels that become samples.
            channels: Of a row.
        """
        super().__init__()
        assert 1 <= hop <= channels, (hop, channels)
        self.hop, self.in_channels = hop, channels

    def forward(self, x: Tensor) -> Tensor:
        """Lay a whole stream's rows behind each other, `[batch, channels, rows]` to `[batch, 1, samples]`."""
        return self._samples(x.transpose(1, 2)).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> State:
        """Return the state of a stream that has not begun."""
        return State(batch)

    def step(self, x: Tensor, state: State) -> Tensor:
        """Lay the next rows behind each other. [render thread]"""
        return self._samples(x)

    def finish(self, x: Tensor, state: State) -> Tensor:
        """Lay the last rows behind each other. [render thread]"""
        return self._samples(x)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs * hop`."""
        return n_inputs * self.hop

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs * hop`."""
        return n_inputs * self.hop

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the rows that samples `first` to `last` lie in."""
        return first // self.hop, last // self.hop

    def _samples(self, x: Tensor) -> Tensor:
        """Return the samples of rows, `[batch, rows, channels]`. [render thread]"""
        return x[:, :, : self.hop].reshape(x.shape[0], x.shape[1] * self.hop, 1)
