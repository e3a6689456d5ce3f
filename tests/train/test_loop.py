"""Training goes on from any state as if it had never stopped, and says what is wrong with what it finds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synthhost.core.errors import TrainingError
from synthhost.schema.recipe import Recipe
from synthhost.train.draws import rng_of
from synthhost.train.loop import LOSSES_NAME, STATE_NAME, Place, rate_at, train
from synthhost.train.task import Batch

STEPS = 40
PLAIN = {
    "synthhost": "recipe/1",
    "name": "line",
    "task": "line",
    "steps": STEPS,
    "batch": 8,
    "learning_rate": 0.01,
    "warm_up_steps": 5,
    "save_steps": 7,
    "show_steps": 20,
}


class Line:
    """Learns a plane; its steps draw chance of their own, as a network's with noise does."""

    def __init__(self, recipe: Recipe, breaks_at: int | None = None) -> None:
        torch.manual_seed(recipe.seed)
        self.network = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 1))
        self.networks: Mapping[str, nn.Module] = {"line": self.network}
        self.optimisers = {"line": torch.optim.AdamW(self.network.parameters(), lr=1.0)}
        self.recipe = recipe
        self.breaks_at = breaks_at
        self.shown: list[Path] = []

    def draw(self, step: int) -> Batch:
        rng = rng_of(self.recipe.seed, step)
        x = rng.standard_normal((self.recipe.batch, 3)).astype(np.float32)
        return {"x": x, "y": x.sum(1, keepdims=True) + 0.1 * rng.standard_normal((8, 1)).astype(np.float32)}

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        loss = (self.network(batch["x"]) - batch["y"]).square().mean()
        self.optimisers["line"].zero_grad()
        loss.backward()
        self.optimisers["line"].step()
        return {"loss": float("nan") if step == self.breaks_at else float(loss.detach())}

    def evaluate(self) -> dict[str, float]:
        return {"measure": 1.0}

    def show(self, folder: Path) -> None:
        self.shown.append(folder)

    def finish(self, folder: Path) -> None:
        pass

    def model(self) -> Any:
        raise NotImplementedError


