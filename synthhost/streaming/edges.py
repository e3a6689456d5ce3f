"""What stands before a stream begins and after it has ended."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import AnyBlock, Block, State
from synthhost.streaming.sequence import CompositeState

_PROBE = 1 << 16  # inputs, far beyond any edge, at which lengths are compared


@dataclass(slots=True)
class LeadState(State):
    """Whether the first sample has come."""

    started: bool = False


class Lead(Block[LeadState]):
    """A stream with its first sample `count` times more before it; any number of channels."""

    in_channels = None
    out_channels = None

    def __init__(self, count: int) -> None:
        super().__init__()
        assert count >= 0, count
        self.count = count

    def forward(self, x: Tensor) -> Tensor:
        """Lengthen a whole stream, `[batch, channels, time]`."""
        return torch.cat((x[:, :, :1].expand(-1, -1, self.count), x), 2) if x.shape[2] else x

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> LeadState:
        """Return the state of a stream that has not begun."""
        return LeadState(batch)

    def step(self, x: Tensor, state: LeadState) -> Tensor:
        """Take the next piece and return it, the first one longer. [render thread]"""
        if state.started or not x.shape[1]:
            return x
        state.started = True
        return torch.cat((x[:, :1].expand(-1, self.count, -1), x), 1)

    def finish(self, x: Tensor, state: LeadState) -> Tensor:
        """Take the last piece. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs + count`, or 0 of none."""
        return n_inputs + self.count if n_inputs else 0

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs + count`, or 0 of none."""
        return self.ready(n_inputs)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range, moved to where it came from."""
        return first - self.count, last - self.count


@dataclass(slots=True)
class TailState(CompositeState):
    """The state of the block inside, and how many inputs it was given."""

    seen: int = 0


class Tail(Block[TailState]):
    """A block that is given `frames` more of one value when a stream ends; what they become is dropped.

    So the last true outputs are made as if silence went on, and not against the block's edge. The block
    must not give outputs before their inputs.
    """

    def __init__(self, inner: AnyBlock, frames: int, value: float) -> None:
        super().__init__()
        assert frames >= 0, frames
        self.inner, self.frames, self.value = inner, frames, value
        self.parts = (inner,)
        self.in_channels, self.out_channels = inner.in_channels, inner.out_channels
        self._dropped = inner.total(_PROBE + frames) - inner.total(_PROBE)

    def forward(self, x: Tensor) -> Tensor:
        """Run over a whole stream, `[batch, channels, time]`."""
        frames = self.frames if x.shape[2] else 0
        more = x.new_full((x.shape[0], x.shape[1], frames), self.value)
        y: Tensor = self.inner(torch.cat((x, more), 2))
        return y[:, :, : self.total(x.shape[2])]

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> TailState:
        """Return the state of a stream that has not begun."""
        return TailState(batch, [self.inner.new_state(batch, draws)])

    def step(self, x: Tensor, state: TailState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        state.seen += x.shape[1]
        y: Tensor = self.inner.step(x, state.parts[0])
        return y

    def finish(self, x: Tensor, state: TailState) -> Tensor:
        """Take the last piece, go on with the value, return the rest of the true outputs. [render thread]"""
        emitted = self.ready(state.seen)
        state.seen += x.shape[1]
        frames = self.frames if state.seen else 0
        more = x.new_full((x.shape[0], frames, x.shape[2]), self.value)
        y: Tensor = self.inner.finish(torch.cat((x, more), 1), state.parts[0])
        return y[:, : self.total(state.seen) - emitted]

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return self.inner.ready(n_inputs)

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self.inner.total(n_inputs + self.frames) - self._dropped if n_inputs else 0

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        return self.inner.support(first, last)
