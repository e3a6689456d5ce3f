"""Settings that training programs leave behind as plain text: lines of names and values, Python assignments.

Nothing is run: a Python file is parsed, and its assignments of plain numbers, texts and truths are read.
"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

from synthhost.checkpoints.settings import Settings, config_text
from synthhost.core.errors import CheckpointError


def read_lines(path: Path) -> Settings:
    """Return the settings of a file of `name,value` lines; what looks like a whole number or a truth is one.

    Raises:
        CheckpointError: It cannot be read or has a line that is none.
    """
    plain: dict[str, Any] = {}
    for number, line in enumerate(config_text(path).splitlines(), 1):
        name, comma, value = line.strip().partition(",")
        if name and not comma:
            raise CheckpointError(f"{path}:{number}: no line of a name, a comma and a value.")
        if name:
            plain[name] = _value(value)
    return Settings(str(path), plain)


def read_assignments(path: Path) -> Settings:
    """Return what a Python file assigns at its top level, where it is a plain value.

    Raises:
        CheckpointError: It cannot be read or is no Python.
    """
    try:
        tree = ast.parse(config_text(path))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise CheckpointError(f"{path}: is not readable as Python ({error}).") from error
    plain: dict[str, Any] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            plain |= {one.id: node.value.value for one in node.targets if isinstance(one, ast.Name)}
    return Settings(str(path), plain)


def _value(text: str) -> Any:
    if text in ("True", "False"):
        return text == "True"
    return int(text) if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20 else text
