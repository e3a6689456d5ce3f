"""A place of its own for a measurement: models, presets and sets that leave nothing behind."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.published import HYPER, random_model, random_origin
from synthhost.checkpoints.package import save_package
from synthhost.host.planning import written_set
from synthhost.library.finding import find_model, user_models
from synthhost.schema.preset_library import PRESETS_VARIABLE, PresetLibrary
from synthhost.schema.set import Set
from synthhost.schema.strict_yaml import dump_yaml

MODEL_HELP = "A published size with random weights (v1, v2, v3), or an installed model's name or path."


@dataclass(frozen=True, slots=True)
class Stage:
    """A temporary home of the host, in force while it lasts."""

    folder: Path
    presets: Path
    model: str  # how presets name the model

    def write_set(self, name: str, plain: Mapping[str, Any]) -> str:
        """Write a set where the host looks for it and return its name.

        Raises:
            ConfigError: It says something that cannot be played.
        """
        checked = Set.from_json(dict(plain), name)
        folder = self.presets / "sets"
        folder.mkdir(exist_ok=True)
        (folder / f"{name}.yaml").write_text(dump_yaml(checked.as_json()), encoding="utf-8")
        return name

    def tape_set(self, tracks: int = 1) -> str:
        """Write the shipped set of tapes, its first track so many times, played by this stage's model.

        Returns:
            Its name.

        Raises:
            ConfigError: The set cannot be read.
            SourceError: A sound of it cannot be read.
        """
        library = PresetLibrary.of_this_machine()
        placed = library.load_set("choir")
        plain = placed.set.as_json()
        first = plain["tracks"][0]
        preset = {**library.presets_of(placed)[first["name"]].absolute().as_json(), "model": self.model}
        numbered = [
            {**first, "name": f"{first['name']}-{number + 1}" if number else first["name"], "preset": preset}
            for number in range(tracks)
        ]
        return self.write_set("bench-choir", {**plain, "name": "bench-choir", "tracks": numbered})

    def written(self, name: str) -> Set:
        """Return a set of this stage with everything in it written out."""
        return written_set(PresetLibrary.of_this_machine(), name)


@contextmanager
def stage(model: str) -> Iterator[Stage]:
    """Give a model a temporary home with presets of its own; the environment is put back afterwards.

    Args:
        model: A published size, made here with random weights, or an installed model's name or path.

    Raises:
        ModelNotFoundError: There is no such model.
    """
    installed = None if model in HYPER else find_model(model).absolute()
    with tempfile.TemporaryDirectory(prefix="bench-") as made:
        folder = Path(made)
        presets = folder / "presets"
        presets.mkdir()
        with _environment({"SYNTHHOST_HOME": made, PRESETS_VARIABLE: str(presets)}):
            reference = str(installed) if installed is not None else _import_random(model)
            yield Stage(folder, presets, reference)


def _import_random(size: str) -> str:
    origin = random_origin(size)
    save_package(random_model(size), origin, user_models() / origin.name)
    return origin.name


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for this process and those it starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
