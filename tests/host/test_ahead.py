"""A process that starts ahead waits for its run, is taken once, and ends where no run comes."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from synthhost.host import ahead
from synthhost.host.ahead import ENGINE, Waiting, own_run, start_ahead, taken


class Told:
    """Standard input that tells something."""

    def __init__(self, told: bytes) -> None:
        self.buffer = io.BytesIO(told)


def test_a_process_knows_its_run_from_its_arguments_or_once_it_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["engine", str(tmp_path)])
    assert own_run() == tmp_path
    monkeypatch.setattr(sys, "argv", ["engine"])
    strange = tmp_path / "ümläut \udcff"
    for told, found in ((str(strange).encode("utf-8", "surrogateescape"), strange), (b"", None)):
        monkeypatch.setattr(sys, "stdin", Told(told))
        assert own_run() == found


def test_an_engine_that_nobody_tells_a_run_ends_by_itself() -> None:
    waiting = Waiting(ENGINE)
    process = waiting._process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(60) == 0


def test_what_was_started_ahead_is_taken_once_and_ends_when_it_is_dismissed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ahead, "_waiting", [])
    start_ahead(ENGINE)
    assert taken("synthhost.host.sink_process") is None
    waiting = taken(ENGINE)
    assert waiting is not None
    assert taken(ENGINE) is None
    waiting.dismiss()
    assert waiting._process.returncode != 0
