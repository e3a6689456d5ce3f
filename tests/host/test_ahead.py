"""A process that starts ahead waits for its run, is taken once, and ends where no run comes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from synthhost.cli import app
from synthhost.host.ahead import ENGINE, SINK, Waiting
from synthhost.host.processes import Child


def test_an_engine_that_nobody_tells_a_run_ends_by_itself() -> None:
    waiting = Waiting(ENGINE)
    process = waiting._process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0


def test_a_process_that_waits_is_told_its_run_and_is_not_dismissed_any_more(tmp_path: Path) -> None:
    waiting = Waiting(ENGINE)
    child = Child("engine", ENGINE, tmp_path, 1, waiting)
    child.start()
    waiting.dismiss()
    assert child.process is waiting._process
    assert child.waiting is None
    assert child.process.wait(60) not in (0, -9), "it looked for a plan in an empty folder"


def test_a_child_that_was_started_ahead_ends_with_its_run_though_never_told_one(
    tmp_path: Path,
) -> None:
    child = Child("sink", SINK, tmp_path, 1)
    child.start_ahead()
    assert child.waiting is not None
    assert child.exit_code is None
    process = child.waiting._process
    child.end(1.0)
    assert process.returncode == -9
    assert child.waiting is None


def test_a_child_that_dies_before_it_is_told_its_run_has_ended(tmp_path: Path) -> None:
    child = Child("sink", SINK, tmp_path, 1)
    child.start_ahead()
    assert child.waiting is not None
    child.waiting._process.kill()
    child.waiting._process.wait(30)
    assert (child.exit_code, child.ending) == (-9, "killed by SIGKILL")
    child.end(1.0)


def test_a_process_without_a_run_ends_when_it_is_dismissed() -> None:
    waiting = Waiting(ENGINE)
    waiting.dismiss()
    assert waiting._process.returncode == -9


@pytest.mark.parametrize(
    ("arguments", "starts"),
    [
        (["live", "--help"], False),
        (["osc", "--help"], False),
        (["--help", "live"], False),
        (["live", "--set", "nonsense"], True),
    ],
)
def test_only_a_run_starts_an_engine_and_none_is_left_behind(
    arguments: list[str], starts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Waiting] = []
    monkeypatch.setattr(app, "Waiting", lambda module: made.append(Waiting(module)) or made[-1])
    monkeypatch.setattr(sys, "argv", ["synthhost", *arguments])
    with pytest.raises(SystemExit):
        app.main()
    assert len(made) == starts
    assert all(one._process.poll() is not None for one in made)
