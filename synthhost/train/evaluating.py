"""Measures a trained model and says whether its gates hold: by the task its recipe names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from synthhost.core.errors import ConfigError
from synthhost.schema.reading import read_text
from synthhost.schema.recipe import Recipe
from synthhost.train.diffusion_evaluation import evaluate_diffusion
from synthhost.train.drums_evaluation import evaluate_drums
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.generator_evaluation import evaluate_generator
from synthhost.train.notes_evaluation import evaluate_notes
from synthhost.train.texture_evaluation import evaluate_texture
from synthhost.train.vocoder_evaluation import evaluate_vocoder
from synthhost.train.voice_evaluation import evaluate_voice

RECIPE_NAME = "recipe.yaml"

Evaluate: TypeAlias = Callable[[Path, Recipe, Path, Scope, Callable[[str], None]], Evaluation]
"""Measures the model in a folder, with its recipe, a cache folder, how much, and somebody to tell."""

EVALUATIONS: Mapping[str, Evaluate] = MappingProxyType(
    {
        "diffusion": evaluate_diffusion,
        "drums": evaluate_drums,
        "generator": evaluate_generator,
        "notes": evaluate_notes,
        "texture": evaluate_texture,
        "vocoder": evaluate_vocoder,
        "voice": evaluate_voice,
    }
)
"""How the models of every task are measured."""


def evaluate(
    folder: Path, cache: Path, scope: Scope, say: Callable[[str], None] = lambda _: None
) -> Evaluation:
    """Measure the model in a folder on material that it has not learned from.

    Args:
        folder: Of the model, with its recipe.
        cache: Where material is kept.
        scope: How much of what goes on by itself is measured.
        say: Takes a sentence now and then.

    Raises:
        ConfigError: It has no recipe, or one whose task has no measures.
        DownloadError: Material cannot be had.
    """
    path = folder / RECIPE_NAME
    recipe = Recipe.from_yaml(read_text(path), str(path))
    if recipe.task not in EVALUATIONS:
        raise ConfigError(f"{path}: there are no measures for the task {recipe.task!r}.")
    return EVALUATIONS[recipe.task](folder, recipe, cache, scope, say)
