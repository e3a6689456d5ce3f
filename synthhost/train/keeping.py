"""Material that takes long to make is kept under what it was made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")


def kept(kind: type[T], folder: Path, described: Sequence[object], make: Callable[[], T]) -> T:
    """Return a record of arrays, made now or taken from a folder; it is kept whole or not at all.

    Args:
        kind: A dataclass of arrays only.
        folder: Where it is kept.
        described: All that it depends on, in what JSON can write.
        make: Makes it.
    """
    names = [one.name for one in fields(kind)]  # type: ignore[arg-type]
    path = folder / f"{hashlib.sha256(json.dumps(described).encode()).hexdigest()[:16]}.npz"
    if not path.is_file():
        made = make()
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial.npz")
        arrays: dict[str, Any] = {name: getattr(made, name) for name in names}
        np.savez(partial, **arrays)
        partial.replace(path)
    with np.load(path) as found:
        return kind(**{name: found[name] for name in names})
