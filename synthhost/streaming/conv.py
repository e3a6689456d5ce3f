"""The convolution that streams exactly, with zero, reflecting or replicating edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.draws import Draws
from synthhost.core.errors import FeatureError
from synthhost.streaming.block import State
from synthhost.streaming.kernels import Kernel, Pack
from synthhost.streaming.layer import WeightedBlock

Edge = Literal["zeros", "reflect", "replicate"]


@dataclass(slots=True)
class ConvState(State):
    """Input still needed, `[batch, time, channels]`; how much came; whether the left edge is in."""

    held: Tensor
    seen: int = 0
    started: bool = False


class Conv(WeightedBlock[ConvState]):
    """A one-dimensional convolution of stride 1.

    The left padding is made once, when the stream begins (a reflecting edge waits for the samples it
    mirrors), the right one once, when it ends. Between them lies a valid convolution.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        *,
        dilation: int = 1,
        padding: tuple[int, int] = (0, 0),
        edge: Edge = "zeros",
        bias: bool = True,
    ) -> None:
        super().__init__((out_channels, in_channels, kernel), out_channels, bias)
        assert dilation >= 1, dilation
        assert min(padding) >= 0, padding
        self.in_channels, self.out_channels = in_channels, out_channels
        self.kernel, self.dilation = kernel, dilation
        self.left, self.right = padding
        self.edge: Edge = edge
        self.span = (kernel - 1) * dilation  # inputs a window reaches beyond its first
        self._starts_at = self.left + 1 if edge == "reflect" else 1
        mirrored = {"zeros": 0, "reflect": self.right + 1, "replicate": 1}[edge]
        self._keep = max(self.span, mirrored if self.right else 0)

    @property
    def minimum_inputs(self) -> int:
        """The shortest stream that has an output, in samples."""
        reflecting = max(self.left, self.right) + 1 if self.edge == "reflect" else 1
        return max(reflecting, self.span + 1 - self.left - self.right)

    def forward(self, x: Tensor) -> Tensor:
        """Convolve a whole stream, `[batch, in, time]` to `[batch, out, time']`."""
        if not self.total(x.shape[2]):
            return x.new_empty(x.shape[0], self.out_channels, 0)
        mode = "constant" if self.edge == "zeros" else self.edge
        padded = F.pad(x, (self.left, self.right), mode=mode) if self.left or self.right else x
        return F.conv1d(padded, self.weight, self.bias, dilation=self.dilation)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> ConvState:
        """Return the state of a stream that has not begun."""
        return ConvState(batch, self.weight.new_empty(batch, 0, self.in_channels))

    def step(self, x: Tensor, state: ConvState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        if not x.shape[1]:
            return self._nothing(state.batch)
        state.seen += x.shape[1]
        spent = max(0, state.held.shape[1] - self.span) if state.started else 0
        held = torch.cat((state.held, x), 1)
        if not state.started:
            if state.seen < self._starts_at:
                state.held = held
                return self._nothing(state.batch)
            held = self._with_left_edge(held)
            state.started = True
        return self._advance(held, spent, state)

    def finish(self, x: Tensor, state: ConvState) -> Tensor:
        """Take the last piece, add the right edge and return the rest. [render thread]"""
        decided = self.step(x, state)
        self.total(state.seen)
        if not state.seen or not self.right:
            return decided
        spent = max(0, state.held.shape[1] - self.span)
        rest = self._advance(self._with_right_edge(state.held), spent, state)
        return torch.cat((decided, rest), 1)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return max(0, n_inputs + self.left - self.span) if n_inputs >= self._starts_at else 0

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        if 0 < n_inputs < self.minimum_inputs:
            raise FeatureError(
                f"A stream of {n_inputs} samples is too short for a convolution of kernel {self.kernel}, "
                f"dilation {self.dilation} and {self.edge} edges ({self.left}, {self.right}); "
                f"give it at least {self.minimum_inputs}."
            )
        return n_inputs + self.left + self.right - self.span if n_inputs else 0

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return first - self.left, last - self.left + self.span

    def packed(self, pack: Pack) -> Kernel:
        """Return the kernel that computes this block's pieces."""
        return pack(self.weight, self._bias_values(), self.dilation)

    def _advance(self, held: Tensor, spent: int, state: ConvState) -> Tensor:
        """Convolve what no window has begun at yet and keep what is still needed. [render thread]"""
        length = held.shape[1]
        state.held = held[:, length - self._keep :] if length > self._keep else held
        if length - spent <= self.span:
            return self._nothing(state.batch)
        return self._convolve(held[:, spent:] if spent else held)

    def _with_left_edge(self, held: Tensor) -> Tensor:
        """Return the first inputs with the left padding before them. [render thread]"""
        if not self.left:
            return held
        batch, _, channels = held.shape
        if self.edge == "zeros":
            edge = held.new_zeros(batch, self.left, channels)
        elif self.edge == "reflect":
            edge = held[:, 1 : self.left + 1].flip(1)
        else:
            edge = held[:, :1].expand(batch, self.left, channels)
        return torch.cat((edge, held), 1)

    def _with_right_edge(self, held: Tensor) -> Tensor:
        """Return the last inputs with the right padding after them. [render thread]"""
        batch, length, channels = held.shape
        if self.edge == "zeros":
            edge = held.new_zeros(batch, self.right, channels)
        elif self.edge == "reflect":
            edge = held[:, length - self.right - 1 : length - 1].flip(1)
        else:
            edge = held[:, -1:].expand(batch, self.right, channels)
        return torch.cat((held, edge), 1)
