"""The gates of a diffusion that plays notes, at every rung of its ladder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.notes_measures import measure_notes
from synthhost.train.sampled_notes import instrument_of, sampled_failures, sampled_figures

LADDER = (6, 4, 2)


def evaluate_diffusion(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a diffusion that plays notes, in six steps, four and two."""
    material = NoteMaterial.from_json(recipe.material)
    model = load_model(folder)
    figures, failures = [], []
    for steps in LADDER:
        played = instrument_of(model.with_options(steps=steps).runner, folder)
        measured = measure_notes(played, material, cache, say)
        figures += [f"{steps} steps: {line}" for line in sampled_figures(measured)]
        failures += [f"{steps} steps: {line}" for line in sampled_failures(measured)]
    return Evaluation(recipe.name, tuple(figures), tuple(failures))
