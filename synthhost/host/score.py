"""A score: OSC messages with their times in a text file, for rendering without anybody at the controls.

One message a line: seconds, address, arguments. Numbers are numbers, everything else is text; quotes hold
text with spaces; `#` begins a comment.

    0.0   /track/voice/param/speed 0.5
    2.5   /track/voice/preset "freeze-pad" 200
"""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from synthhost.control.address import AddressTable
from synthhost.control.packets import OscMessage
from synthhost.core.errors import RecordingError, SynthhostError
from synthhost.core.messages import Command
from synthhost.host.assembly import describe
from synthhost.host.offline import OfflineEngine, OfflineResult, Progress
from synthhost.host.ordinary_files import ordinary_size
from synthhost.host.places import Places

MAX_LINES = 1_000_000
MAX_BYTES = 64 << 20
MAX_LINE_LETTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class ScoreLine:
    """One timed message."""

    number: int
    time_s: float
    address: str
    args: tuple[Any, ...]


def read_score(path: Path) -> list[ScoreLine]:
    """Return the messages of a score in the order of their times.

    Raises:
        RecordingError: It cannot be read; the message names the line.
    """
    lines = _text(path).splitlines()
    if len(lines) > MAX_LINES:
        raise RecordingError(f"{path}: a score has at most {MAX_LINES} lines; split it.")
    read = (_read_line(path, number, line) for number, line in enumerate(lines, 1))
    return sorted((line for line in read if line is not None), key=lambda line: line.time_s)


def _text(path: Path) -> str:
    try:
        size = ordinary_size(path)
        if size is None:
            raise RecordingError(f"{path}: is no ordinary file, so no score can be read from it.")
        if size > MAX_BYTES:
            raise RecordingError(f"{path}: {size >> 20} MB; a score has at most {MAX_BYTES >> 20}. Split it.")
        with path.open("rb") as file:
            return file.read(size).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RecordingError(f"{path}: the score cannot be read ({error}). Check the path.") from error


def _read_line(path: Path, number: int, line: str) -> ScoreLine | None:
    if len(line) > MAX_LINE_LETTERS:
        raise RecordingError(f"{path}:{number}: a line has at most {MAX_LINE_LETTERS} letters.")
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        raise RecordingError(f"{path}:{number}: {error}. Close the quotes.") from error
    if not words:
        return None
    try:
        time_s = float(words[0])
    except ValueError:
        time_s = math.nan
    if not (math.isfinite(time_s) and time_s >= 0.0) or len(words) < 2 or not words[1].startswith("/"):
        raise RecordingError(
            f"{path}:{number}: a line is SECONDS /ADDRESS ARGUMENTS, such as '2.5 /track/voice/gain -6'."
        )
    return ScoreLine(number, time_s, words[1], tuple(_argument(word) for word in words[2:]))


def _argument(word: str) -> Any:
    for kind in (int, float):
        try:
            return kind(word)
        except ValueError:
            continue
    return word


class ScorePlayer:
    """Plays a score into an offline engine; addresses mean what they mean at that moment of the piece."""

    def __init__(self, engine: OfflineEngine, lines: list[ScoreLine], places: Places, name: str) -> None:
        self._engine = engine
        self._lines = lines
        self._places = places
        self._name = name
        self._table: AddressTable | None = None
        self._revision = -1

    def play(self, end_sample: int, progress: Progress) -> OfflineResult:
        """Render from the first sample to the end.

        Raises:
            RecordingError: A line of the score cannot be carried out; the message names it.
        """
        renderer, plan = self._engine.renderer, self._engine.plan
        place = 0
        while renderer.sample < end_sample:
            block_end_s = (renderer.sample + plan.block_samples) / plan.sample_rate
            while place < len(self._lines) and self._lines[place].time_s < block_end_s:
                self._send(self._lines[place])
                place += 1
            self._engine.advance(end_sample)
            progress(renderer.sample, end_sample)
        return self._engine.finish()

    def _send(self, line: ScoreLine) -> None:
        at_sample = round(line.time_s * self._engine.plan.sample_rate)
        try:
            actions = self._current_table().translate(OscMessage(line.address, line.args), at_sample)
        except SynthhostError as error:
            raise RecordingError(f"{self._name}:{line.number}: {line.address}: {error}") from error
        commands = [action for action in actions if isinstance(action, Command)]
        if commands:
            self._engine.renderer.receive(commands)

    def _current_table(self) -> AddressTable:
        renderer = self._engine.renderer
        if self._table is None or self._revision != renderer.revision:
            self._revision = renderer.revision
            description = describe(renderer, self._engine.plan) | {
                "recording": None
            }  # a take may begin at any time
            self._table = AddressTable(
                description, self._places.preset_body, self._places.sound, self._places.take
            )
        return self._table
