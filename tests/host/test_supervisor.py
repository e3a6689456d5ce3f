"""The supervisor: what it tells of a process that does not come back."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from synthhost.host import processes
from synthhost.host.plan import Plan
from synthhost.host.processes import Child
from synthhost.host.supervisor import Supervisor

_GONE = "import sys\nsys.exit(4)\n"
_REFUSES = "import sys\nsys.stderr.write('a library complains\\n{}\\n')\nsys.exit(3)\n"


@pytest.fixture
def said() -> list[str]:
    """Collect what the person at the terminal reads."""
    return []


@pytest.fixture
def supervisor(said: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Supervisor]:
    """Give a supervisor whose sink is a program of the test's."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(processes, "_RESTART_GAP_S", 0.0)
    supervisor = Supervisor(Plan({}, 48000, 256, 0), said.append)
    supervisor.sink.module = "refusing_sink"
    yield supervisor
    supervisor.stop()


def test_the_sink_imports_while_models_are_loaded(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[tuple[str, bool]] = []

    def start(child: Child, *, quiet: bool = False) -> None:
        assert not quiet
        begun.append((child.name, child.waiting is not None))
        supervisor.shared.status[f"{child.name}_ready"] = 1

    monkeypatch.setattr(Child, "start", start)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    supervisor.start()
    assert begun == [("control", False), ("engine", False), ("sink", True)]


def test_each_reason_why_the_sound_does_not_come_back_is_told_once(
    supervisor: Supervisor, said: list[str], tmp_path: Path
) -> None:
    program = tmp_path / "refusing_sink.py"
    reasons = ["There is no device.", "The device is back at another rate."]
    status = supervisor.shared.status

    def tick() -> None:
        told = len(said) - 1
        if 0 <= told < len(reasons):
            program.write_text(_REFUSES.format(reasons[told]))
        elif told == len(reasons) and status["sink_restarts"] > tries[0] + 2:
            supervisor.request_stop()
        if told < len(reasons):
            tries[0] = int(status["sink_restarts"])

    tries = [0]
    program.write_text(_GONE)
    supervisor.sink.start()
    supervisor.watch(tick)
    assert "gone quiet" in said[0]
    assert said[1:] == reasons
