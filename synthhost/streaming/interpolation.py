"""Changing a stream's rate by whole factors as `torch.nn.functional.interpolate` does, exactly in pieces."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import AnyBlock, Block, State
from synthhost.streaming.repeat import Repeat

Mode = Literal["nearest", "linear"]


@dataclass(slots=True)
class PickState(State):
    """How many inputs came, and the last of them, `[batch, 0 or 1, channels]`."""

    last: Tensor | None = None
    seen: int = 0


class Decimate(Block[PickState]):
    """One sample of every `factor`, by absolute place; any number of channels.

    "nearest" keeps the first of each group, "linear" the middle of it (between two where there is none). Over
    streams of whole groups that is torch's interpolation of the same name, corners not aligned.
    """

    in_channels = None
    out_channels = None

    def __init__(self, factor: int, mode: Mode = "nearest") -> None:
        super().__init__()
        assert factor >= 1, factor
        self.factor = factor
        linear = mode == "linear"
        # of a group, the two samples that are averaged
        self.places = ((factor - 1) // 2, factor // 2) if linear else (0, 0)
        self._first, self._second = self.places

    def forward(self, x: Tensor) -> Tensor:
        """Thin a whole stream out, `[batch, channels, time]`."""
        count = self.total(x.shape[2])
        first, second = (x[:, :, at :: self.factor][:, :, :count] for at in (self._first, self._second))
        return first if self._first == self._second else 0.5 * first + 0.5 * second

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> PickState:
        """Return the state of a stream that has not begun."""
        return PickState(batch)

    def step(self, x: Tensor, state: PickState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        if not x.shape[1]:
            return x
        done, start = self.ready(state.seen), state.seen
        state.seen += x.shape[1]
        count = self.ready(state.seen) - done
        first = done * self.factor - start
        if self._first == self._second:
            return x[:, first + self._second :: self.factor][:, :count]
        known = x if state.last is None else torch.cat((state.last, x), 1)
        state.last = x[:, -1:]
        first += known.shape[1] - x.shape[1]
        one, other = (known[:, first + at :: self.factor][:, :count] for at in (self._first, self._second))
        return 0.5 * one + 0.5 * other

    def finish(self, x: Tensor, state: PickState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return (n_inputs + self.factor - 1 - self._second) // self.factor

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self.ready(n_inputs)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return first * self.factor + self._first, last * self.factor + self._second


class Interpolate(Block[PickState]):
    """`factor` samples on the straight line between each two; any number of channels.

    Corners are not aligned: a sample stands in the middle of those it becomes, and the first and last ones
    continue level to the edges. With `factor` odd one output is the sample itself. Torch rounds places to
    float32 and so strays with the time; here a place is within its line, and good for ever.
    """

    in_channels = None
    out_channels = None
    towards: Tensor  # how far each output of a line stands on the way to the next sample, `[factor, 1]`

    def __init__(self, factor: int) -> None:
        super().__init__()
        assert factor >= 1, factor
        self.factor = factor
        self._before, self._after = (factor + 1) // 2, factor // 2  # level outputs at either edge
        places = torch.arange(factor, dtype=torch.float64) + (1.0 if factor % 2 else 0.5)
        self.register_buffer("towards", (places / factor)[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Interpolate a whole stream, `[batch, channels, time]`."""
        return self.finish(x.transpose(1, 2), self.new_state(x.shape[0])).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> PickState:
        """Return the state of a stream that has not begun."""
        return PickState(batch)

    def step(self, x: Tensor, state: PickState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        if not x.shape[1]:
            return x
        known = x if state.last is None else torch.cat((state.last, x), 1)
        lines = self._lines(known)
        if not state.seen:
            lines = torch.cat((x[:, :1].expand(-1, self._before, -1), lines), 1)
        state.seen += x.shape[1]
        state.last = x[:, -1:]
        return lines

    def finish(self, x: Tensor, state: PickState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        decided = self.step(x, state)
        if state.last is None:
            return decided
        level = state.last.expand(-1, self._after, -1)
        return torch.cat((decided, level), 1) if decided.shape[1] else level

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return self.total(n_inputs) - self._after if n_inputs else 0

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs * factor`."""
        return n_inputs * self.factor

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return (first - self._before) // self.factor, (last - self._before) // self.factor + 1

    def _lines(self, known: Tensor) -> Tensor:
        """Return the outputs between neighbours of `[batch, time, channels]`. [render thread]"""
        batch, time, channels = known.shape
        towards = self.towards.to(known.dtype)
        before, after = known[:, :-1, None], known[:, 1:, None]
        lines = before * (1.0 - towards) + after * towards
        return lines.reshape(batch, (time - 1) * self.factor, channels)


def stretch(factor: int, mode: Mode) -> AnyBlock:
    """Return the block that makes `factor` samples of each, the way back from `Decimate` of that mode."""
    return Repeat(factor) if mode == "nearest" else Interpolate(factor)
