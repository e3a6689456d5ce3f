"""The control process writes into the journal all that the engine tells, and what it could not tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from synthhost.core.messages import Accepted, Failed, Notice, Panic, encode
from synthhost.host.control_process import ControlProcess
from synthhost.host.journal import JOURNAL_NAME, header_of
from synthhost.host.plan import Plan, SinkPlan
from synthhost.host.shared import Shared


def told(folder: Path, lost_events: int) -> list[dict[str, Any]]:
    """Let a control process serve a run that is over; return the journal's lines behind the header."""
    plan = Plan(
        {"name": "x", "tracks": []}, 48000, 256, 7, SinkPlan("null"), osc_port=0, journal_folder=str(folder)
    )
    (folder / "run").mkdir()
    shared = Shared.create(folder / "run", plan.sample_rate)
    shared.board.write({"sample_rate": 48000, "tracks": {}, "header": header_of(plan, {}, {})})
    for event in (Accepted(Panic(5)), Failed(0, "/track/a/cue", "no"), Notice("end", "over", 900)):
        shared.events.push(encode([event]))
    shared.status["sample"] = 700
    shared.status["lost_events"] = lost_events
    shared.status["stop"] = 2
    ControlProcess(plan, shared).run()
    return [json.loads(line) for line in (folder / JOURNAL_NAME).read_text().splitlines()[1:]]


def test_commands_and_failures_are_written_in_order_before_the_end(tmp_path: Path) -> None:
    assert told(tmp_path, 0) == [
        {"do": "Panic", "at_sample": 5, "origin": 0},
        {"failed": "/track/a/cue", "reason": "no", "at": 700},
        {"end": 900},
    ]


def test_lost_events_are_written_and_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(tmp_path, 3)[-2:] == [{"lost": 3, "at": 700}, {"end": 900}]
    assert "3 events of the engine were lost" in capsys.readouterr().err
