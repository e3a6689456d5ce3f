"""How many frames a model takes at a time, and how far ahead of the sink the engine stays: by measuring."""

from __future__ import annotations

from dataclasses import dataclass, replace

from synthhost.backends.cost import StepCost, cost_per_step, running_state
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec

CHUNKS = (1, 2, 4, 8, 16)  # in units of what is worth a step
ROOM = 0.75  # the share of one core's time that all models together may need
CLIPS_AT_ONCE = 4
"""So many clips of a model that makes clips are taken to sound, and to begin, at the same time."""

_REPEATS_S = 0.6  # how long one chunk size is measured
_FEWEST_REPEATS = 5
_MARGIN_MS = 4.0


@dataclass(frozen=True, slots=True)
class Choice:
    """The chunk a model runs at here, with what that costs."""

    chunk_frames: int
    cost: StepCost
    keeps_up: bool

    @property
    def real_time_factor(self) -> float:
        """Return compute time over sound time; below 1 is faster than real time."""
        return self.cost.median_seconds / self.cost.chunk_seconds


def measure(runner: Runner, chunk_frames: int) -> StepCost:
    """Time a chunk size for about half a second; of a model that makes clips, what several of them need."""
    running = running_state(runner, chunk_frames)
    first = cost_per_step(runner, chunk_frames, 3, running)
    repeats = min(max(int(_REPEATS_S / max(first.median_seconds, 1e-4)), _FEWEST_REPEATS), 60)
    cost = cost_per_step(runner, chunk_frames, repeats, running)
    return _of_clips(cost, runner.spec) if runner.spec.clip_frames else cost


def _of_clips(cost: StepCost, spec: ModelSpec) -> StepCost:
    """Return what clips need together: at best a step each, at worst the end of one, which is many steps."""
    end = 1.0 + spec.look_ahead_samples / (cost.chunk_frames * spec.hop_samples)
    worst_seconds = max(end, CLIPS_AT_ONCE) * cost.p99_seconds
    return replace(cost, median_seconds=CLIPS_AT_ONCE * cost.median_seconds, p99_seconds=worst_seconds)


def choose_chunk(runner: Runner, share: float, fixed: int | None = None) -> Choice:
    """Return the smallest chunk that keeps up within a share of a core, or the cheapest if none does."""
    if fixed is not None:
        cost = measure(runner, fixed)
        return Choice(fixed, cost, cost.median_seconds <= cost.chunk_seconds)
    tried: list[StepCost] = []
    for chunk in CHUNKS:
        chunk_frames = chunk * runner.spec.chunk_unit
        cost = measure(runner, chunk_frames)
        tried.append(cost)
        if cost.median_seconds <= share * cost.chunk_seconds and cost.p99_seconds <= cost.chunk_seconds:
            return Choice(chunk_frames, cost, keeps_up=True)
        if cost.rules_out(CHUNKS[-1] * runner.spec.chunk_unit):
            break
    cheapest = min(tried, key=lambda cost: cost.median_seconds / cost.chunk_seconds)
    return Choice(cheapest.chunk_frames, cheapest, cheapest.median_seconds <= 0.95 * cheapest.chunk_seconds)


def choose_ahead_samples(choices: list[Choice], sample_rate: int, block_samples: int) -> int:
    """Return how far the engine stays before the sink: every model's step at once, two blocks, a margin.

    A change of preset runs one more voice for a moment, so the dearest step counts twice.
    """
    steps_s = [choice.cost.p99_seconds for choice in choices]
    seconds = sum(steps_s) + max(steps_s, default=0.0) + _MARGIN_MS / 1000.0
    blocks = -(-int(seconds * sample_rate) // block_samples) + 2
    return blocks * block_samples
