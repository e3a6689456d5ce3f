"""The shared memory of one run: rings, status page and board, in a folder that goes with the run."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from synthhost.core.board import STATUS_FIELDS, JsonBoard, StatusPage
from synthhost.core.region import Region
from synthhost.core.rings import AudioRing, ByteRing

_PREFIX = "synthhost-"
_RUN_FOLDER = re.compile(r"synthhost-([1-9][0-9]{0,9})-[a-z0-9_]{8}")  # of which process, then any letters
_COMMAND_BYTES = 8 << 20
_EVENT_BYTES = 32 << 20
_BOARD_BYTES = 4 << 20
_RING_S = 3.0  # of sound between engine and sink
_CHANNELS = 4


@dataclass(frozen=True, slots=True)
class Shared:
    """Everything the processes of a run share."""

    folder: Path
    commands: ByteRing  # control to engine
    events: ByteRing  # engine to control
    audio: AudioRing  # engine to sink
    status: StatusPage
    board: JsonBoard

    @classmethod
    def create(cls, folder: Path, sample_rate: int) -> Shared:
        """Make the memory of a new run."""
        ring_bytes = AudioRing.size_bytes(_CHANNELS, int(_RING_S * sample_rate))
        Region.create(folder / "commands", _COMMAND_BYTES)
        Region.create(folder / "events", _EVENT_BYTES)
        Region.create(folder / "audio", ring_bytes)
        Region.create(folder / "status", STATUS_FIELDS.itemsize)
        Region.create(folder / "board", _BOARD_BYTES)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Shared:
        """Join the run that lives in a folder."""
        return cls(
            folder,
            ByteRing(Region.open(folder / "commands")),
            ByteRing(Region.open(folder / "events")),
            AudioRing(Region.open(folder / "audio"), _CHANNELS),
            StatusPage(Region.open(folder / "status")),
            JsonBoard(Region.open(folder / "board")),
        )


def new_run_folder() -> Path:
    """Make a folder for a run, in memory where the system has such a place; leftovers of dead runs go."""
    memory = Path("/dev/shm")
    parent = memory if os.access(memory, os.W_OK) else Path(tempfile.gettempdir())
    for old in parent.glob(f"{_PREFIX}*-*"):
        if _abandoned(old):
            shutil.rmtree(old, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent))


def _abandoned(folder: Path) -> bool:
    """Whether a folder is a run's whose process has ended; what is no run's is nobody's to remove."""
    named = _RUN_FOLDER.fullmatch(folder.name)
    if named is None:
        return False
    try:
        os.kill(int(named[1]), 0)
    except ProcessLookupError:
        return True
    except (OSError, OverflowError):  # another user's
        return False
    return False
