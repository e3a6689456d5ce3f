"""Admission: what is measured, and what is said of it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.backends.cost import StepCost
from synthhost.host import admission
from synthhost.host.admission import Admission
from synthhost.host.chunking import Choice
from synthhost.host.plan import Plan


def make_admission(told: list[str]) -> Admission:
    plan = Plan({"tracks": [{}]}, 48000, 256, 0)
    return Admission(plan, lambda: True, told.append)


def test_an_unknown_model_is_told_once_before_it_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    told_before: list[list[str]] = []

    def measured(*_: Any) -> Choice:
        told_before.append(list(told))
        return Choice(4, StepCost(4, 0.001, 0.002, 0.02), keeps_up=True)

    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    monkeypatch.setattr(admission, "measure_apart", measured)
    runner: Any = SimpleNamespace(spec=SimpleNamespace(sha256="0" * 64, name="new"))
    one = make_admission(told)
    assert [one.chunk_of("new", runner) for _ in range(2)] == [4, 4]
    assert told_before == [["measuring new on this machine ..."]] == [told]
    make_admission(told).chunk_of("new", runner)  # it is remembered from then on
    assert len(told) == 1
