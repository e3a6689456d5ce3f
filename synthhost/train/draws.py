"""Chance by number: what a step draws depends on the seed, the process's rank and the step alone."""

from __future__ import annotations

import numpy as np

from synthhost.train import spread


def rng_of(seed: int, step: int, stream: int = 0) -> np.random.Generator:
    """Return the chance of one step of this process; its streams have nothing to do with each other."""
    return np.random.default_rng([seed, step, spread.rank(), stream])
