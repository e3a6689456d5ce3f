"""A dense layer with rows of its own for every position: it turns one vector into a short stream."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State


@dataclass(slots=True)
class PositionState(State):
    """Which position comes next."""

    position: int = 0


class PositionDense(Block[PositionState]):
    """A linear map of each vector of a stream, by the rows that belong to the vector's position.

    The same vector at every position gives what one dense layer makes of that vector, laid out in time. A
    stream of more vectors than there are positions begins anew with the first.

    Attributes:
        weight: `[positions, out, in]`.
        bias: `[positions, out]`.
    """

    in_channels: int
    out_channels: int

    def __init__(self, in_channels: int, out_channels: int, positions: int) -> None:
        super().__init__()
        self.in_channels, self.out_channels, self.positions = in_channels, out_channels, positions
        reach = 1.0 / math.sqrt(in_channels)  # torch's own start for linear maps
        self.weight = nn.Parameter(torch.empty(positions, out_channels, in_channels).uniform_(-reach, reach))
        self.bias = nn.Parameter(torch.empty(positions, out_channels).uniform_(-reach, reach))

    def forward(self, x: Tensor) -> Tensor:
        """Map a whole stream, `[batch, in, time]` to `[batch, out, time]`."""
        return self._mapped(x.transpose(1, 2), 0).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> PositionState:
        """Return the state of a stream that has not begun."""
        return PositionState(batch)

    def step(self, x: Tensor, state: PositionState) -> Tensor:
        """Map the next vectors. [render thread]"""
        y = self._mapped(x, state.position)
        state.position = (state.position + x.shape[1]) % self.positions
        return y

    def finish(self, x: Tensor, state: PositionState) -> Tensor:
        """Map the last vectors. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range itself."""
        return first, last

    def _mapped(self, x: Tensor, first: int) -> Tensor:
        """Map `[batch, time, in]`, one position at a time: so any chunking sums alike. [render thread]"""
        if not x.shape[1]:
            return x.new_empty(x.shape[0], 0, self.out_channels)
        places = [(first + at) % self.positions for at in range(x.shape[1])]
        rows = [F.linear(x[:, at], self.weight[p], self.bias[p]) for at, p in enumerate(places)]
        return torch.stack(rows, 1)
