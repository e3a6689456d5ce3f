"""What two streams of one runner save by stepping together, on this machine."""

from __future__ import annotations

import time

import numpy as np

from synthhost.backends.cost import quiet_noise, running_state
from synthhost.core.seams import Joining, Runner

_LASTING_S = 0.05
_FEWEST, _MOST = 3, 40  # pairs of steps


def joint_gain(runner: Runner, chunk_frames: int) -> float:
    """Return how many times less two streams' steps take together than one after the other.

    It is the median of pairs timed by turns on the calling thread; 1 for what cannot step together.

    Args:
        runner: Of the model.
        chunk_frames: Of every step.
    """
    if not isinstance(runner, Joining):
        return 1.0
    first = running_state(runner, chunk_frames)
    states = [first, first.copy()]
    frames, out = quiet_noise(runner, chunk_frames)
    outs = [out, out.copy()]
    ratios: list[float] = []
    ends_s = time.perf_counter() + _LASTING_S
    while len(ratios) < _FEWEST or (len(ratios) < _MOST and time.perf_counter() < ends_s):
        begun_s = time.perf_counter()
        for state, one in zip(states, outs, strict=True):
            runner.step(frames, state, one)
        between_s = time.perf_counter()
        runner.step_each([frames, frames], states, outs)
        ratios.append((between_s - begun_s) / (time.perf_counter() - between_s))
    return float(np.median(ratios))
