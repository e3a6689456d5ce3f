"""Which file of a TensorFlow checkpoint is its index; nothing here reads weights."""

from __future__ import annotations

import re
from pathlib import Path

from synthhost.core.errors import CheckpointError

INDEX_SUFFIX = ".index"

_STATE_FILE = "checkpoint"  # text beside the checkpoints that names the newest one
_NEWEST = re.compile(r'^model_checkpoint_path: "([^"]+)"', re.MULTILINE)
_MAX_STATE_BYTES = 1_000_000


def bundle_index(path: Path) -> Path | None:
    """Return the index file of the checkpoint that a path means: itself, its prefix, or its folder.

    Of several checkpoints in a folder the newest is meant, as the file `checkpoint` there names it.

    Raises:
        CheckpointError: A folder holds several and does not say which.
    """
    if path.is_dir():
        return _index_in(path)
    if path.is_file():
        return path if path.suffix == INDEX_SUFFIX else None
    beside = path.with_name(path.name + INDEX_SUFFIX)
    return beside if beside.is_file() else None


def _index_in(folder: Path) -> Path | None:
    found = sorted(folder.glob(f"*{INDEX_SUFFIX}"))
    if len(found) < 2:
        return found[0] if found else None
    state = folder / _STATE_FILE
    text = read_bounded(state, _MAX_STATE_BYTES).decode(errors="replace") if state.is_file() else ""
    newest = _NEWEST.search(text)
    if newest is not None:
        named = folder / f"{newest[1].replace(chr(92), '/').rpartition('/')[2]}{INDEX_SUFFIX}"
        if named in found:
            return named
    listed = ", ".join(path.name for path in found[:6])
    raise CheckpointError(f"{folder}: holds several checkpoints ({listed}). Name one of them.")


def read_bounded(path: Path, most_bytes: int) -> bytes:
    """Return what a file holds, of so many bytes at most.

    Raises:
        CheckpointError: It cannot be read, or is larger.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(most_bytes + 1)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    if len(raw) > most_bytes:
        raise CheckpointError(f"{path}: larger than {most_bytes // 1024**2} MB; no known model needs that.")
    return raw
