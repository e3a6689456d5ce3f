"""The shared memory of a run: seen by all its processes, gone with it, and nothing else's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synthhost.core.errors import ProcessError
from synthhost.host import shared
from synthhost.host.shared import Shared, new_run_folder

OTHER = """
import sys
from pathlib import Path
from synthhost.host.shared import Shared
shared = Shared.open(Path(sys.argv[1]))
shared.commands.push(b"hello")
shared.status["osc_port"] = 9123
shared.board.write({"a": [1, "ü"]})
shared.audio.read_sample = 77
"""


def test_what_one_process_writes_another_reads(tmp_path: Path) -> None:
    ours = Shared.create(tmp_path, 48000)
    ours.audio.write(np.ones((4, 100), dtype=np.float32))
    subprocess.run([sys.executable, "-c", OTHER, str(tmp_path)], check=True, timeout=60)
    assert ours.commands.pop() == b"hello"
    assert ours.status["osc_port"] == 9123
    assert ours.board.read() == {"a": [1, "ü"]}
    assert ours.audio.read_sample == 77
    assert ours.audio.capacity_samples == 3 * 48000
    again = Shared.open(tmp_path)
    assert again.audio.write_sample == 100
    assert again.events.pop() is None


def test_a_run_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="is not there"):
        Shared.open(tmp_path)


@pytest.fixture
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make runs in a folder of the test's own."""
    monkeypatch.setattr(shared.os, "access", lambda *_: False)
    monkeypatch.setattr(shared.tempfile, "gettempdir", lambda: str(tmp_path))
    return tmp_path


def ended_process() -> int:
    """Return the number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait(60)
    return process.pid


def test_leftovers_of_dead_runs_go_and_everything_else_stays(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dead = parent / f"synthhost-{ended_process()}-abcd_123"
    stay = [
        parent / f"synthhost-{os.getpid()}-abcd_123",
        parent / "synthhost-my-songs",
        parent / "synthhost-2024-recordings",
        parent / "synthhost--1-abcdefgh",
        parent / f"synthhost-{'9' * 40}-abcdefgh",
    ]
    for folder in (dead, *stay):
        (folder / "inside").mkdir(parents=True)
    ours = new_run_folder()
    assert ours.parent == parent
    assert ours.is_dir()
    assert not dead.exists()
    assert all((folder / "inside").is_dir() for folder in stay)


def test_a_run_of_another_user_is_left_alone(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = parent / f"synthhost-{ended_process()}-abcd_123"
    theirs.mkdir()

    def refuse(_process: int, _signal: int) -> None:
        raise PermissionError

    monkeypatch.setattr(shared.os, "kill", refuse)
    new_run_folder()
    assert theirs.is_dir()


def test_our_own_folder_is_recognised_as_a_run(parent: Path) -> None:
    first = new_run_folder()
    assert shared._RUN_FOLDER.fullmatch(first.name)
    new_run_folder()
    assert first.is_dir()
