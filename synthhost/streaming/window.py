"""A network played as if its sound ended a little ahead: less look-ahead than it needs, for an error.

Nothing else here is inexact. A network that looks far ahead must wait for what it looks at, or do without.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import AnyBlock, Block, State
from synthhost.streaming.timing import hop_samples, look_ahead_samples


@dataclass(slots=True)
class WindowState(State):
    """The exact stream of the network inside, how many outputs it gave, and how many inputs came."""

    body: State
    exact: int = 0
    seen: int = 0

    def copy(self) -> Self:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self, body=self.body.copy())

    def set_control(self, name: str, value: float) -> None:
        """Hand a control to the network. [render thread]"""
        self.body.set_control(name, value)


class Window(Block[WindowState]):
    """A block whose every output is computed as if the stream ended `ahead` inputs after it.

    After each input the exact stream goes on, and a copy of it is ended there: the copy's outputs up to
    `ahead` inputs before that end are given. What was given is never taken back, so neighbouring hops stem
    from ends one input apart. The same in any chunking.

    Each input costs the block's whole look-ahead over again. `forward` is the block's own exact pass.

    Args:
        body: The block; it gives whole hops, and streams of any length have edges.
        ahead: In inputs; less than the block's own look-ahead.
    """

    def __init__(self, body: AnyBlock, ahead: int) -> None:
        super().__init__()
        self.body = body
        self.ahead = ahead
        self.parts = (body,)
        self.in_channels, self.out_channels = body.in_channels, body.out_channels
        self._hop = hop_samples(body)
        assert 0 <= ahead * self._hop <= look_ahead_samples(body), ahead

    def forward(self, x: Tensor) -> Tensor:
        """Run whole and exactly, `[batch, channels, time]`."""
        y: Tensor = self.body(x)
        return y

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> WindowState:
        """Return the state of a stream that has not begun."""
        return WindowState(batch, self.body.new_state(batch, draws))

    def step(self, x: Tensor, state: WindowState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        pieces = [self._advance(x[:, at : at + 1], state) for at in range(x.shape[1])]
        return torch.cat(pieces, 1) if pieces else self.body.step(x, state.body)

    def finish(self, x: Tensor, state: WindowState) -> Tensor:
        """Take the last piece and return the rest; the end is the true one here. [render thread]"""
        decided = self.step(x, state)
        late = self.ready(state.seen) - state.exact
        return torch.cat((decided, self.body.flush(state.body)[:, late:]), 1)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are given after `n_inputs` inputs."""
        return max(0, n_inputs - self.ahead) * self._hop

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self.body.total(n_inputs)

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        lowest, highest = self.body.support(first, last)
        return lowest, min(highest, last // self._hop + self.ahead)

    def _advance(self, x: Tensor, state: WindowState) -> Tensor:
        """Take one input and return the hop that lies `ahead` behind it, if there is one. [render thread]"""
        given, exact = self.ready(state.seen), state.exact
        decided = self.body.step(x, state.body)
        state.exact += decided.shape[1]
        state.seen += 1
        count = self.ready(state.seen) - given
        if not count:
            return decided[:, :0]
        sound = torch.cat((decided, self.body.flush(state.body.copy())), 1)
        return sound[:, given - exact :][:, :count]


def windowed(body: AnyBlock, window_samples: int) -> AnyBlock:
    """Return a block that looks so many samples ahead at most, in whole hops; itself if that is all."""
    ahead = window_samples // hop_samples(body)
    return Window(body, ahead) if ahead * hop_samples(body) < look_ahead_samples(body) else body
