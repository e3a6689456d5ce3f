"""The master and the cue bus: sum, gain, limiter, meters."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.engine.strip import Strip


class Limiting(Protocol):
    """Keeps a bus under its ceiling."""

    latency_samples: int
    bad_samples: int

    @property
    def reduction_db(self) -> float:
        """Return how far the level is held down now. [render thread]"""

    def process(self, block: Audio) -> Audio:
        """Return the block `[2, samples]`, delayed, never above the ceiling. [render thread]"""


class Bus:
    """A stereo sum with its own level and limiter."""

    def __init__(self, limiter: Limiting, sample_rate: int, block_samples: int) -> None:
        self.strip = Strip(sample_rate)
        self.limiter = limiter
        self.sum = np.zeros((2, block_samples), dtype=np.float32)

    def begin(self) -> None:
        """Start a block from silence. [render thread]"""
        self.sum[:] = 0.0

    def finish(self, out: Audio) -> None:
        """Write the limited block, `out` `[2, samples]`, as long as the sum or shorter. [render thread]"""
        out[:] = self.limiter.process(self.sum[:, : out.shape[1]])
