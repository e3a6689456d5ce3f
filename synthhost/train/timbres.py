"""Where the instruments of a model of notes lie in its timbre space: a file beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from synthhost.core.arrays import Features
from synthhost.core.errors import ConfigError
from synthhost.schema.reading import read_text
from synthhost.schema.strict_yaml import parse_yaml

TIMBRES_NAME = "timbres.yaml"


def timbres_in(path: Path, dimensions: int) -> dict[str, Features]:
    """Return where instruments lie, `[dimensions]` by name.

    Raises:
        ConfigError: The file says something else.
    """
    plain: Any = parse_yaml(read_text(path), str(path))
    try:
        found = {str(name): np.array(point, np.float32) for name, point in plain.items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"{path}: must name points of {dimensions} numbers.") from error
    if any(point.shape != (dimensions,) for point in found.values()):
        raise ConfigError(f"{path}: must name points of {dimensions} numbers.")
    return found
