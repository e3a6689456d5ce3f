"""What a step of a runner costs on this machine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.note_frames import measuring_frames
from synthhost.core.seams import Reserving, Runner

_WARM_FRAMES = 16
_UNTIMED = 2  # steps of a new size, before it is timed


TAIL_STEPS = 1000
"""So few steps must be timed for one in a thousand to be among them."""


@dataclass(frozen=True, slots=True)
class StepCost:
    """Seconds that one step of `chunk_frames` frames takes, and the seconds of sound it makes.

    `p999_seconds` is the longest of all where fewer than `TAIL_STEPS` steps were timed.
    """

    chunk_frames: int
    median_seconds: float
    p99_seconds: float
    chunk_seconds: float
    p999_seconds: float = 0.0
    steps: int = 0

    @property
    def tail_seconds(self) -> float:
        """Return the longest a step is known to take, but for one in a thousand."""
        return max(self.p99_seconds, self.p999_seconds)

    @property
    def tail_name(self) -> str:
        """Return what `tail_seconds` is: "p99.9", or the longest of so many steps."""
        return "p99.9" if self.steps >= TAIL_STEPS else f"the longest of {self.steps} steps"

    def rules_out(self, chunk_frames: int) -> bool:
        """Tell whether steps of so many frames cannot keep up either, even if their number cost nothing."""
        return self.median_seconds > self.chunk_seconds * chunk_frames / self.chunk_frames


def running_state(runner: Runner, chunk_frames: int = _WARM_FRAMES) -> Any:
    """Return the state of a stream that has begun: a step does all that steps ever do.

    What a network looks back on is read in few large steps: a diffusion's first ones cost less than later.
    """
    state = runner.new_state()
    frames, out = quiet_noise(runner, chunk_frames)
    for _ in range(runner.spec.receptive_frames // chunk_frames + 1):
        runner.step(frames, state, out)
    return state


def cost_per_step(runner: Runner, chunk_frames: int, repeats: int = 100, running: Any = None) -> StepCost:
    """Time `repeats` steps of a running stream of quiet noise, one voice, on the calling thread.

    Args:
        runner: Of the model.
        chunk_frames: Of every step.
        repeats: How many are timed.
        running: What `running_state` made, for several measurements; it is left as it is.
    """
    spec = runner.spec
    if isinstance(runner, Reserving):
        runner.reserve(chunk_frames)
    frames, out = quiet_noise(runner, chunk_frames)
    state = running_state(runner, chunk_frames) if running is None else running.copy()
    for _ in range(_UNTIMED):
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
        float(np.quantile(seconds, 0.999) if repeats >= TAIL_STEPS else seconds.max()),
        repeats,
    )


def quiet_noise(runner: Runner, chunk_frames: int) -> tuple[Features, Audio]:
    """Return frames for one step, of noise or of a note, `[1, bands, frames]`, and room for what it gives."""
    spec = runner.spec
    noise: NDArray[np.floating[Any]]
    if spec.notes is not None:
        noise = measuring_frames(spec.notes, spec.sample_rate, spec.hop_samples, chunk_frames)[None]
    else:
        noise = np.random.default_rng(0).standard_normal((1, spec.bands, chunk_frames))
    room = chunk_frames * spec.hop_samples + spec.burst_samples
    return noise.astype(np.float32), np.zeros((1, room), np.float32)
