"""Noise as a block: values by absolute sample, so that any chunking draws the same."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.draws import Draws, SeededDraws
from synthhost.streaming.block import Block, State

TEMPERATURE = "temperature"
SEED = "seed"


@dataclass(slots=True)
class NoiseState(State):
    """Where a stream stands on its noise: what draws, the next index, and how loud it is."""

    draws: Draws
    first: int = 0
    temperature: float = 1.0

    def set_control(self, name: str, value: float) -> None:
        """Take over `temperature` (a factor) or `seed`. [render thread]"""
        if name == TEMPERATURE:
            self.temperature = value
        elif name == SEED:
            self.draws = self.draws.reseeded(int(value))


class Noise(Block[NoiseState]):
    """Standard normal noise of one channel, as long as the stream it stands beside, whose values it ignores.

    Attributes:
        offline_draws: What `forward` draws from.
    """

    in_channels = None
    out_channels = 1

    def __init__(self, stream: int) -> None:
        super().__init__()
        self.stream = stream
        self.offline_draws: Draws = SeededDraws.of(0)

    def forward(self, x: Tensor) -> Tensor:
        """Return noise beside a whole stream, `[batch, any, time]` to `[batch, 1, time]`."""
        noise = torch.from_numpy(self.offline_draws.normals(self.stream, 0, x.shape[2]))
        return noise.to(x)[:, None].expand(x.shape[0], -1, -1)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> NoiseState:
        """Return the state of a stream that has not begun."""
        return NoiseState(batch, draws or SeededDraws.of(0, batch))

    def step(self, x: Tensor, state: NoiseState) -> Tensor:
        """Return as much noise as there is of the next piece. [render thread]"""
        count = x.shape[1]
        noise = torch.as_tensor(state.draws.normals(self.stream, state.first, count))
        state.first += count
        drawn = noise.to(x)[:, :, None]
        return drawn if state.temperature == 1.0 else drawn * state.temperature

    def finish(self, x: Tensor, state: NoiseState) -> Tensor:
        """Return as much noise as there is of the last piece. [render thread]"""
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
