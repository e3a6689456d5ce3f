"""Processes of a run: they notice that their supervisor is gone, and it notices when they hang."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from synthhost.core.errors import ProcessError
from synthhost.host.measure import measure_apart
from synthhost.host.processes import ENGINE_PATIENCE_S, LOADER_STOP_S, Child, ParentWatch, Pulse

_SAYS_WHETHER_ORPHANED = """
import sys
from synthhost.host.processes import ParentWatch
sys.exit(40 + ParentWatch().orphaned)
"""


@pytest.mark.parametrize(("supervisor", "code"), [(os.getpid(), 40), (os.getppid(), 41)])
def test_a_process_whose_supervisor_died_before_it_looked_is_an_orphan(supervisor: int, code: int) -> None:
    environment = {**os.environ, "SYNTHHOST_SUPERVISOR": str(supervisor)}
    command = [sys.executable, "-c", _SAYS_WHETHER_ORPHANED]
    assert subprocess.run(command, env=environment, check=False).returncode == code


def test_a_child_is_told_who_supervises_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orphan.py").write_text(_SAYS_WHETHER_ORPHANED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SYNTHHOST_SUPERVISOR", "1")  # of a host around this one
    child = Child("orphan", "orphan", tmp_path, 1)
    child.start()
    assert child.process is not None
    assert child.process.wait(30.0) == 40


def test_a_process_started_by_hand_watches_its_parent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYNTHHOST_SUPERVISOR", raising=False)
    assert not ParentWatch().orphaned


def test_a_beat_that_stands_still_is_timed_from_when_it_was_first_seen() -> None:
    pulse = Pulse()
    assert [pulse.still_s(7, 100.0 + tenth / 10) for tenth in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    assert pulse.still_s(8, 100.3) == 0.0
    assert pulse.still_s(8, 100.9) == pytest.approx(0.6)


def test_what_nobody_watched_does_not_count_as_still() -> None:
    pulse = Pulse()
    pulse.still_s(7, 100.0)
    assert pulse.still_s(7, 160.0) == 0.0


def test_a_killed_child_has_ended_by_sigkill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "endless.py").write_text("import signal\nsignal.pause()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    child = Child("endless", "endless", tmp_path, 1)
    child.start()
    child.kill()
    assert child.process is not None
    child.process.wait(30.0)
    assert child.ending == "killed by SIGKILL"


def test_the_supervisor_waits_longer_for_the_engine_than_the_engine_for_its_loader() -> None:
    assert ENGINE_PATIENCE_S > LOADER_STOP_S + 3.0


def test_a_measurement_is_killed_when_the_show_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Any] = []

    class Recorded(subprocess.Popen):  # type: ignore[type-arg]
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__([sys.executable, "-c", "import signal; signal.pause()"], **kwargs)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    with pytest.raises(ProcessError, match="the show is over"):
        measure_apart("small", 0.5, None, 1, lambda: True)
    (process,) = started
    assert process.returncode == -9
