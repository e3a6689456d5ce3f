"""Back ends measured by turns on the same cases, each only after its sound was found right."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter

import numpy as np
import torch

from bench.backends import BACKENDS
from bench.case import Case, Player, sound_after_settling
from synthhost.core.arrays import Audio
from synthhost.core.errors import SynthhostError

_FEWEST_STEPS = 3  # of one back end in one round, however slow
_UNTIMED_STEPS = 2  # that bring its weights back into the caches


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: every back end gets `slot_s` seconds of a case in each of `rounds` rounds."""

    rounds: int = 5
    slot_s: float = 0.3
    utterance_s: float = 2.0  # of the offline passes


@dataclass(slots=True)
class Contender:
    """One back end on one case: how far its sound was off, as part of the peak, and its steps by round."""

    case: Case
    backend: str
    player: Player
    error: float
    rounds_s: list[list[float]] = field(default_factory=list)

    @property
    def steps_s(self) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        """Return the seconds of every step of all rounds."""
        return np.concatenate([np.asarray(one) for one in self.rounds_s])

    def speed_over(self, other: Contender | None) -> float | None:
        """Return how many times as fast it is as another back end: the median of the rounds' ratios."""
        if other is None:
            return None
        rounds = zip(other.rounds_s, self.rounds_s, strict=True)
        return float(np.median([np.median(theirs) / np.median(own) for theirs, own in rounds]))


def contenders(case: Case, backends: Sequence[str], refused: list[str]) -> list[Contender]:
    """Return back ends that play a case right; a sentence on each of the others goes to `refused`."""
    found: list[Contender] = []
    with torch.inference_mode():
        truth = sound_after_settling(BACKENDS["torch"].player(case), case)
    for name in backends:
        try:
            player = BACKENDS[name].player(case)
            error = _error(sound_after_settling(player, case), truth)
            bound = BACKENDS[name].bound
            if error <= bound:
                found.append(Contender(case, name, player, error))
                continue
            said = f"its sound is off by {error:.1e} of the peak; more than {bound:.0e} is no rounding"
        except SynthhostError as failed:
            said = str(failed)
        refused.append(f"{case.name}, {case.chunk_frames} frames, {name}: no figures, {said}.")
    return found


def race(groups: Sequence[Sequence[Contender]], effort: Effort, beside: Callable[[], None]) -> None:
    """Measure all contenders by turns, so that a busy machine hits all alike.

    Args:
        groups: The contenders of each case; who begins changes from round to round.
        effort: How long.
        beside: Called once a round, to measure what figures are compared with.
    """
    for number in range(effort.rounds):
        for group in groups:
            turned = number % max(len(group), 1)
            for contender in (*group[turned:], *group[:turned]):
                contender.rounds_s.append(_slot(contender, effort.slot_s))
        beside()


def _slot(contender: Contender, slot_s: float) -> list[float]:
    pieces, player, spent = contender.case.pieces(), contender.player, list[float]()
    for _ in range(_UNTIMED_STEPS):
        player.step(next(pieces))
    total_s = 0.0
    while total_s < slot_s or len(spent) < _FEWEST_STEPS:
        frames = next(pieces)
        begun_s = perf_counter()
        player.step(frames)
        spent.append(perf_counter() - begun_s)
        total_s += spent[-1]
    return spent


def _error(made: Sequence[Audio], truth: Sequence[Audio]) -> float:
    """Return the largest difference as part of the truth's peak; infinite where nothing can be compared."""
    if any(one.shape != true.shape for one, true in zip(made, truth, strict=True)):
        return float("inf")
    middle = float(np.mean(np.concatenate(truth, 1)))  # an offset, however large, is no sound
    peak = max(float(np.abs(one - middle).max(initial=0.0)) for one in truth)
    worst = max(float(np.abs(one - true).max(initial=0.0)) for one, true in zip(made, truth, strict=True))
    return worst / peak if peak > 0.0 and np.isfinite(worst) else float("inf")


@contextmanager
def settings(threads: int) -> Iterator[None]:
    """Compute as the engine does: so many threads, no denormals, no garbage collection."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)
