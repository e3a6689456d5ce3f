"""Sentences on what does not keep up: what it needs, what was tried, what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from synthhost.core.options import OptionValue, without_options
from synthhost.host.chunking import Choice

_GIVE_UP = (
    "Use a smaller model, or let a ladder in the preset, the set or --ladder say what may be given up, such "
    "as precision=int8 or steps=4."
)


def what_next(*, strict: bool, left: bool) -> str:
    """Return what happens now to what does not keep up, and what to do, where `left` says a rung is left."""
    if strict:
        return f"It is not played, as --admission strict asks. {_GIVE_UP}"
    if left:
        return "Expect gaps until it has stepped down its ladder."
    return f"Expect gaps. {_GIVE_UP}"


@dataclass(frozen=True, slots=True)
class Tried:
    """What was tried of a model, each from the fewest to the most.

    Attributes:
        chunks: In frames; the same twice where the set fixes it.
        threads: That shared a step; the same twice where there was nothing to find.
    """

    chunks: tuple[int, int]
    threads: tuple[int, int]

    def __str__(self) -> str:
        """Return what did not keep up, on what."""
        (least, most), (fewest, widest) = self.chunks, self.threads
        chunks = f"No chunk of {least} to {most} frames keeps up"
        if least == most:
            chunks = f"The chunk of {most} frames that is asked for does not keep up"
        threads = "one thread" if widest == 1 else f"{widest} threads"
        return f"{chunks} on {threads if fewest == widest else f'{fewest} to {widest} threads'}"


def does_not_keep_up(reference: str, choice: Choice, tried: Tried) -> str:
    """Return what a model needs that does not keep up, and what was tried."""
    cost = choice.cost
    asked = without_options(reference)[1]
    under = f" under {said(asked)}" if asked else ""
    return (
        f"{reference} needs {choice.real_time_factor:.2f} of real time on this machine at best: "
        f"{1000 * cost.median_seconds:.1f} ms, {cost.tail_name} {1000 * cost.tail_seconds:.1f} ms, for "
        f"{1000 * cost.chunk_seconds:.1f} ms of sound. {tried}{under}."
    )


def needs_too_much(together: float, tracks: int) -> str:
    """Return that all models together need more than there is."""
    return f"The models of {tracks} tracks need {100 * together:.0f} % of one core together."


def too_short(ahead_samples: int, chosen_samples: int, sample_rate: int) -> str:
    """Return that the ring that was asked for is shorter than the one that would have been chosen."""
    given_ms, chosen_ms = (1000.0 * samples / sample_rate for samples in (ahead_samples, chosen_samples))
    return (
        f"The engine stays {given_ms:.0f} ms ahead of the sink, as was asked for; by what the models' steps "
        f"and the machine's stalls took here it would be {chosen_ms:.0f} ms"
    )


def said(options: Mapping[str, OptionValue]) -> str:
    """Return options as people write them."""
    return ", ".join(f"{name}={value}" for name, value in options.items())


def began_below(
    rung: int, rungs: int, options: Mapping[str, OptionValue], before: Choice, now: Choice
) -> str:
    """Return why a track begins below the top of its ladder."""
    return (
        f"rung {rung} of {rungs}, {said(options)}: without it the model needs "
        f"{100 * before.real_time_factor:.0f} % of one core, with it {100 * now.real_time_factor:.0f} %"
    )
