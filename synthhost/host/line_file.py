"""A file that only grows, line by line, and outlives a full disk and the death of its process."""

from __future__ import annotations

import os
from pathlib import Path

_EAGER_BYTES = 1 << 16  # handed to the system without being asked
_PATIENT_BYTES = 16 << 20  # kept while the disk is full; beyond that the file ends
_LOOK_BACK_BYTES = 1 << 16


class LineFile:
    """Lines that are handed to the system whole and in order.

    What a full disk does not take waits in memory and is tried again, so that nothing is missing once there
    is room. When too much waits the file ends where it is: no line may be missing in the middle.

    Attributes:
        path: Where it is.
        error: Why the last attempt to write failed, or None.
    """

    def __init__(self, path: Path, *, append: bool = False) -> None:
        """Make the file, or go on after the last whole line of one that is there.

        Raises:
            OSError: It cannot be opened, or is there and is not to be gone on with.
        """
        self.path = path
        self.error: OSError | None = None
        self._waiting = bytearray()
        self._ended = False
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | (0 if append else os.O_EXCL)
        self._file = os.open(path, flags, 0o666)
        self._size = self._end_of_last_line()
        if os.fstat(self._file).st_size > self._size:
            os.ftruncate(self._file, self._size)
        os.lseek(self._file, self._size, os.SEEK_SET)

    @property
    def is_empty(self) -> bool:
        """Whether no line is in it, written or waiting."""
        return self._size == 0 and not self._waiting

    def write(self, line: bytes) -> None:
        """Append a line, its end included; trouble is found in `error`."""
        if self._ended:
            return
        if len(self._waiting) + len(line) > _PATIENT_BYTES:
            self._ended = True
            return
        self._waiting += line
        if self.error is None and len(self._waiting) > _EAGER_BYTES:
            self.flush()

    def flush(self) -> None:
        """Hand over what waits, as far as there is room."""
        try:
            while self._waiting:
                written = os.write(self._file, self._waiting)
                self._size += written
                del self._waiting[:written]
        except OSError as error:
            self.error = error
        else:
            self.error = None

    def contents(self) -> bytes:
        """Return everything written and waiting."""
        return self.path.read_bytes()[: self._size] + bytes(self._waiting)

    def close(self) -> None:
        """Hand over what waits and let go."""
        self.flush()
        os.close(self._file)

    def _end_of_last_line(self) -> int:
        end = os.fstat(self._file).st_size
        while end > 0:
            begin = max(end - _LOOK_BACK_BYTES, 0)
            os.lseek(self._file, begin, os.SEEK_SET)
            found = os.read(self._file, end - begin).rfind(b"\n")
            if found >= 0:
                return begin + found + 1
            end = begin
        return 0
