"""Blocks that look at one moment at a time and know their channels: affine maps, offsets and slices."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor, nn

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State


class ChannelWise(Block[State]):
    """A function of all channels of one moment; remembers nothing."""

    @abstractmethod
    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Return the function of a stream whose channels lie on the axis given, 1 or 2. [render thread]"""

    def forward(self, x: Tensor) -> Tensor:
        """Apply to a whole stream, `[batch, channels, time]`."""
        return self.apply_to(x, 1)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> State:
        """Return the state of a stream that has not begun."""
        return State(batch)

    def step(self, x: Tensor, state: State) -> Tensor:
        """Apply to the next piece, `[batch, time, channels]`. [render thread]"""
        return self.apply_to(x, 2)

    def finish(self, x: Tensor, state: State) -> Tensor:
        """Apply to the last piece. [render thread]"""
        return self.apply_to(x, 2)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range itself."""
        return first, last


class Affine(ChannelWise):
    """`x * weight + bias`, one of each for every channel.

    Attributes:
        weight: `[channels]`.
        bias: `[channels]`.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Scale and shift every channel. [render thread]"""
        if channel_axis == 1:
            return x * self.weight[:, None] + self.bias[:, None]
        return x * self.weight + self.bias


class Offset(ChannelWise):
    """`x + values`, one for every channel, that were computed and not learned.

    Args:
        values: `[channels]`; kept as they are, in their precision and on their device.
    """

    values: Tensor

    def __init__(self, values: Tensor) -> None:
        super().__init__()
        self.in_channels = self.out_channels = values.shape[0]
        self.register_buffer("values", values.detach())

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Shift every channel. [render thread]"""
        return x + (self.values[:, None] if channel_axis == 1 else self.values)


class Standardise(ChannelWise):
    """`(x - mean) / scale`, one of each for every channel, as the statistics of a training set are kept.

    Attributes:
        mean: `[channels]`.
        scale: `[channels]`, a standard deviation.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.in_channels = self.out_channels = channels
        self.mean = nn.Parameter(torch.zeros(channels))
        self.scale = nn.Parameter(torch.ones(channels))

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Shift and divide every channel. [render thread]"""
        if channel_axis == 1:
            return (x - self.mean[:, None]) / self.scale[:, None]
        return (x - self.mean) / self.scale


class Channels(ChannelWise):
    """The channels `first` to `last - 1` of `of`."""

    def __init__(self, first: int, last: int, *, of: int) -> None:
        super().__init__()
        assert 0 <= first < last <= of, (first, last, of)
        self.first, self.last = first, last
        self.in_channels, self.out_channels = of, last - first

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Return the slice. [render thread]"""
        return x.narrow(channel_axis, self.first, self.last - self.first)
