"""Which chunk, threads and rung every model plays on here, and whether there is room for one more voice."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Event
from time import time
from typing import Any

from synthhost.backends.choice import cores
from synthhost.core.computing import AUTO, BACKEND, DEVICE, NATIVE, THREADS, TORCH, Computed
from synthhost.core.options import INT8, PRECISION, with_options, without_options
from synthhost.core.seams import Runner
from synthhost.host.chunking import CHUNKS, FULL, LESS, ROOM, Choice, choose_chunk, still_costs
from synthhost.host.costs import CostBook
from synthhost.host.duel import duel
from synthhost.host.fitting import Room, fitted, most_tried, shares_steps
from synthhost.host.measure import measure_apart
from synthhost.host.plan import STRICT, Plan
from synthhost.host.realtime import RENDER_PRIORITY, raised
from synthhost.host.stalls import StallWitness
from synthhost.host.verdicts import Tried, does_not_keep_up, needs_too_much, what_next
from synthhost.library.finding import home
from synthhost.library.model import Model
from synthhost.streaming.block import Block

_LATELY_S = 12 * 3600.0  # from the rehearsal to the show
_QUICKER = 1.2  # a step that is so much quicker than lately: the machine was busy then


class Admission:
    """Measures models, remembers what they cost, and says what that means.

    Attributes:
        choices: What was chosen, by the model's reference.
        hashes: The sha256 of the model it was chosen for, by the same.
        notes: Sentences for the person who plays.
        stalls: What was seen of the machine standing still while models were measured.
        book: What is remembered from one run to the next.

    Args:
        plan: Of the run.
        playing: Says whether sound runs already, so that nothing may be measured in this process.
        tell: Takes a sentence when something new is measured while sound runs.
    """

    def __init__(
        self, plan: Plan, playing: Callable[[], bool], tell: Callable[[str], None] = lambda _: None
    ) -> None:
        self.choices: dict[str, Choice] = {}
        self.hashes: dict[str, str] = {}
        self.notes: list[str] = []
        self.stalls = StallWitness()
        self._plan = plan
        self._playing = playing
        self._tell = tell
        self._ending = Event()
        self._share = ROOM / max(len(plan.set["tracks"]), 1)
        self.book = CostBook(home() / "costs.json")
        self._computed: dict[str, Computed] = {}  # by reference
        self._units: dict[str, int] = {}  # what a chunk is a multiple of, in frames, by reference
        self._open: set[str] = set()  # references of models whose threads were found
        self._fitted: dict[str, Choice] = {}  # by reference, of models not yet asked for by `chunk_of`

    def preferred(self, reference: str, model: Model) -> Model:
        """Return a model on the back end that is faster here and on as many threads as it needs.

        What was asked for is kept. It is measured before the show, which is remembered; during it only what
        is remembered counts.
        """
        model = self._faster(reference, model)
        self._computed[reference] = model.computed
        if not shares_steps(model):
            return model
        known = self.choices.get(reference) or self._remembered(reference, model)
        if known is not None or self._playing():
            return model if known is None else _on_threads(model, known.threads)
        with self._as_in_the_show():
            self._open.add(reference)
            model, self._fitted[reference] = fitted(model, self._room(reference))
        return model

    def chunk_of(self, reference: str, runner: Runner) -> int:
        """Return how many frames a model takes at a time, measured once a run."""
        return self.measured(reference, runner).chunk_frames

    def measured(self, reference: str, runner: Runner) -> Choice:
        """Return what was chosen for a model, measured once a run."""
        if reference not in self.choices:
            self.choices[reference] = self._choose(reference, runner)
            self.hashes[reference] = runner.spec.sha256
            self._units[reference] = runner.spec.chunk_unit
        return self.choices[reference]

    def stop(self) -> None:
        """Break off a measurement that is going on elsewhere. [any thread]"""
        self._ending.set()

    def load(self, references: Iterable[str]) -> float:
        """Return the share of one core that voices of these models need together."""
        return sum(self.choices[one].real_time_factor for one in references if one in self.choices)

    def verdicts(self, playing: list[str], *, left: bool) -> list[str]:
        """Return a sentence for each thing that does not keep up; none when all do.

        Args:
            playing: The models of all tracks.
            left: Whether a rung is left on a track's ladder.
        """
        slow = [
            one for one in dict.fromkeys(playing) if one in self.choices and not self.choices[one].keeps_up
        ]
        said = [does_not_keep_up(one, self.choices[one], self._tried(one)) for one in slow]
        together = self.load(playing)
        if not said and together > FULL:
            said.append(needs_too_much(together, len(playing)))
        coming = what_next(strict=self._plan.admission == STRICT, left=left)
        return [f"{one} {coming}" for one in said]

    def room_note(self, playing: list[str], newcomer: str) -> str | None:
        """Return a sentence when there is no room for one more voice beside those that play."""
        together = self.load([*playing, newcomer])
        if newcomer not in self.choices or together <= FULL:
            return None
        need = f"{100 * together:.0f} % of one core"
        return f"{newcomer} beside what plays needs {need}: expect gaps while both sound."

    def models(self) -> dict[str, dict[str, Any]]:
        """Return what every model runs at and costs, for people and machines to read."""
        return {
            reference: {
                "chunk_frames": choice.chunk_frames,
                "threads": choice.threads,
                "median_ms": 1000.0 * choice.cost.median_seconds,
                "p99_ms": 1000.0 * choice.cost.p99_seconds,
                "p999_ms": 1000.0 * choice.cost.tail_seconds,
                "tail": choice.cost.tail_name,
                "chunk_ms": 1000.0 * choice.cost.chunk_seconds,
                "real_time_factor": choice.real_time_factor,
                "keeps_up": choice.keeps_up,
            }
            for reference, choice in self.choices.items()
        }

    @property
    def most_threads(self) -> int:
        """Return how many threads may share a step where none are asked for."""
        return self._plan.most_threads or cores()

    def _faster(self, reference: str, model: Model) -> Model:
        spec, threads = model.spec, self._plan.threads
        asked = model.options[BACKEND.name] != AUTO
        if asked or model.computed.backend != NATIVE or not isinstance(model.playable, Block):
            return model
        if _only_native(model):
            return model
        found = self.book.find_duel(spec.sha256, _options_of(reference), threads)
        if found is None:
            native = model
            found = None if self._playing() else duel(native.runner, lambda: _by_torch(native).runner)
            if found is None:
                return model
            self.book.keep_duel(spec.sha256, _options_of(reference), threads, found)
        if found.outcome.backend == TORCH:
            model = _by_torch(model)
        model.computed = found.outcome
        return model

    def _choose(self, reference: str, runner: Runner) -> Choice:
        """Measure before the show; during it take what is remembered, or have it measured elsewhere."""
        key = self._key(reference, runner)
        if reference in self._fitted:
            choice = self._fitted.pop(reference)
        elif not self._playing():
            found = self._still(reference, self.book.find(*key), runner)
            choice = found or self._measured_here(reference, runner)
        else:
            choice = self.book.find(*key) or self._measure_apart(reference)
        computed = self._computed.get(reference)
        if computed is not None and computed.threads > choice.threads:  # they were asked for
            choice = replace(choice, threads=computed.threads)
        if not choice.chosen_s and not self._playing():
            choice = replace(choice, share=self._share, chosen_s=time())
        self.book.keep(*key, choice)
        return choice

    def _remembered(self, reference: str, model: Model) -> Choice | None:
        """Return what is remembered of a model whose threads are open; before a show where it still holds."""
        found = self.book.find(*self._key(reference, model.runner))
        if found is None or self._playing():
            return found
        found = self._still(reference, found, _on_threads(model, found.threads).runner)
        if found is not None:
            self._open.add(reference)
            self._fitted[reference] = found
        return found

    def _still(self, reference: str, found: Choice | None, runner: Runner) -> Choice | None:
        """Return what is remembered where a short look agrees and it is still the answer.

        The least chunk that keeps up is. A larger one, or none, may be a busy day's: for half a day it is the
        answer to the same question, where a step isn't quicker now either.
        """
        if found is None:
            return None
        least = self._fixed(reference) or CHUNKS[0] * runner.spec.chunk_unit
        roomy = self._fixed(reference) is not None or found.real_time_factor <= self._share
        settled = found.keeps_up and found.chunk_frames == least and roomy
        if not settled and not self._asked_lately(found):
            return None
        less = LESS if settled else _QUICKER
        if not found.keeps_up:  # and no look may say that it could
            less = min(less, found.real_time_factor / FULL)
        with self._as_in_the_show():
            return found if still_costs(found, runner, less) else None

    def _asked_lately(self, found: Choice) -> bool:
        same = math.isclose(found.share, self._share) and (found.keeps_up or found.hopeless)
        return same and 0.0 <= time() - found.chosen_s < _LATELY_S

    def _measured_here(self, reference: str, runner: Runner) -> Choice:
        room = self._room(reference)
        with self._as_in_the_show():
            return choose_chunk(runner, room.share, room.fixed, room.stalled_s)

    @contextmanager
    def _as_in_the_show(self) -> Iterator[None]:
        """Time with the render thread's priority, and watch how long the machine stands still meanwhile."""
        with self.stalls.beside(), raised(RENDER_PRIORITY):
            yield

    def _key(self, reference: str, runner: Runner) -> tuple[str, str, int]:
        how, computed = _options_of(reference), self._computed.get(reference)
        if computed is not None:
            how = f"{how} {computed.backend} {computed.device}"
        how, fixed = f"{how} of {self.most_threads}", self._fixed(reference)
        how = how if fixed is None else f"{how} by {fixed}"
        return runner.spec.sha256, how, self._plan.threads

    def _room(self, reference: str) -> Room:
        return Room(self._share, self._fixed(reference), self.most_threads, self.stalls.stalled_s)

    def _fixed(self, reference: str) -> int | None:
        return self._plan.chunk_frames.get(reference) or self._plan.fixed_chunk or None

    def _tried(self, reference: str) -> Tried:
        """Return what was tried of a model that was measured before the show."""
        fixed, unit, best = self._fixed(reference), self._units[reference], self.choices[reference]
        chunks = (CHUNKS[0] * unit, CHUNKS[-1] * unit) if fixed is None else (fixed, fixed)
        if reference not in self._open:
            return Tried(chunks, (best.threads, best.threads))
        return Tried(chunks, (1, most_tried(best, self.most_threads)))

    def _measure_apart(self, reference: str) -> Choice:
        self._tell(f"measuring {reference} on this machine ...")
        name, options = without_options(reference)
        computed, fixed = self._computed.get(reference), self._fixed(reference)
        if computed is not None:
            options = {**options, BACKEND.name: computed.backend, DEVICE.name: computed.device}
        exact = with_options(name, options)
        return measure_apart(exact, self._share, fixed, self._plan.threads, self._ending.is_set)


def _only_native(model: Model) -> bool:
    """Whether a model is asked for in a way that torch cannot compute."""
    return int(model.options[THREADS.name]) > 1 or model.options.get(PRECISION) == INT8


def _by_torch(model: Model) -> Model:
    return model.with_options(backend=TORCH)


def _on_threads(model: Model, threads: int) -> Model:
    """Return a model whose steps so many threads share."""
    if threads == 1:
        return model
    wider = model.with_options(threads=threads)
    wider.computed = replace(wider.computed, reason=model.computed.reason)
    return wider


def _options_of(reference: str) -> str:
    """Return the options in a model's reference, as one word."""
    return with_options("", without_options(reference)[1])
