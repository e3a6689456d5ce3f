"""The training loop: the same steps whether it was interrupted or not.

A step depends on the weights, the optimisers' state and the step's number: batches and chance are drawn by
number, so a run that was killed goes on from its last state as if nothing had happened, to the bit on the
same machine and number of threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch.utils.data import DataLoader, Dataset

from synthhost.core.errors import TrainingError
from synthhost.schema.recipe import Recipe
from synthhost.train import spread
from synthhost.train.task import Batch, Task

STATE_NAME = "state.pt"
LOSSES_NAME = "losses.csv"
SHOWN_FOLDER = "shown"


class Reporter(Protocol):
    """Tells people how it goes."""

    def begin(self, step: int, steps: int) -> None:
        """Training goes on from a step, of so many."""

    def learned(self, step: int, losses: dict[str, float]) -> None:
        """A step was taken; `step` of them are done."""

    def evaluated(self, step: int, measures: dict[str, float]) -> None:
        """What was learned was measured."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where and with what a training runs.

    Attributes:
        folder: Of the run: its state, losses, and what was shown.
        device: As torch names it.
        workers: Processes that draw batches beside this one; 0: it draws them itself.
        stopped: Says whether to stop after the present step.
    """

    folder: Path
    device: str = "cpu"
    workers: int = 1
    stopped: Callable[[], bool] = lambda: False


def train(task: Task, recipe: Recipe, place: Place, reporter: Reporter) -> bool:
    """Train until the recipe's last step or until told to stop; return whether it is done.

    Raises:
        TrainingError: The state of an earlier run cannot be read or is another recipe's, or a loss is no
            number any more.
    """
    first = resume(task, recipe, place)
    reporter.begin(first, recipe.steps)
    losses = _Losses(place.folder / LOSSES_NAME, first)
    for step, batch in enumerate(_batches(task, first, recipe.steps, place), first):
        _set_rates(task, rate_at(recipe, step))
        learned = task.learn(batch, step)
        _check(learned, step)
        done = step + 1
        reporter.learned(done, learned)
        losses.add(done, learned)
        stopping = place.stopped()
        if done % recipe.save_steps == 0 or done == recipe.steps or stopping:
            save(task, recipe, done, place)
        if (done % recipe.show_steps == 0 or done == recipe.steps) and spread.is_first():
            reporter.evaluated(done, task.evaluate())
            shown = place.folder / SHOWN_FOLDER / f"{done:07d}"
            shown.mkdir(parents=True, exist_ok=True)
            task.show(shown)
        if stopping:
            return done == recipe.steps
    return True


def rate_at(recipe: Recipe, step: int) -> float:
    """Return the learning rate of a step: warmed up linearly, then a cosine down to the final rate."""
    if step < recipe.warm_up_steps:
        return recipe.learning_rate * (step + 1) / recipe.warm_up_steps
    left = max(recipe.steps - recipe.warm_up_steps, 1)
    turn = 0.5 * (1.0 + math.cos(math.pi * (step - recipe.warm_up_steps) / left))
    return recipe.learning_rate * (recipe.final_rate + (1.0 - recipe.final_rate) * turn)


def save(task: Task, recipe: Recipe, done: int, place: Place) -> None:
    """Write the state of a run, whole or not at all."""
    if not spread.is_first():
        return
    place.folder.mkdir(parents=True, exist_ok=True)
    state = {
        "recipe": recipe.as_json(),
        "done": done,
        "networks": {name: network.state_dict() for name, network in task.networks.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in task.optimisers.items()},
    }
    path = place.folder / STATE_NAME
    partial = path.with_suffix(".partial")
    try:
        torch.save(state, partial)
        partial.replace(path)
    except OSError as error:
        raise TrainingError(
            f"{path}: cannot be written ({error.strerror}). Check space and rights."
        ) from error


def resume(task: Task, recipe: Recipe, place: Place) -> int:
    """Take over the state of an earlier run, if there is one, and return how many steps are done."""
    path = place.folder / STATE_NAME
    if not path.is_file():
        return 0
    try:
        state: dict[str, Any] = torch.load(path, map_location=place.device, weights_only=True)
        known, done = Recipe.from_json(state["recipe"], str(path)).as_json(), int(state["done"])
    except Exception as error:  # torch raises nearly anything for bytes that are no state
        raise TrainingError(
            f"{path}: is no state of a training ({type(error).__name__}). Remove it to begin anew."
        ) from error
    asked, known = _learned_by(recipe.as_json()), _learned_by(known)
    differing = sorted(key for key, value in asked.items() if known.get(key) != value)
    if differing:
        raise TrainingError(
            f"{path}: was trained by another recipe ({', '.join(differing)} differ). Remove it to begin "
            "anew, or give another folder."
        )
    for name, network in task.networks.items():
        network.load_state_dict(state["networks"][name])
    for name, optimiser in task.optimisers.items():
        optimiser.load_state_dict(state["optimisers"][name])
    return done


_MAY_CHANGE = frozenset({"about", "licence", "source", "save_steps", "show_steps"})
_SHOWN_BY = frozenset({"temperature"})  # settings of how a network is shown and measured


def _learned_by(recipe: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a recipe changes what is learned."""
    kept = {key: value for key, value in recipe.items() if key not in _MAY_CHANGE}
    settings = kept.get("settings") or {}
    return {**kept, "settings": {key: value for key, value in settings.items() if key not in _SHOWN_BY}}


class _Steps(Dataset[Batch]):
    """The batches of a run by number."""

    def __init__(self, task: Task, steps: int) -> None:
        self._draw = task.draw
        self._steps = steps

    def __len__(self) -> int:
        return self._steps

    def __getitem__(self, step: int) -> Batch:
        return self._draw(step)


def _batches(task: Task, first: int, steps: int, place: Place) -> Iterator[dict[str, torch.Tensor]]:
    loader = DataLoader(
        _Steps(task, steps),
        batch_size=None,
        sampler=range(first, steps),
        num_workers=place.workers,
        prefetch_factor=4 if place.workers else None,
        multiprocessing_context="fork" if place.workers else None,
    )
    for batch in loader:
        yield {name: torch.as_tensor(one).to(place.device) for name, one in batch.items()}


def _set_rates(task: Task, rate: float) -> None:
    for optimiser in task.optimisers.values():
        for group in optimiser.param_groups:
            group["lr"] = rate * group.get("rate_scale", 1.0)


def _check(losses: dict[str, float], step: int) -> None:
    wrong = [name for name, value in losses.items() if not math.isfinite(value)]
    if wrong:
        raise TrainingError(
            f"Step {step}: {', '.join(wrong)} is no number any more. The last saved state is kept: lower the "
            "learning rate and go on from there in another folder."
        )


class _Losses:
    """Every step's losses in a file; what lies behind the state that training goes on from is cut off."""

    def __init__(self, path: Path, first: int) -> None:
        self._path = path
        self._names: list[str] = []
        kept: list[str] = []
        if first and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            self._names = lines[0].split(",")[1:] if lines else []
            kept = lines[: first + 1]
        path.parent.mkdir(parents=True, exist_ok=True)
        if spread.is_first():
            path.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def add(self, step: int, losses: dict[str, float]) -> None:
        """Add a line."""
        if not spread.is_first():
            return
        with self._path.open("a", encoding="utf-8") as file:
            if not self._names:
                self._names = list(losses)
                file.write(",".join(["step", *self._names]) + "\n")
            file.write(",".join([str(step), *(f"{losses[name]:.6g}" for name in self._names)]) + "\n")
