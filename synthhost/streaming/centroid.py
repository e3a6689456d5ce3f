"""Where a row of scores is highest: the mean place around its highest one, finer than places lie apart."""

from __future__ import annotations

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.streaming.block import Block, State

_FAR = 1e30  # scores beyond count as this


class Centroid(Block[State]):
    """Makes scores (logits) of places that lie evenly into one place, as CREPE does (Kim and others 2018).

    The exponentials of the highest score and of `reach` beside it on either side weigh their places.
    """

    out_channels = 1

    def __init__(self, places: int, first: float, apart: float, reach: int) -> None:
        """Say where places lie.

        Args:
            places: How many, the channels that come in.
            first: Where the first one lies.
            apart: What lies between one and the next.
            reach: Places on either side of the highest that count.
        """
        super().__init__()
        assert places > 2 * reach >= 0
        self.in_channels = self.places = places
        self.first, self.apart, self.reach = first, apart, reach

    def forward(self, x: Tensor) -> Tensor:
        """Take a whole stream, `[batch, places, frames]`."""
        return self._middle(x.transpose(1, 2)).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> State:
        """Return the state of a stream that has not begun."""
        return State(batch)

    def step(self, x: Tensor, state: State) -> Tensor:
        """Take the next rows. [render thread]"""
        return self._middle(x)

    def finish(self, x: Tensor, state: State) -> Tensor:
        """Take the last rows. [render thread]"""
        return self._middle(x)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range itself."""
        return first, last

    def _middle(self, x: Tensor) -> Tensor:
        """Return a place a row, `[batch, frames, 1]`. [render thread]"""
        scores = torch.nan_to_num(x, nan=-_FAR).clamp(-_FAR, _FAR)
        highest, where = scores.max(2, keepdim=True)
        beside = torch.arange(-self.reach, self.reach + 1, device=x.device)
        near = where + beside
        there = (near >= 0) & (near < self.places)
        weights = torch.exp(scores.gather(2, near.clamp(0, self.places - 1)) - highest) * there
        middle = where + (weights * beside).sum(2, keepdim=True) / weights.sum(2, keepdim=True)
        return self.first + self.apart * middle
