"""`synthhost evaluate`: measure trained models on material they have not learned from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import torch
import typer
from rich.console import Console

from synthhost.library.finding import find_model, home, shelves
from synthhost.train.evaluating import RECIPE_NAME, evaluate
from synthhost.train.evaluation import Scope


def command(
    models: Annotated[
        list[str] | None, typer.Argument(help="Names or folders; every shipped one if none is given.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="That compute.")] = 1,
    seeds: Annotated[
        int, typer.Option(min=1, max=1000, help="How often what goes on by itself is listened to.")
    ] = Scope().seeds,
    minutes: Annotated[int, typer.Option(min=1, max=1000, help="For how long each time.")] = Scope().minutes,
) -> None:
    """Measure trained models and say whether their gates hold; exit code 2 where one does not."""
    torch.set_num_threads(threads)
    console = Console(soft_wrap=True, highlight=False)
    failed = False
    for folder in [find_model(name) for name in models] if models else _trained():
        with Console(stderr=True).status(folder.name) as status:
            made = evaluate(folder, home() / "material", Scope(seeds, minutes), status.update)
        console.print(made.name, style="bold")
        for line in made.figures:
            console.print(f"  {line}", markup=False)
        for line in made.failures:
            console.print(f"  FAILS: {line}", markup=False, style="red")
        failed = failed or bool(made.failures)
    if failed:
        raise typer.Exit(2)


def _trained() -> list[Path]:
    return [path for shelf in shelves() for path in shelf.models() if (path / RECIPE_NAME).is_file()]
