"""Blocks that look at one sample at a time and so remember nothing."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State


class Pointwise(Block[State]):
    """A function of each value alone; any number of channels, any layout."""

    in_channels = None
    out_channels = None

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> State:
        """Return the state of a stream that has not begun."""
        return State(batch)

    def step(self, x: Tensor, state: State) -> Tensor:
        """Take the next piece and return as many values. [render thread]"""
        return self.forward(x)

    def finish(self, x: Tensor, state: State) -> Tensor:
        """Take the last piece and return as many values. [render thread]"""
        return self.forward(x)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range itself."""
        return first, last


class LeakyReLU(Pointwise):
    """Negative values times `slope`."""

    def __init__(self, slope: float) -> None:
        super().__init__()
        self.slope = slope

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every value. [render thread]"""
        return F.leaky_relu(x, self.slope)


class Tanh(Pointwise):
    """The hyperbolic tangent."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every value. [render thread]"""
        return torch.tanh(x)


class ReLU(Pointwise):
    """Negative values become 0."""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every value. [render thread]"""
        return F.relu(x)


class Scale(Pointwise):
    """Every value times `factor`."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every value. [render thread]"""
        return x * self.factor


class Clamp(Pointwise):
    """Every value kept within `lowest..highest`."""

    def __init__(self, lowest: float, highest: float) -> None:
        super().__init__()
        self.lowest, self.highest = lowest, highest

    def forward(self, x: Tensor) -> Tensor:
        """Apply to every value. [render thread]"""
        return x.clamp(self.lowest, self.highest)
