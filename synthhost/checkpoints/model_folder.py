"""What a model folder is known by and says of its origin; nothing here reads weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MANIFEST_NAME = "manifest.yaml"
WEIGHTS_NAME = "weights.safetensors"
CERTIFICATE_NAME = "certificate.yaml"

UNKNOWN_LICENCE = "not stated; ask the author before sharing"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a model comes from, as its manifest tells it."""

    name: str
    licence: str
    source: str
    about: str = ""


def is_package(folder: Path) -> bool:
    """Tell whether a folder is a model."""
    return (folder / MANIFEST_NAME).is_file()
