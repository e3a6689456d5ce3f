"""The journal: everything that was controlled, with the sample at which it took effect.

One JSON object a line. The first is the header: the plan of the run with its set, sounds and models written
out. Then every accepted command in the order it took effect, a line `{"at": SAMPLE}` about once a second, and
`{"end": SAMPLE}`. That is enough to hear the same again. Beside these stand what could not be carried out,
`{"failed": ADDRESS, "reason": TEXT, "at": SAMPLE}`, and how many events never reached the journal so far,
`{"lost": COUNT, "at": SAMPLE}`: so that a replay can tell its own failures from the session's.
"""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from synthhost.core.errors import RecordingError
from synthhost.core.messages import Accepted, Command, Event, Failed, as_plain, from_plain
from synthhost.host.field_checks import LARGEST_WHOLE, wrong_field
from synthhost.host.line_file import LineFile
from synthhost.host.ordinary_files import LineTooLongError, bounded_lines, ordinary_size
from synthhost.host.plan import Plan, SinkPlan

JOURNAL_NAME = "journal.jsonl"
_FORMAT = "journal/2"
_BY_WEIGHTS = "journal/1"  # which names models by their weights alone
_ASKS = frozenset(  # each takes the next ticket
    ("LoadPreset", "SetOption", "TakeRung", "CuePreset", "LoadTape", "StartRecording")
)


def made_with() -> dict[str, str]:
    """Return the versions and the machine that samples depend on."""
    return {
        "synthhost": version("synthhost"),
        "torch": version("torch"),
        "machine": platform.machine(),
    }


def header_of(
    plan: Plan,
    chunk_frames: dict[str, int],
    model_hashes: dict[str, str],
    backends: dict[str, str] | None = None,
    gpus: list[str] | None = None,
) -> dict[str, Any]:
    """Return the first line of a journal; chunk sizes, hashes and back ends go by the models' references."""
    return {
        "synthhost": _FORMAT,
        "plan": {**asdict(plan), "chunk_frames": chunk_frames, "backends": dict(backends or {})},
        "models": model_hashes,
        "made_with": made_with(),
        "gpus": gpus or [],
    }


class JournalWriter:
    """Writes one session's journal, and copies of it into the folders of recordings."""

    def __init__(self, header: dict[str, Any], path: Path) -> None:
        """Begin a journal; an existing one of the same session is gone on with, and so are its copies.

        Raises:
            RecordingError: It cannot be written there.
        """
        self.error: str | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = LineFile(path, append=True)
        except OSError as error:
            raise RecordingError(
                f"{path}: the journal cannot be written ({error.strerror}). Choose another folder."
            ) from error
        self._files = [self._file]
        self._told_before = b""  # the last line of an earlier process, which may be told once more
        if self._file.is_empty:
            self._line(header)
        else:
            self._told_before = self._file.contents().splitlines(keepends=True)[-1]
            self._go_on_with_copies()

    def write(self, event: Event) -> None:
        """Log an accepted command; other events are no part of what is replayed.

        A process that died between writing an event and forgetting it leaves it to be told again: what is
        the same as the last line found is not written twice.
        """
        if isinstance(event, Accepted):
            plain = as_plain(event.command)
            if event.late_samples:
                plain["late"] = event.late_samples
            repeated, self._told_before = _as_line(plain) == self._told_before, b""
            if not repeated:
                self._line(plain)

    def fail(self, failed: Failed, sample: int) -> None:
        """Log what could not be carried out, about when."""
        self._told_before = b""
        self._line({"failed": failed.address, "reason": failed.reason, "at": sample})

    def lose(self, events: int, sample: int) -> None:
        """Note how many of the engine's events were lost so far."""
        self._line({"lost": events, "at": sample})

    def pulse(self, sample: int) -> None:
        """Note how far the engine has come."""
        self._line({"at": sample})
        self.flush()

    def copy_to(self, folder: Path) -> None:
        """Keep the same journal in another folder too, from its beginning."""
        try:
            copy = LineFile(folder / JOURNAL_NAME)
            for line in self._file.contents().splitlines(keepends=True):
                copy.write(line)
        except OSError as error:
            self.error = f"{folder}: the journal cannot be written there ({error.strerror})"
            return
        self._files.append(copy)
        self.flush()

    def flush(self) -> None:
        """Hand everything to the system, so that it outlives this process."""
        for file in self._files:
            file.flush()
            if file.error is not None:
                self.error = f"{file.path}: the journal cannot be written ({file.error.strerror})"

    def close(self, end_sample: int) -> None:
        """End the journal."""
        self._line({"end": end_sample})
        self.flush()
        for file in self._files:
            file.close()

    def _line(self, plain: dict[str, Any]) -> None:
        line = _as_line(plain)
        for file in self._files:
            file.write(line)

    def _go_on_with_copies(self) -> None:
        """Begin the copies anew that an earlier process of this session left behind."""
        for line in self._file.contents().splitlines():
            if b'"do":"StartRecording"' in line:
                copy = Path(json.loads(line)["folder"]) / JOURNAL_NAME
                if copy.is_file() and not copy.samefile(self._file.path):
                    copy.unlink()
                    self.copy_to(copy.parent)


