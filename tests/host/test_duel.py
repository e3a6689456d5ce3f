"""Native code and torch are timed against each other, and no longer than the answer takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from synthhost.backends.cost import StepCost
from synthhost.host import duel as timing
from synthhost.host.duel import Duel, duel


class Machine:
    """One on which a step of each runner takes a given time."""

    def __init__(self, **seconds: float) -> None:
        self.seconds = seconds
        self.timed: dict[str, int] = dict.fromkeys(seconds, 0)
        self.begun: list[str] = []

    def running_state(self, runner: Any) -> str:
        self.begun.append(runner.name)
        return f"{runner.name} runs"

    def cost_per_step(self, runner: Any, unit: int, repeats: int, running: str) -> StepCost:
        assert (running, unit) == (f"{runner.name} runs", 4)
        self.timed[runner.name] += repeats
        return StepCost(unit, self.seconds[runner.name], 1.0, 1.0)


def fought(monkeypatch: pytest.MonkeyPatch, machine: Machine, receptive_frames: int = 40) -> Duel | None:
    monkeypatch.setattr(timing, "running_state", machine.running_state)
    monkeypatch.setattr(timing, "cost_per_step", machine.cost_per_step)
    spec = SimpleNamespace(chunk_unit=4, receptive_frames=receptive_frames)
    native: Any = SimpleNamespace(name="native", spec=spec)
    torch: Any = SimpleNamespace(name="torch", spec=spec)
    return duel(native, lambda: torch)


def test_a_few_steps_of_torch_are_enough_where_it_is_far_slower(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(native=0.0001, torch=0.002)
    assert fought(monkeypatch, machine) == Duel(0.0001, 0.002)
    assert machine.timed == {"native": 14, "torch": 5}


@pytest.mark.parametrize("torch_s", [0.00005, 0.0001, 0.00029])
def test_who_may_win_is_timed_longer(monkeypatch: pytest.MonkeyPatch, torch_s: float) -> None:
    machine = Machine(native=0.0001, torch=torch_s)
    assert fought(monkeypatch, machine) == Duel(0.0001, torch_s)
    assert machine.timed == {"native": 14, "torch": 17}


def test_a_stream_is_begun_once_by_each(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(native=0.001, torch=0.001)
    fought(monkeypatch, machine)
    assert machine.begun == ["native", "torch"]


def test_torch_is_not_begun_where_that_would_take_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(native=0.1, torch=0.1)
    assert fought(monkeypatch, machine, receptive_frames=4000) is None
    assert machine.timed == {"native": 2, "torch": 0}
    assert machine.begun == ["native"]
