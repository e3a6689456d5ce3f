"""What every streaming block offers: one offline pass, the same pass in pieces, and exact integer timing."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeAlias, TypeVar

import torch
from torch import Tensor, nn

from synthhost.core.draws import Draws
from synthhost.streaming.kernels import Pack, pack_convolution


@dataclass(slots=True)
class State:
    """What one running stream remembers in one block.

    Tensors in a state are replaced and never written to, so a copy may share them.
    """

    batch: int

    def copy(self) -> Self:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self)

    def set_control(self, name: str, value: float) -> None:
        """Take over a live control; a state that knows none so named ignores it. [render thread]"""


S = TypeVar("S", bound=State)


class Block(nn.Module, ABC, Generic[S]):
    """A layer or a composition of layers that runs whole or in pieces with the same result.

    `forward` is plain torch over `[batch, channels, time]`: it trains and it is the oracle. `step` and
    `finish` work time-major, `[batch, time, channels]`, on pieces of any length, zero included, and emit
    only what no later input can change. They run under `torch.inference_mode()` or `no_grad()`.

    A stream without input has no output: `total(0) == 0`.
    """

    in_channels: int | None  # None: any
    out_channels: int | None
    parts: tuple[AnyBlock, ...] = ()  # direct children, in order

    @property
    def timed(self) -> Self:
        """Return the block itself: it is played as it is."""
        return self

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """Run whole, `[batch, channels, time]` in and out.

        Raises:
            FeatureError: The input is too short for this block.
        """

    @abstractmethod
    def new_state(self, batch: int = 1, draws: Draws | None = None) -> S:
        """Return the state of a stream that has not begun; blocks of noise draw from `draws`."""

    @abstractmethod
    def step(self, x: Tensor, state: S) -> Tensor:
        """Take the next piece `[batch, time, channels]` and return what it decides. [render thread]"""

    @abstractmethod
    def finish(self, x: Tensor, state: S) -> Tensor:
        """Take the last piece, add the padding of the end and return all that remains.

        Raises:
            FeatureError: The whole stream was too short for this block.

        [render thread]
        """

    @abstractmethod
    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs, the stream still running."""

    @abstractmethod
    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all.

        Raises:
            FeatureError: So short a stream has no output.
        """

    @abstractmethod
    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on, edges left aside."""

    def flush(self, state: S) -> Tensor:
        """End the stream and return what was held back, `[batch, time, channels]`.

        A tree that takes any number of channels holds nothing back and returns none of any channel.

        [render thread]
        """
        return self.finish(self.no_input(state.batch), state)

    def no_input(self, batch: int) -> Tensor:
        """Return an input of no samples, `[batch, 0, channels]`. [render thread]"""
        first = next(self.parameters(), None)
        device = None if first is None else first.device
        return torch.empty(batch, 0, self.in_channels or 0, device=device)

    def prepare(self, pack: Pack = pack_convolution) -> None:
        """Lay the weights out for `step`, once, before the stream runs; again once they were forgotten.

        Args:
            pack: Which kernel computes a convolution; the default is the fastest this machine has.
        """
        for part in self.parts:
            part.prepare(pack)

    def forget_packing(self) -> None:
        """Drop what `prepare` laid out, because weights change; the next step lays it out anew."""
        for part in self.parts:
            part.forget_packing()


AnyBlock: TypeAlias = Block[Any]
