"""Files that are programs: which of them the user allowed to run, and the one place that loads them.

A TorchScript file holds code, and loading it already runs some. So it is off unless the user opted in for
those very bytes: trust is kept by sha256 and never by path, the file is read once, and what was hashed is
what is loaded.
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from synthhost.checkpoints.reading import (
    ZIP_MAGIC,
    file_bytes,
    first_line,
    holds_program,
    program_refused,
    zip_names,
)
from synthhost.core.errors import CheckpointError, ConfigError

Allowed = Callable[[str], bool]
"""Says of a sha256 whether the user allowed the program with these bytes to run."""

_LINE = re.compile(r"([0-9a-f]{64})(\s.*)?")
_HEADING = (
    "# Programs you allowed synthhost to run, by the sha256 of their file. Take a line out to forbid one.\n"
)
_MOST_BYTES = 1_000_000


def nothing(_: str) -> bool:
    """Allow no program."""
    return False


class TrustList:
    """The programs a user allowed, in a small text file: a sha256 and what it was called, a line each."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def holds(self, sha256: str) -> bool:
        """Tell whether a program was allowed; a list that cannot be read allows none."""
        return sha256 in self._entries()

    def add(self, sha256: str, name: str) -> None:
        """Allow a program from now on; the file is replaced whole.

        Raises:
            ConfigError: The list cannot be written.
        """
        entries = {**self._entries(), sha256: "".join(letter for letter in name if letter.isprintable())}
        text = _HEADING + "".join(f"{one}  {called}".rstrip() + "\n" for one, called in entries.items())
        partial = self.path.with_suffix(f".{os.getpid()}.partial")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(text, encoding="utf-8")
            partial.replace(self.path)
        except OSError as error:
            raise ConfigError(
                f"{self.path}: cannot be written ({error.strerror or error}); the program is not allowed "
                "yet. Check space and rights."
            ) from error

    def _entries(self) -> dict[str, str]:
        try:
            with self.path.open("rb") as file:
                lines = file.read(_MOST_BYTES).decode("utf-8", errors="replace").splitlines()
        except OSError:
            return {}
        found = (_LINE.fullmatch(line) for line in lines)
        return {match[1]: (match[2] or "").strip() for match in found if match}


@dataclass(frozen=True, slots=True)
class Program:
    """A TorchScript file in memory. Nothing of it has run."""

    path: Path
    content: bytes
    sha256: str


def is_program(path: Path) -> bool:
    """Tell whether a file is a TorchScript program; files that cannot be read are not told about here.

    Raises:
        CheckpointError: It is a zip that is damaged or would unpack to too much.
    """
    if not path.is_file() or not path.stat().st_size:
        return False
    with path.open("rb") as file:
        if file.read(len(ZIP_MAGIC)) != ZIP_MAGIC:
            return False
    return holds_program(zip_names(path, path, file_bytes(path)))


def read_program(path: Path) -> Program:
    """Read a TorchScript file into memory, bounded and run by nobody.

    Raises:
        CheckpointError: It is missing, no TorchScript file, damaged, or would unpack to too much.
    """
    file_bytes(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}). Check its rights.") from error
    if not holds_program(zip_names(path, io.BytesIO(content), len(content))):
        raise CheckpointError(f"{path}: is no TorchScript file. Fetch or import the model again.")
    return Program(path, content, hashlib.sha256(content).hexdigest())


def load_module(program: Program, allowed: Allowed, refusal: str = "") -> Any:
    """Load a program, which may run some of it: only if these bytes were allowed.

    Args:
        program: As read.
        allowed: Says whether it may run.
        refusal: What is said where it may not; none: how to import it.

    Raises:
        CheckpointError: It was not allowed and did not run, or it is damaged.
    """
    if not allowed(program.sha256):
        raise CheckpointError(refusal or program_refused(program.path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of torch.jit as a whole
            return torch.jit.load(io.BytesIO(program.content), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise CheckpointError(
            f"{program.path}: the TorchScript program cannot be loaded ({first_line(error)}). Fetch it "
            "again, or export it with a version of torch that this one reads."
        ) from error