class Journal:
    """A journal that was written, for playing again.

    Attributes:
        header: Its first line.
        plan: Of the session, with the chunk sizes of models that joined during it.
        end_sample: As far as the session is known.
        complete: Whether the session came to its end.
        activated: Tickets of what was loaded and took its place.
        takes: How many recordings began, beside one of the whole.
        failures: Address and reason of what could not be carried out.
        lost_events: How many events never reached the journal.
        by_weights: Whether models are named by their weights alone.
    """

    def __init__(self, path: Path) -> None:
        """Read the header and find the end.

        Raises:
            RecordingError: It is no journal, or one this version cannot read.
        """
        self.path = path / JOURNAL_NAME if path.is_dir() else path
        lines = self._lines()
        _, header = next(lines, (1, {}))
        if header.get("synthhost") not in (_FORMAT, _BY_WEIGHTS):
            raise RecordingError(
                f"{self.path}: not a journal of this version (it begins {str(header)[:60]!r}). "
                "Give the journal.jsonl of a recording, or its folder."
            )
        self.header = header
        self.by_weights = header["synthhost"] == _BY_WEIGHTS
        self.plan = _plan_of(header, self.path)
        self.end_sample = 0
        self.complete = False
        self.activated: set[int] = set()
        self.takes = 0
        self.failures: list[tuple[str, str]] = []
        self.lost_events = 0
        self._scan(lines)

    def _scan(self, lines: Iterator[tuple[int, dict[str, Any]]]) -> None:
        """Find the end, what took its place and what did not, and how models that joined were computed."""
        chunk_frames, backends = dict(self.plan.chunk_frames), dict(self.plan.backends)
        asked: list[str] = []  # by ticket, from 1
        for number, plain in lines:
            place = plain.get("end", plain.get("at", plain.get("at_sample")))
            if not isinstance(place, int) or not 0 <= place < LARGEST_WHOLE:
                raise RecordingError(f"{self.path}:{number}: {place!r:.60} is no sample of the session.")
            self.end_sample = max(self.end_sample, place)
            self.complete |= "end" in plain
            self._note(plain, asked, f"{self.path}:{number}")
            details = plain.get("details")
            if isinstance(details, dict) and "chunk_frames" in details:
                chunk_frames[str(details.get("model"))] = details["chunk_frames"]
                if "backend" in details:
                    backends[str(details.get("model"))] = str(details["backend"])
        self.plan = replace(self.plan, chunk_frames=chunk_frames, backends=backends)
        _check_plan(self.plan, f"{self.path}: a model that joined")

    def _note(self, plain: dict[str, Any], asked: list[str], place: str) -> None:
        """Take from a line which loads and recordings took their place, what failed, and what is missing."""
        name, ticket, lost = plain.get("do"), plain.get("ticket"), plain.get("lost", 0)
        if isinstance(name, str) and name in _ASKS:
            asked.append(name)
        elif name == "Activate" and isinstance(ticket, int):
            self.activated.add(ticket)
            self.takes += 1 <= ticket <= len(asked) and asked[ticket - 1] == "StartRecording"
        if "failed" in plain:
            self.failures.append((str(plain["failed"]), str(plain.get("reason", ""))))
        if not isinstance(lost, int):
            raise RecordingError(f"{place}: {lost!r:.60} is no number of lost events.")
        self.lost_events = max(self.lost_events, lost)

    def commands(self) -> Iterator[Command]:
        """Yield every command with the sample at which it took effect, in order.

        Raises:
            RecordingError: A line holds no command of this version; the message names it.
        """
        for number, plain in self._lines():
            if "do" in plain:
                yield _command_of(plain, f"{self.path}:{number}")

    def _lines(self) -> Iterator[tuple[int, dict[str, Any]]]:
        try:
            if ordinary_size(self.path) is None:
                raise RecordingError(
                    f"{self.path}: is no ordinary file. Give the journal.jsonl of a recording, or its folder."
                )
            for number, line in enumerate(bounded_lines(self.path), 1):
                if not line.endswith(b"\n"):
                    return  # the process was ended in the middle of this line
                yield number, _object_of(line, f"{self.path}:{number}")
        except LineTooLongError as error:
            raise RecordingError(f"{error} This is no journal, or a damaged one.") from error
        except OSError as error:
            raise RecordingError(
                f"{self.path}: cannot be read ({error.strerror}). Check the path."
            ) from error


