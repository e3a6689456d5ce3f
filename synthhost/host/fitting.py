"""The chunk and the threads a model plays with: larger chunks first, more threads where none keeps up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from synthhost.core.computing import NATIVE, THREADS
from synthhost.host.chunking import ROOM, Choice, choose_chunk
from synthhost.library.model import Model
from synthhost.streaming.block import Block

_WORTH = 0.9  # of the time with fewer threads: what saves less costs more elsewhere
_MOST_THREADS = 16  # steps of live chunks are too short to be cut finer


@dataclass(frozen=True, slots=True)
class Room:
    """What one model may take.

    Attributes:
        share: Of a core's time, for its median step.
        fixed: The chunk in frames, where the set says it.
        threads: That may share a step, where the model leaves that open.
        stalled_s: Says how much of the tail of so many steps is a stall of the machine.
    """

    share: float
    fixed: int | None = None
    threads: int = 1
    stalled_s: Callable[[int], float] = lambda _: 0.0


def crowded(choice: Choice) -> bool:
    """Whether a model at its best chunk leaves no room on a core."""
    return not choice.keeps_up or choice.real_time_factor > ROOM


def fitted(model: Model, room: Room) -> tuple[Model, Choice]:
    """Return a model on as many threads as it needs to keep up, and what was measured of it.

    One thread where that keeps up; else twice as many each time, as long as that is worth it.
    """
    best = model, _choice(model, room)
    if not shares_steps(model):
        return best
    threads = 2
    while threads <= min(room.threads, _MOST_THREADS) and crowded(best[1]):
        wider = model.with_options(threads=threads)
        wider.computed = replace(wider.computed, reason=model.computed.reason)
        choice = _choice(wider, room)
        if choice.real_time_factor > _WORTH * best[1].real_time_factor:
            break
        best = wider, choice
        threads *= 2
    return best


def most_tried(best: Choice, allowed: int) -> int:
    """Return on how many threads a model was tried at most where `fitted` found this best."""
    wider = 2 * best.threads
    return wider if crowded(best) and wider <= min(allowed, _MOST_THREADS) else best.threads


def shares_steps(model: Model) -> bool:
    """Whether a model's number of threads is the host's to find."""
    native = model.computed.backend == NATIVE and isinstance(model.playable, Block)
    return native and model.options[THREADS.name] == 0


def _choice(model: Model, room: Room) -> Choice:
    choice = choose_chunk(model.runner, room.share, room.fixed, room.stalled_s)
    return replace(choice, threads=model.computed.threads)