class Silent:
    """Takes notes for a test."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.measured: list[int] = []

    def begin(self, step: int, steps: int) -> None:
        self.begun.append(step)

    def learned(self, step: int, losses: dict[str, float]) -> None:
        pass

    def evaluated(self, step: int, measures: dict[str, float]) -> None:
        self.measured.append(step)


def recipe_of(**changed: Any) -> Recipe:
    return Recipe.from_json({**PLAIN, **changed}, "test")


def weights(task: Line) -> list[Any]:
    return [one.detach().clone() for one in task.network.parameters()]


def trained(folder: Path, workers: int = 0, **changed: Any) -> Line:
    recipe = recipe_of(**changed)
    task = Line(recipe)
    assert train(task, recipe, Place(folder, workers=workers), Silent())
    return task


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_stopped_again_and_again_ends_in_the_same_weights(tmp_path: Path, workers: int) -> None:
    whole = weights(trained(tmp_path / "whole"))
    done, begins = False, []
    while not done:
        recipe, reporter, asked = recipe_of(), Silent(), iter(range(1000))
        task = Line(recipe)
        place = Place(tmp_path / "parts", workers=workers, stopped=lambda asked=asked: next(asked) >= 5)  # type: ignore[misc]
        done = train(task, recipe, place, reporter)
        begins += reporter.begun
    assert begins == [0, 6, 12, 18, 24, 30, 36]
    for one, other in zip(weights(task), whole, strict=True):
        assert torch.equal(one, other)


def test_a_state_older_than_the_losses_cuts_them_off(tmp_path: Path) -> None:
    trained(tmp_path, steps=STEPS)
    whole = (tmp_path / LOSSES_NAME).read_text()
    state = torch.load(tmp_path / STATE_NAME, weights_only=True)
    assert state["done"] == STEPS
    stopped, recipe = iter([False] * 12 + [True]), recipe_of()
    folder = tmp_path / "killed"
    train(Line(recipe), recipe, Place(folder, stopped=lambda: next(stopped)), Silent())
    with (folder / LOSSES_NAME).open("a") as file:  # as if killed three steps after the last state
        file.write("14,0.5\n15,0.5\n16,0.5\n")
    trained(folder)
    assert (folder / LOSSES_NAME).read_text() == whole


def test_it_is_shown_and_measured_as_often_as_the_recipe_says(tmp_path: Path) -> None:
    recipe, reporter = recipe_of(), Silent()
    task = Line(recipe)
    train(task, recipe, Place(tmp_path), reporter)
    assert reporter.measured == [20, 40]
    assert [folder.name for folder in task.shown] == ["0000020", "0000040"]


def test_the_rate_rises_and_falls_as_a_cosine() -> None:
    recipe = recipe_of(final_rate=0.1)
    rates = [rate_at(recipe, step) for step in range(STEPS)]
    assert rates[:5] == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.01])
    assert all(later <= sooner for sooner, later in pairwise(rates[4:]))
    assert rates[-1] == pytest.approx(0.001, rel=0.1)


def test_another_recipe_does_not_go_on_from_a_state(tmp_path: Path) -> None:
    trained(tmp_path)
    with pytest.raises(TrainingError, match="another recipe \\(batch, seed differ\\)"):
        trained(tmp_path, seed=1, batch=9)
    trained(tmp_path, about="another word", save_steps=1)  # what changes no weight may change
    trained(tmp_path, settings={"temperature": 0.5})
    with pytest.raises(TrainingError, match="another recipe \\(settings differ\\)"):
        trained(tmp_path, settings={"temperature": 0.5, "window": 3})


@pytest.mark.parametrize("damage", [b"", b"no state", None])
def test_a_damaged_state_is_told(tmp_path: Path, damage: bytes | None) -> None:
    trained(tmp_path)
    path = tmp_path / STATE_NAME
    path.write_bytes(path.read_bytes()[:-200] if damage is None else damage)
    with pytest.raises(TrainingError, match="no state of a training"):
        trained(tmp_path)


def test_a_loss_that_is_no_number_stops_it_and_keeps_the_last_state(tmp_path: Path) -> None:
    recipe = recipe_of()
    with pytest.raises(TrainingError, match=r"Step 17: loss is no number"):
        train(Line(recipe, breaks_at=17), recipe, Place(tmp_path), Silent())
    assert torch.load(tmp_path / STATE_NAME, weights_only=True)["done"] == 14


_CHILDREN = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_loop import Line, Silent, recipe_of
from synthhost.train.loop import Place, train

class Slow(Line):
    def learn(self, batch, step):
        time.sleep(0.01)
        return super().learn(batch, step)

for _ in range({kills}):
    if (child := os.fork()) == 0:
        os.setsid()
        print(os.getpid(), flush=True)
        recipe = recipe_of(save_steps=3)
        train(Slow(recipe), recipe, Place(Path({folder!r}), workers=1), Silent())
        os._exit(0)
    os.waitpid(child, 0)
"""  # imports once, and every child that is killed leaves the next to go on


def test_killed_five_times_it_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole = weights(trained(tmp_path / "whole", save_steps=3))
    folder, kills = tmp_path / "killed", 5
    script = _CHILDREN.format(tests=str(Path(__file__).parent), folder=str(folder), kills=kills)
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        for kill in range(kills):
            child = int(parent.stdout.readline())
            wanted, end_s = 3 + 6 * kill, time.monotonic() + 120.0
            while _done(folder) < wanted and time.monotonic() < end_s:
                time.sleep(0.01)
            os.killpg(child, signal.SIGKILL)
    assert parent.returncode == 0
    assert 0 < _done(folder) < STEPS
    task = trained(folder, save_steps=3)
    for one, other in zip(weights(task), whole, strict=True):
        assert torch.equal(one, other)


def _done(folder: Path) -> int:
    try:
        return int(torch.load(folder / STATE_NAME, weights_only=True)["done"])
    except FileNotFoundError:
        return 0
