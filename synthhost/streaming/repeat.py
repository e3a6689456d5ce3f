"""Nearest-neighbour resampling by whole factors, and the count of samples that frames fill."""

from __future__ import annotations

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State


class Repeat(Block[State]):
    """Every sample `factor` times; any number of channels, none included."""

    in_channels = None
    out_channels: int | None = None

    def __init__(self, factor: int) -> None:
        super().__init__()
        assert factor >= 1, factor
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Repeat a whole stream, `[batch, channels, time]`."""
        return torch.repeat_interleave(x, self.factor, dim=2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> State:
        """Return the state of a stream that has not begun."""
        return State(batch)

    def step(self, x: Tensor, state: State) -> Tensor:
        """Repeat the next piece. [render thread]"""
        return torch.repeat_interleave(x, self.factor, dim=1)

    def finish(self, x: Tensor, state: State) -> Tensor:
        """Repeat the last piece. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs * factor`."""
        return n_inputs * self.factor

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs * factor`."""
        return n_inputs * self.factor

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` repeat."""
        return first // self.factor, last // self.factor


class Clock(Repeat):
    """As many samples of no channels as `factor` a frame: what noise stands beside."""

    out_channels = 0

    def forward(self, x: Tensor) -> Tensor:
        """Return `[batch, 0, time * factor]` beside `[batch, any, time]`."""
        return super().forward(x[:, :0])

    def step(self, x: Tensor, state: State) -> Tensor:
        """Count the next piece. [render thread]"""
        return super().step(x[:, :, :0], state)
