"""Which chunk every model runs at on this machine, and whether there is room for one more voice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Event

from synthhost.core.computing import AUTO, BACKEND, DEVICE, NATIVE, TORCH, Computed
from synthhost.core.options import with_options, without_options
from synthhost.core.seams import Runner
from synthhost.host.chunking import ROOM, Choice, choose_chunk
from synthhost.host.costs import CostBook
from synthhost.host.duel import duel, takes_too_long
from synthhost.host.measure import measure_apart
from synthhost.host.plan import Plan
from synthhost.library.model import Model
from synthhost.library.shelves import home
from synthhost.streaming.block import Block

_FULL = 0.95  # of a core: beyond this nothing is left for the rest of the engine


class Admission:
    """Measures models, remembers what they cost, and says what that means.

    Attributes:
        choices: What was chosen, by the model's reference.
        hashes: The sha256 of the weights it was chosen for, by the same.
        notes: Sentences for the person who plays.

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
        self._plan = plan
        self._playing = playing
        self._tell = tell
        self._ending = Event()
        self._share = ROOM / max(len(plan.set["tracks"]), 1)
        self._book = CostBook(home() / "costs.json")
        self._computed: dict[str, Computed] = {}  # by reference

    def preferred(self, reference: str, model: Model) -> Model:
        """Return a model on the back end that is faster here, where both can be had and none was asked for.

        They are timed before the show, which is remembered; during it only what is remembered counts.
        """
        model = self._faster(reference, model)
        self._computed[reference] = model.computed
        return model

    def _faster(self, reference: str, model: Model) -> Model:
        spec, threads = model.spec, self._plan.threads
        asked = model.options[BACKEND.name] != AUTO
        if asked or model.computed.backend != NATIVE or not isinstance(model.playable, Block):
            return model
        found = self._book.find_duel(spec.sha256, _options_of(reference), threads)
        rival = None
        if found is None:
            if self._playing() or takes_too_long(model.runner):
                return model
            rival = model.with_options(backend=TORCH)
            found = duel(model.runner, rival.runner)
            self._book.keep_duel(spec.sha256, _options_of(reference), threads, found)
        if found.outcome.backend == TORCH:
            model = rival or model.with_options(backend=TORCH)
        model.computed = found.outcome
        return model

    def chunk_of(self, reference: str, runner: Runner) -> int:
        """Return how many frames a model takes at a time, measured once a run."""
        if reference not in self.choices:
            choice = self._choose(reference, runner)
            self.hashes[reference] = runner.spec.sha256
            self.choices[reference] = choice
            if not choice.keeps_up:
                self.notes.append(
                    f"{runner.spec.name} needs {choice.real_time_factor:.2f} of real time on this machine: "
                    "it will drop out. Use a smaller model or more threads."
                )
        return self.choices[reference].chunk_frames

    def stop(self) -> None:
        """Break off a measurement that is going on elsewhere. [any thread]"""
        self._ending.set()

    def load(self, references: Iterable[str]) -> float:
        """Return the share of one core that voices of these models need together."""
        return sum(self.choices[one].real_time_factor for one in references if one in self.choices)

    def room_note(self, playing: list[str], newcomer: str) -> str | None:
        """Return a sentence when there is no room for one more voice beside those that play."""
        together = self.load([*playing, newcomer])
        if newcomer not in self.choices or together <= _FULL:
            return None
        need = f"{100 * together:.0f} % of one core"
        return f"{newcomer} beside what plays needs {need}: expect gaps while both sound."

    def models(self) -> dict[str, dict[str, float]]:
        """Return what every model runs at and costs, for people and machines to read."""
        return {
            reference: {
                "chunk_frames": choice.chunk_frames,
                "median_ms": 1000.0 * choice.cost.median_seconds,
                "p99_ms": 1000.0 * choice.cost.p99_seconds,
                "chunk_ms": 1000.0 * choice.cost.chunk_seconds,
                "real_time_factor": choice.real_time_factor,
            }
            for reference, choice in self.choices.items()
        }

    def _choose(self, reference: str, runner: Runner) -> Choice:
        """Measure before the show; during it take what is remembered, or have it measured elsewhere."""
        fixed, computed = self._plan.chunk_frames.get(reference), self._computed.get(reference)
        how = _options_of(reference)
        if computed is not None:
            how = f"{how} {computed.backend} {computed.device}"
        key = (runner.spec.sha256, how, self._plan.threads)
        if not self._playing():
            choice = choose_chunk(runner, self._share, fixed)
        else:
            choice = self._book.find(*key) or self._measure_apart(reference, computed, fixed)
        self._book.keep(*key, choice)
        return choice

    def _measure_apart(self, reference: str, computed: Computed | None, fixed: int | None) -> Choice:
        self._tell(f"measuring {reference} on this machine ...")
        name, options = without_options(reference)
        if computed is not None:
            options = {**options, BACKEND.name: computed.backend, DEVICE.name: computed.device}
        exact = with_options(name, options)
        return measure_apart(exact, self._share, fixed, self._plan.threads, self._ending.is_set)


def _options_of(reference: str) -> str:
    """Return the options in a model's reference, as one word."""
    return with_options("", without_options(reference)[1])
