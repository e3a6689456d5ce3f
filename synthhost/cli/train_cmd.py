"""`synthhost train`: train a model by its recipe; interrupted, it goes on from where it was."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import ConfigError
from synthhost.library.finding import find_model, home, shelves
from synthhost.schema.reading import read_text
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train import spread
from synthhost.train.loop import Place, train
from synthhost.train.own_recipe import own_recipe
from synthhost.train.task import Task
from synthhost.train.tasks import make_task

RECIPE_NAME = "recipe.yaml"
MODEL_FOLDER = "model"

_SMOOTHING = 0.02  # of the losses shown


def command(
    recipe: Annotated[
        str | None, typer.Argument(help="A recipe's file, or the name of a shipped model.")
    ] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="The model that goes on learning, from --data.")
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Your own sounds: notes, a folder an instrument; hits, a folder a kind; or any."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Of the run: its state, losses, sounds, and the model in the end.")
    ] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    threads: Annotated[int, typer.Option(min=1, max=256, help="That compute.")] = 1,
    workers: Annotated[int, typer.Option(min=0, max=64, help="Processes that draw batches.")] = 1,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Train so many in all, instead of what the recipe says.")
    ] = None,
) -> None:
    """Train a model by its recipe; what was interrupted, or killed, goes on from its last saved state."""
    read = _wanted(recipe, from_, data)
    if steps is not None:
        read = read.model_copy(update={"steps": steps})
    folder = out or home() / "training" / read.name
    torch.set_num_threads(threads)
    console = Console(stderr=True, soft_wrap=True)
    device = spread.local_device(device)
    with spread.joined(device):
        task = make_task(read, device, home() / "material", lambda text: console.print(text, markup=False))
        with _Stop() as stop, _Bar(console, read.name) as bar:
            done = train(task, read, Place(folder, device, workers, stop.asked), bar)
        if not spread.is_first():
            return
        if not done:
            console.print(f"Stopped. The same command goes on from here; its state is in {folder}.")
            return
        kept = _kept(task, read, folder)
        console.print(f"The model is in {kept}. Presets play it by that path; synthhost certify measures it.")


def _wanted(recipe: str | None, from_: str | None, data: Path | None) -> Recipe:
    """Return what is to be trained.

    Raises:
        ConfigError: What was given is neither a recipe, nor a model and a folder.
    """
    if (from_ is None) != (data is None) or (recipe is None) == (from_ is None):
        raise ConfigError(
            "Name a recipe, such as synthhost train notes; or a model and a folder of your own sounds, such "
            "as synthhost train --from notes --data my-flute."
        )
    if from_ is None or data is None:
        path = find_recipe(str(recipe))
        return Recipe.from_yaml(read_text(path), str(path))
    model = find_model(from_)
    path = find_recipe(str(model))
    return own_recipe(Recipe.from_yaml(read_text(path), str(path)), model, data)


def find_recipe(name_or_path: str) -> Path:
    """Return the file of a recipe, which may be named by a shipped model.

    Raises:
        ConfigError: There is none.
    """
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        path = path / RECIPE_NAME
    if path.is_file():
        return path
    for shelf in shelves():
        named = shelf.folder / name_or_path / RECIPE_NAME
        if named.is_file():
            return named
    raise ConfigError(f"{name_or_path}: no recipe. Name a file such as models/NAME/{RECIPE_NAME}, or NAME.")


def _kept(task: Task, recipe: Recipe, folder: Path) -> Path:
    made = folder / MODEL_FOLDER
    if made.exists():
        shutil.rmtree(made)
    save_package(task.model(), Origin(recipe.name, recipe.licence, recipe.source, recipe.about), made)
    task.finish(made)
    (made / RECIPE_NAME).write_text(dump_yaml(recipe.as_json()), encoding="utf-8")
    return made


class _Stop:
    """Asks to stop after the present step when Ctrl-C is pressed; a second one interrupts at once."""

    def __init__(self) -> None:
        self._asked = False

    def asked(self) -> bool:
        return self._asked

    def __enter__(self) -> _Stop:
        self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGINT, self._before)

    def _note(self, _number: int, _frame: FrameType | None) -> None:
        if self._asked:
            raise KeyboardInterrupt
        self._asked = True


class _Bar:
    """A progress bar with losses and the time left, and a line where something was measured."""

    def __init__(self, console: Console, name: str) -> None:
        self._console = console
        columns = [
            TextColumn(name),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[losses]}"),
        ]
        quiet = not spread.is_first() or not console.is_terminal
        self._progress = Progress(*columns, console=console, disable=quiet)
        self._smooth: dict[str, float] = {}
        self._line_steps = 1000 if quiet else 0

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def begin(self, step: int, steps: int) -> None:
        """Begin at a step."""
        self._steps = steps
        self._task = self._progress.add_task("", total=steps, completed=step, losses="")

    def learned(self, step: int, losses: dict[str, float]) -> None:
        """Move on."""
        for name, value in losses.items():
            self._smooth[name] = self._smooth.get(name, value) * (1.0 - _SMOOTHING) + value * _SMOOTHING
        said = "  ".join(f"{name} {value:.4g}" for name, value in self._smooth.items())
        self._progress.update(self._task, completed=step, losses=said)
        if self._line_steps and step % self._line_steps == 0 and spread.is_first():
            self._console.print(f"{step} of {self._steps}  {said}", highlight=False)

    def evaluated(self, step: int, measures: dict[str, float]) -> None:
        """Say what was measured."""
        said = "  ".join(f"{name} {value:.4g}" for name, value in measures.items())
        self._console.print(f"step {step}: {said}", highlight=False)
