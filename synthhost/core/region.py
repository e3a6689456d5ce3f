"""Memory shared between the host's processes: a file mapped by each of them, owned by one run."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

from synthhost.core.errors import ProcessError


class Region:
    """A named piece of shared memory, zero when created."""

    def __init__(self, path: Path, size_bytes: int, mapped: mmap.mmap) -> None:
        self.path = path
        self.size_bytes = size_bytes
        self._mapped = mapped

    @classmethod
    def create(cls, path: Path, size_bytes: int) -> Region:
        """Make a region of zeros.

        Raises:
            ProcessError: The file cannot be made.
        """
        try:
            with path.open("xb") as file:
                file.truncate(size_bytes)
        except OSError as error:
            raise ProcessError(f"{path}: shared memory cannot be made ({error.strerror}).") from error
        return cls.open(path)

    @classmethod
    def open(cls, path: Path) -> Region:
        """Map a region another process made.

        Raises:
            ProcessError: It does not exist.
        """
        try:
            handle = os.open(path, os.O_RDWR)
        except OSError as error:
            raise ProcessError(f"{path}: shared memory is not there ({error.strerror}).") from error
        try:
            size_bytes = os.fstat(handle).st_size
            return cls(path, size_bytes, mmap.mmap(handle, size_bytes))
        finally:
            os.close(handle)

    @property
    def view(self) -> memoryview:
        """Return the bytes of the region."""
        return memoryview(self._mapped)
