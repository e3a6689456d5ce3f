"""What a step of a runner costs on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from synthhost.core.seams import Runner


@dataclass(frozen=True, slots=True)
class StepCost:
    """Seconds that one step of `chunk_frames` frames takes, and the seconds of sound it makes."""

    chunk_frames: int
    median_seconds: float
    p99_seconds: float
    chunk_seconds: float


def cost_per_step(runner: Runner, chunk_frames: int, repeats: int = 100) -> StepCost:
    """Time `repeats` steps of a running stream of quiet noise, one voice, on the calling thread."""
    spec = runner.spec
    frames = np.random.default_rng(0).standard_normal((1, spec.bands, chunk_frames)).astype(np.float32)
    out = np.zeros((1, chunk_frames * spec.hop_samples), np.float32)
    state = runner.new_state()
    for _ in range(spec.receptive_frames // chunk_frames + 3):
        runner.step(frames, state, out)
    seconds = np.empty(repeats)
    for repeat in range(repeats):
        start = time.perf_counter()
        runner.step(frames, state, out)
        seconds[repeat] = time.perf_counter() - start
    return StepCost(
        chunk_frames,
        float(np.median(seconds)),
        float(np.quantile(seconds, 0.99)),
        chunk_frames * spec.hop_samples / spec.sample_rate,
    )
