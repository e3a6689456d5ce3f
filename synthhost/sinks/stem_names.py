"""File names from stem names: nothing leaves the folder, and every system can hold them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from synthhost.core.errors import RecordingError

_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)}


def file_names(stems: Iterable[str], ending: str) -> dict[str, str]:
    """Make each stem's name a plain file name with `ending`; returns them by stem name.

    Raises:
        RecordingError: A name leaves nothing to call a file, or two become the same (in any case).
    """
    names: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name in stems:
        safe = re.sub(r"[^\w .+()-]", "_", name)[:100].strip(" .")
        if not safe:
            raise RecordingError(f"stems: {name!r} cannot be a file name. Give the stem letters or digits.")
        if safe.lower().split(".")[0] in _DEVICE_NAMES:
            safe = f"_{safe}"
        if safe.lower() in taken:
            other = taken[safe.lower()]
            raise RecordingError(f"stems: {name!r} and {other!r} would share the file {safe!r}. Rename one.")
        taken[safe.lower()] = name
        names[name] = safe + ending
    return names
