"""How many frames a model takes at a time, and how far ahead of the sink the engine stays: by measuring."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from synthhost.backends.cost import TAIL_STEPS, StepCost, cost_per_step, running_state
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec

CHUNKS = (1, 2, 4, 8, 16)  # in units of what is worth a step
ROOM = 0.75  # the share of one core's time that all models together may need
CLIPS_AT_ONCE = 4
"""So many clips of a model that makes clips are taken to sound, and to begin, at the same time."""

_LOOK_S = 0.1  # how long a chunk size is looked at first
_LOOK_STEPS = 60
_FEWEST_REPEATS = 5
_FAR_FROM = 0.25  # of its sound's time: where no step of a whole look took more, ...
_GLANCE_S = 0.1  # ... and none within so long does either, a chunk fits
_TAIL_S = 1.0  # how long a chunk that fits is timed for its p99.9
_NEXT_TAIL_S = 0.5  # and those after one that failed
_MOST_STEPS = 2 * TAIL_STEPS
_MARGIN_MS = 4.0
_HEAVIER = 1.5  # who works more of the time falls behind further
_MORE, LESS = 1.3, 2.0  # a median may have moved so far and still be taken for the same
FULL = 0.95
"""Of a core: beyond this nothing is left for the rest of the engine."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The chunk a model runs at here and the threads that share its steps, with what that costs.

    Attributes:
        chunk_frames: It.
        cost: Of a step.
        keeps_up: Whether that is soon enough.
        threads: That share a step.
        share: Of a core, within which it was chosen; 0: not known.
        chosen_s: When, in seconds since 1970; 0: not known.
    """

    chunk_frames: int
    cost: StepCost
    keeps_up: bool
    threads: int = 1
    share: float = 0.0
    chosen_s: float = 0.0

    @property
    def real_time_factor(self) -> float:
        """Return compute time over sound time; below 1 is faster than real time."""
        return self.cost.median_seconds / self.cost.chunk_seconds

    @property
    def hopeless(self) -> bool:
        """Whether the median step takes nearly all of a core or more."""
        return self.real_time_factor > FULL


def measure(
    runner: Runner, chunk_frames: int, lasting_s: float = _LOOK_S, most: int = _LOOK_STEPS
) -> StepCost:
    """Time a chunk size for about so long; of a model that makes clips, what several of them need."""
    running = running_state(runner, chunk_frames)
    first = cost_per_step(runner, chunk_frames, 3, running)
    repeats = min(max(int(lasting_s / max(first.median_seconds, 1e-4)), _FEWEST_REPEATS), most)
    cost = cost_per_step(runner, chunk_frames, repeats, running)
    return _of_parts(cost, runner.spec) if runner.spec.clip_frames or runner.spec.notes else cost


def measure_tail(runner: Runner, chunk_frames: int, lasting_s: float = _TAIL_S) -> StepCost:
    """Time so many steps of a chunk size, within a bounded time, that one in a thousand is among them."""
    return measure(runner, chunk_frames, lasting_s, _MOST_STEPS)


def _far_from_late(cost: StepCost) -> bool:
    """Whether no step took more than a small part of its sound's time."""
    return cost.tail_seconds < _FAR_FROM * cost.chunk_seconds


def _of_parts(cost: StepCost, spec: ModelSpec) -> StepCost:
    """Return what clips or notes need together: a step each, at worst the end of one, which is many steps."""
    end = 1.0 + spec.look_ahead_samples / (cost.chunk_frames * spec.hop_samples)
    together = CLIPS_AT_ONCE if spec.notes is None else spec.notes.voices
    worst = max(end, together)
    return replace(
        cost,
        median_seconds=together * cost.median_seconds,
        p99_seconds=worst * cost.p99_seconds,
        p999_seconds=worst * cost.p999_seconds,
    )


def choose_chunk(
    runner: Runner, share: float, fixed: int | None = None, stalled_s: Callable[[int], float] = lambda _: 0.0
) -> Choice:
    """Return the smallest chunk that keeps up within a share of a core, or the cheapest if none does.

    Its median step fits the share, and its p99.9 its own sound's time. A stall of the machine is no cost of
    the step: it comes at any chunk size, and the ring holds it; so as much is forgiven the p99.9. The
    cheapest keeps up where that holds within nearly a whole core.

    Args:
        runner: Of the model.
        share: Of one core's time.
        fixed: The chunk in frames, where there is no choice.
        stalled_s: Says how much of the tail of so many steps is a stall of the machine.
    """
    if fixed is not None:
        cost = measure_tail(runner, fixed)
        return Choice(fixed, cost, _fits(cost, 1.0, stalled_s(cost.steps)))
    tried: list[StepCost] = []
    lasting_s = _TAIL_S
    for chunk in CHUNKS:
        chunk_frames = chunk * runner.spec.chunk_unit
        cost = measure(runner, chunk_frames)
        if _fits(cost, share, stalled_s(cost.steps)):
            glanced = cost.steps >= _LOOK_STEPS and _far_from_late(cost)
            if glanced:
                cost = measure(runner, chunk_frames, _GLANCE_S, TAIL_STEPS)
            if not (glanced and _far_from_late(cost)):
                cost = measure_tail(runner, chunk_frames, lasting_s)
                lasting_s = _NEXT_TAIL_S
            if _fits(cost, share, stalled_s(cost.steps)):
                return Choice(chunk_frames, cost, keeps_up=True)
        tried.append(cost)
        if cost.rules_out(CHUNKS[-1] * runner.spec.chunk_unit):
            break
    cheapest = min(tried, key=lambda cost: cost.median_seconds / cost.chunk_seconds)
    if lasting_s == _TAIL_S:  # none was timed so far that one in a thousand would be known
        cheapest = measure_tail(runner, cheapest.chunk_frames)
    return Choice(cheapest.chunk_frames, cheapest, _fits(cheapest, FULL, stalled_s(cheapest.steps)))


def _fits(cost: StepCost, share: float, stalled_s: float) -> bool:
    return (
        cost.median_seconds <= share * cost.chunk_seconds
        and cost.tail_seconds <= cost.chunk_seconds + stalled_s
    )


def still_costs(choice: Choice, runner: Runner, less: float = LESS) -> bool:
    """Whether a step takes about what it took when a chunk was chosen, by a short look.

    Args:
        choice: It.
        runner: Of the model.
        less: By what factor it may be quicker now.
    """
    now = measure(runner, choice.chunk_frames)
    return choice.cost.median_seconds / less < now.median_seconds < _MORE * choice.cost.median_seconds


def choose_ahead_samples(
    choices: list[Choice], sample_rate: int, block_samples: int, stall_s: float = 0.0
) -> int:
    """Return how far the engine stays before the sink: every model's step at once, two blocks, a margin.

    A change of preset runs one more voice for a moment, so the dearest step counts twice. The margin is what
    the machine was seen to hold a light load up, and half as much again for a heavier one, where that is more
    than a usual one.
    """
    steps_s = [choice.cost.p99_seconds for choice in choices]
    seconds = sum(steps_s) + max(steps_s, default=0.0) + max(_MARGIN_MS / 1000.0, _HEAVIER * stall_s)
    blocks = -(-int(seconds * sample_rate) // block_samples) + 2
    return blocks * block_samples
