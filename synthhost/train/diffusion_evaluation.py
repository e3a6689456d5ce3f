"""The gates of a diffusion that plays notes, at every rung of its ladder."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from synthhost.core.errors import ConfigError
from synthhost.core.seams import Runner
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.notes_measures import Instrument, measure_notes
from synthhost.train.sampled_notes import played_by, sampled_failures, sampled_figures
from synthhost.train.timbres import TIMBRES_NAME, timbres_in

LADDER = (6, 4, 2)


def evaluate_diffusion(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a diffusion that plays notes, in six steps, four and two."""
    material = NoteMaterial.from_json(recipe.material)
    model = load_model(folder)
    spec = model.spec
    if spec.notes is None:
        raise ConfigError(f"{folder}: plays no notes.")
    timbres = timbres_in(folder / TIMBRES_NAME, spec.notes.dimensions)
    figures, failures = [], []
    for steps in LADDER:
        runner: Runner = model.with_options(steps=steps).runner
        render = partial(played_by, runner)
        played = Instrument(spec.notes, spec.sample_rate, spec.hop_samples, render, None, timbres)
        measured = measure_notes(played, material, cache, say)
        figures += [f"{steps} steps: {line}" for line in sampled_figures(measured)]
        failures += [f"{steps} steps: {line}" for line in sampled_failures(measured)]
    return Evaluation(recipe.name, tuple(figures), tuple(failures))
