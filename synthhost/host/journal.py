"""The journal: everything that was controlled, with the sample at which it took effect.

One JSON object a line. The first is the header: the plan of the run with its set, sounds and models written
out. Then every accepted command in the order it took effect, a line `{"at": SAMPLE}` about once a second, and
`{"end": SAMPLE}`. That is enough to hear the same again.
"""

from __future__ import annotations

import json
import math
import platform
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from synthhost.core.errors import RecordingError
from synthhost.core.messages import Accepted, Command, Event, as_plain, from_plain
from synthhost.host.plan import Plan, SinkPlan

JOURNAL_NAME = "journal.jsonl"
_FORMAT = "journal/1"


def header_of(plan: Plan, chunk_frames: dict[str, int], model_hashes: dict[str, str]) -> dict[str, Any]:
    """Return the first line of a journal."""
    return {
        "synthhost": _FORMAT,
        "plan": {**asdict(plan), "chunk_frames": chunk_frames},
        "models": model_hashes,
        "made_with": {
            "synthhost": version("synthhost"),
            "torch": version("torch"),
            "machine": platform.machine(),
        },
    }


class JournalWriter:
    """Writes one session's journal, and copies of it into the folders of recordings."""

    def __init__(self, header: dict[str, Any], path: Path) -> None:
        """Begin a journal; an existing one of the same session is gone on with.

        Raises:
            RecordingError: It cannot be written there.
        """
        self._path = path
        self._copies: list[IO[str]] = []
        self.error: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = not path.exists()
            self._file = path.open("a", encoding="utf-8")
        except OSError as error:
            raise RecordingError(
                f"{path}: the journal cannot be written ({error.strerror}). Choose another folder."
            ) from error
        if fresh:
            self._line(header)

    def write(self, event: Event) -> None:
        """Log an accepted command; other events are no part of what is replayed."""
        if isinstance(event, Accepted):
            plain = as_plain(event.command)
            if event.late_samples:
                plain["late"] = event.late_samples
            self._line(plain)

    def pulse(self, sample: int) -> None:
        """Note how far the engine has come."""
        self._line({"at": sample})
        self.flush()

    def copy_to(self, folder: Path) -> None:
        """Keep the same journal in another folder too, from its beginning."""
        self.flush()
        try:
            copy = (folder / JOURNAL_NAME).open("x", encoding="utf-8")
            with self._path.open(encoding="utf-8") as whole:
                for line in whole:
                    copy.write(line)
        except OSError as error:
            self.error = f"{folder}: the journal cannot be written there ({error.strerror})"
            return
        self._copies.append(copy)

    def flush(self) -> None:
        """Hand everything to the system, so that it outlives this process."""
        for file in (self._file, *self._copies):
            try:
                file.flush()
            except OSError as error:
                self.error = f"{file.name}: the journal cannot be written ({error.strerror})"

    def close(self, end_sample: int) -> None:
        """End the journal."""
        self._line({"end": end_sample})
        self.flush()
        for file in (self._file, *self._copies):
            file.close()

    def _line(self, plain: dict[str, Any]) -> None:
        line = json.dumps(plain, separators=(",", ":")) + "\n"
        for file in (self._file, *self._copies):
            try:
                file.write(line)
            except OSError as error:
                self.error = f"{file.name}: the journal cannot be written ({error.strerror})"


class Journal:
    """A journal that was written, for playing again."""

    def __init__(self, path: Path) -> None:
        """Read the header and find the end.

        Raises:
            RecordingError: It is no journal, or one this version cannot read.
        """
        self.path = path / JOURNAL_NAME if path.is_dir() else path
        lines = self._lines()
        header = next(lines, {})
        if header.get("synthhost") != _FORMAT:
            raise RecordingError(
                f"{self.path}: not a journal of this version (it begins {str(header)[:60]!r}). "
                "Give the journal.jsonl of a recording, or its folder."
            )
        self.header = header
        self.plan = _plan_of(header, self.path)
        self.end_sample = 0
        self.complete = False
        self._scan(lines)

    def _scan(self, lines: Iterator[dict[str, Any]]) -> None:
        """Find the end, and the chunk sizes of models that joined during the show."""
        chunk_frames = dict(self.plan.chunk_frames)
        for number, plain in enumerate(lines, 2):
            try:
                details = plain.get("details", {})
                if "chunk_frames" in details:
                    chunk_frames[str(details["model"])] = int(details["chunk_frames"])
                place = plain.get("end", plain.get("at", plain.get("at_sample", 0)))
                self.end_sample = max(self.end_sample, int(place))
            except (KeyError, TypeError, ValueError) as error:
                raise RecordingError(f"{self.path}:{number}: not a line of a journal ({error!r}).") from error
            self.complete |= "end" in plain
        self.plan = replace(self.plan, chunk_frames=chunk_frames)

    def commands(self) -> Iterator[Command]:
        """Yield every command with the sample at which it took effect, in order."""
        for plain in self._lines():
            if "do" not in plain:
                continue
            command = from_plain(plain)
            value = getattr(command, "value", 0.0)
            if not (isinstance(value, int | float) and math.isfinite(value)):
                raise RecordingError(f"{self.path}: a command holds {value!r} where a number must stand.")
            yield command  # type: ignore[misc]

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(file, 1):
                    if not line.endswith("\n"):
                        return  # the process was ended in the middle of this line
                    try:
                        plain = json.loads(line)
                    except ValueError as error:
                        raise RecordingError(f"{self.path}:{number}: not JSON ({error}).") from error
                    if not isinstance(plain, dict):
                        raise RecordingError(f"{self.path}:{number}: a line must be a JSON object.")
                    yield plain
        except OSError as error:
            raise RecordingError(
                f"{self.path}: cannot be read ({error.strerror}). Check the path."
            ) from error


def _plan_of(header: dict[str, Any], path: Path) -> Plan:
    try:
        plain = dict(header["plan"])
        plain["sink"] = SinkPlan(**plain["sink"])
        return Plan(**plain)
    except (KeyError, TypeError) as error:
        raise RecordingError(f"{path}:1: the header is incomplete ({error}).") from error
