"""Reading the JSON configuration beside a published checkpoint, every number checked and bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from synthhost.checkpoints.settings import Settings, config_text
from synthhost.core.errors import CheckpointError


class JsonConfig(Settings):
    """A configuration file of named values.

    Raises:
        CheckpointError: It cannot be read, or holds no named values.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), _read_mapping(path))


def _read_mapping(path: Path) -> dict[str, Any]:
    try:
        plain = json.loads(config_text(path))
    except (ValueError, RecursionError) as error:  # also endless digits
        raise CheckpointError(f"{path}: is not readable as JSON: {error}.") from error
    if not isinstance(plain, dict):
        raise CheckpointError(f"{path}: holds no named values. Use the config.json of the checkpoint.")
    return plain
