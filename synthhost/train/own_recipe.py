"""The recipe with which a model goes on learning from a player's own folder of sounds."""

from __future__ import annotations

import math
from pathlib import Path
from types import MappingProxyType
from typing import Any

from synthhost.checkpoints.names import slug
from synthhost.core.errors import ConfigError
from synthhost.schema.recipe import Recipe
from synthhost.train.drums_task import played_classes
from synthhost.train.own_sounds import own_notes, sounds_in

_SHORTER, _SLOWER = 10, 0.3  # of a whole training's steps, and of its rate
_OF_NOTES = ("diffusion", "generator", "notes", "voice")  # tasks
_BEGINS = "_from"  # of settings that say from which step on another one holds
_FALLS = "_to"  # of settings that say to what another one falls
_NOT_OWN = ("unplayed", "shares")  # settings that say what base material is for
_ROUNDED = "bfloat16_steps"
_SPOKEN = MappingProxyType({"held_out_every": 20, "longest_pause_s": 0.4})  # where the base learned no speech
_READ_AT_HZ = 16000  # where only keys are wanted


def own_recipe(base: Recipe, model: Path, folder: Path) -> Recipe:
    """Return how a model goes on learning from a folder.

    Notes: every folder below is an instrument. Drums: every folder below, or the begin of a name, is a kind.
    Textures, and vocoders: all of it is one.

    Args:
        base: How the model was trained.
        model: Its folder.
        folder: Of sounds.

    Raises:
        ConfigError: The model's task has no material of one's own.
        TrainingError: It is no folder, or its sounds cannot be used.
    """
    folder = folder.expanduser().resolve()
    sounds_in(folder)  # refuses what is no folder
    material: dict[str, Any]
    if base.task == "texture":
        material = {**base.material, "source": str(folder)}
    elif base.task == "vocoder":
        spoken = base.material.get("speech", _SPOKEN)
        material = {"speech": {**spoken, "source": str(folder)}}
    elif base.task == "drums":
        played = [name for _, name in played_classes(base)]
        material = {**base.material, "folder": str(folder), "classes": played}
    elif base.task in _OF_NOTES:
        material = {**base.material, "folder": str(folder), "timbres": _timbres(folder), "teacher": ""}
    else:
        raise ConfigError(f"{base.name}: nothing is learned from a folder for the task {base.task!r}.")
    return base.model_copy(
        update={
            "name": slug(f"{base.name}-{folder.name}"),
            "about": f"The model {base.name}, gone on learning from {folder.name}.",
            "source": f"{base.source} Then the sounds of {folder.name}, whose rights are their owner's.",
            "licence": "yours to say: it was learned from your own sounds too",
            "begins_from": str(model),
            "material": material,
            "settings": _settings(base),
            "steps": max(base.steps // _SHORTER, 1),
            "learning_rate": base.learning_rate * _SLOWER,
            "save_steps": max(base.save_steps // _SHORTER, 1),
            "show_steps": max(base.show_steps // _SHORTER, 1),
        }
    )


def _settings(base: Recipe) -> dict[str, Any]:
    """Return how a model learns on: all kinds are played, what began late has begun, what fell has fallen."""
    fallen = {key.removesuffix(_FALLS): value for key, value in base.settings.items() if key.endswith(_FALLS)}
    made = {
        key: 0 if key.endswith(_BEGINS) else fallen.get(key, value)
        for key, value in base.settings.items()
        if key not in _NOT_OWN
    }
    if _ROUNDED in made:
        made[_ROUNDED] //= _SHORTER
    return made


def _timbres(folder: Path) -> list[dict[str, Any]]:
    keys: dict[str, list[float]] = {}
    for note in own_notes(folder, _READ_AT_HZ):
        keys.setdefault(note.timbre, []).append(note.key)
    return [
        {"name": name, "program": None, "lowest": math.floor(min(own)), "highest": math.ceil(max(own))}
        for name, own in keys.items()
    ]