def _as_line(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, separators=(",", ":")).encode() + b"\n"


def _object_of(line: bytes, place: str) -> dict[str, Any]:
    try:
        plain = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise RecordingError(
            f"{place}: not a line of a journal ({error}). "
            "Give the journal.jsonl of a recording, or its folder."
        ) from error
    if not isinstance(plain, dict):
        raise RecordingError(f"{place}: a line must be a JSON object.")
    return plain


def _command_of(plain: dict[str, Any], place: str) -> Command:
    try:
        command = from_plain(plain)
    except (RecordingError, OverflowError, RecursionError) as error:
        raise RecordingError(f"{place}: {error}") from error
    if not isinstance(command, Command):
        raise RecordingError(f"{place}: {plain['do']} is no command; a journal holds nothing else.")
    wrong = wrong_field(command)
    if wrong is None and command.at_sample < 0:
        wrong = f"at_sample is {command.at_sample}, before the session began"
    if wrong is not None:
        raise RecordingError(f"{place}: {wrong}.")
    return command


def _plan_of(header: dict[str, Any], path: Path) -> Plan:
    try:
        plain = dict(header["plan"])
        plain["sink"] = SinkPlan(**plain["sink"])
        plan = Plan(**plain)
    except (KeyError, TypeError, ValueError) as error:
        raise RecordingError(f"{path}:1: the header is incomplete ({error}).") from error
    _check_plan(plan, f"{path}:1: the header")
    return plan


def _check_plan(plan: Plan, place: str) -> None:
    wrong = wrong_field(plan) or wrong_field(plan.sink)
    if wrong is None and not all(1 <= frames <= 1024 for frames in plan.chunk_frames.values()):
        wrong = f"chunk_frames is {plan.chunk_frames!r:.60}, not 1 to 1024 each"
    for name, least, most in (
        ("sample_rate", 1000, 768_000),
        ("block_samples", 1, 1 << 16),
        ("threads", 1, 256),
        ("fixed_chunk", 0, 1024),
    ):
        if wrong is None and not least <= getattr(plan, name) <= most:
            wrong = f"{name} is {getattr(plan, name)}, not {least} to {most}"
    if wrong is not None:
        raise RecordingError(f"{place} cannot be played: {wrong}.")
