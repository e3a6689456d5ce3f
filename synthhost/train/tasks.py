"""What can be trained, by the name a recipe gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from synthhost.checkpoints.package import load_package
from synthhost.core.errors import ConfigError, suggestion
from synthhost.library.finding import find_model
from synthhost.schema.recipe import Recipe
from synthhost.train.diffusion_task import DiffusionTask
from synthhost.train.drums_task import DrumsTask
from synthhost.train.generator_task import GeneratorTask
from synthhost.train.notes_task import NotesTask
from synthhost.train.task import Task
from synthhost.train.texture_task import TextureTask
from synthhost.train.vocoder_task import VocoderTask
from synthhost.train.voice_task import VoiceTask

MakeTask: TypeAlias = Callable[[Recipe, str, Path, Callable[[str], None]], Task]
"""Makes a task of a recipe, a device, a cache folder and somebody to tell."""

TASKS: Mapping[str, MakeTask] = MappingProxyType(
    {
        "diffusion": DiffusionTask,
        "drums": DrumsTask,
        "generator": GeneratorTask,
        "notes": NotesTask,
        "texture": TextureTask,
        "vocoder": VocoderTask,
        "voice": VoiceTask,
    }
)
"""Every task."""


def make_task(recipe: Recipe, device: str, cache: Path, say: Callable[[str], None]) -> Task:
    """Return a task with its material at hand and fresh weights.

    Raises:
        ConfigError: No task goes by that name, or the recipe says something that it cannot do.
        DownloadError: Material cannot be had.
        ModelNotFoundError: The model it begins from is not there.
        CheckpointError: Or is another network.
    """
    if recipe.task not in TASKS:
        known = ", ".join(sorted(TASKS))
        raise ConfigError(
            f"task: none is named {recipe.task!r}.{suggestion(recipe.task, TASKS)} Known: {known}."
        )
    task = TASKS[recipe.task](recipe, device, cache, say)
    if recipe.begins_from:
        task.begin_from(load_package(find_model(recipe.begins_from)).tensors)
    return task
