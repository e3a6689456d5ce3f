"""Ordinary files and their lines, within bounds; pipes and devices, which may never end, are told apart."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

LONGEST_LINE_BYTES = 8 << 20
"""Longer lines are refused: the longest that is written holds mel frames as text, a few MB."""


class LineTooLongError(ValueError):
    """A line is longer than any line that means something; the message says which and how long it may be."""


def ordinary_size(path: str | Path) -> int | None:
    """Return the size of a file in bytes, or None for what is no ordinary file.

    Ask before opening: opening a pipe alone may never end.

    Raises:
        OSError: There is nothing there, or it cannot be reached.
        ValueError: No system has such a path.
    """
    there = os.stat(path)
    return there.st_size if stat.S_ISREG(there.st_mode) else None


def bounded_lines(path: Path) -> Iterator[bytes]:
    """Yield the lines of an ordinary file with their ends.

    Raises:
        OSError: It cannot be read.
        LineTooLongError: A line is longer than `LONGEST_LINE_BYTES`.
    """
    with path.open("rb") as file:
        number = 1
        while line := file.readline(LONGEST_LINE_BYTES + 1):
            if len(line) > LONGEST_LINE_BYTES:
                raise LineTooLongError(f"{path}:{number}: a line has at most {LONGEST_LINE_BYTES} bytes.")
            yield line
            number += 1
