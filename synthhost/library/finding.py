"""Where models live and how a name or a path finds one; nothing here reads weights."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import platformdirs

from synthhost.checkpoints.bundle_index import bundle_index
from synthhost.checkpoints.model_folder import MANIFEST_NAME, is_package
from synthhost.core.errors import ModelNotFoundError, suggestion
from synthhost.core.options import without_options
from synthhost.library.published import PUBLISHED
from synthhost.schema.patterns import SLUG_PATTERN

_BESIDE = Path(__file__).resolve().parents[2] / "models"
_INSTALLED = Path(sys.prefix) / "share" / "synthhost" / "models"
_SHIPPED = _BESIDE if _BESIDE.is_dir() else _INSTALLED


@dataclass(frozen=True, slots=True)
class Shelf:
    """One folder of models."""

    kind: Literal["shipped", "yours"]
    folder: Path

    def models(self) -> list[Path]:
        """Return the model folders on it, by name; unfinished ones do not count."""
        if not self.folder.is_dir():
            return []
        return sorted(path for path in self.folder.iterdir() if path.name[0] != "." and is_package(path))


def home() -> Path:
    """Return the folder for what is fetched and imported: SYNTHHOST_HOME, or the system's cache folder."""
    named = os.environ.get("SYNTHHOST_HOME")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("synthhost")


def user_models() -> Path:
    """Return the folder imported and pulled models go to."""
    return home() / "models"


def shelves() -> tuple[Shelf, ...]:
    """Return the folders a model's name is looked up in, in order."""
    return Shelf("shipped", _SHIPPED), Shelf("yours", user_models())


def find_model(name_or_path: str | Path) -> Path:
    """Return the model folder, or the checkpoint file, that a name or path means.

    Args:
        name_or_path: A model's name, the path of a model folder, or the path of a published checkpoint file;
            of a TensorFlow checkpoint its index, prefix or folder.

    Raises:
        ModelNotFoundError: If there is none; the message names the nearest one.
    """
    text, _ = without_options(os.fspath(name_or_path))
    if isinstance(name_or_path, str) and re.fullmatch(SLUG_PATTERN, text):
        for shelf in shelves():
            if is_package(shelf.folder / text):
                return shelf.folder / text
    path = Path(text).expanduser()
    if path.name == MANIFEST_NAME or (path.is_file() and is_package(path.parent)):
        path = path.parent
    if path.is_file() or is_package(path):
        return path
    index = bundle_index(path)
    if index is not None:
        return index
    raise ModelNotFoundError(_not_found(text, path))


def _not_found(text: str, path: Path) -> str:
    if path.is_dir():
        return f"{path}: holds no {MANIFEST_NAME}. Name a model folder or the checkpoint file inside it."
    if text in PUBLISHED:
        return f"the model {text!r} is not on this machine yet. Fetch it: synthhost models pull {text}"
    known = {model.name for shelf in shelves() for model in shelf.models()} | set(PUBLISHED)
    nearest = suggestion(text, sorted(known))
    return f"no model is named {text!r}, and there is no such file.{nearest} See: synthhost models list"
