"""What is told of an instrument's pitch: of those that nobody can follow, that."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthhost.core.arrays import Audio
from synthhost.train import notes_measures
from synthhost.train.notes_measures import Instrument, NotesMeasures, measure_notes

RATE = 16000


class Tracker:
    """Reads a sound's first sample as its error in cents; of silence it reads nothing."""

    def cents(self, sound: Audio, _rate: int, _hertz: float) -> Any:
        return np.full(20 if sound.any() else 0, sound[0], np.float64)


def measured(monkeypatch: pytest.MonkeyPatch, **cents: float) -> NotesMeasures:
    monkeypatch.setattr(notes_measures, "PitchTracker", Tracker)
    monkeypatch.setattr(notes_measures, "_beside_real_notes", lambda *_: ({}, 0.0))
    monkeypatch.setattr(notes_measures, "_falls_db", lambda *_: 0.0)
    monkeypatch.setattr(notes_measures, "_step_db", lambda *_: 0.0)
    monkeypatch.setattr(Instrument, "note", lambda _, timbre, *__: np.full(RATE, timbre, np.float32))
    timbres: Any = cents
    instrument = Instrument(SimpleNamespace(), RATE, 80, lambda _: np.zeros(1), None, timbres)  # type: ignore[arg-type]
    ranges = tuple(SimpleNamespace(name=name, lowest=60, highest=72) for name in cents)
    material: Any = SimpleNamespace(timbres=ranges)
    cache: Any = None
    return measure_notes(instrument, material, cache)


def test_the_instrument_that_is_furthest_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, flute=3.0, horn=-8.0, harp=1.0)
    assert found.worst == ("horn", 8.0)
    assert found.worst_told == "at worst 8.0 (horn)"
    assert found.pitched == 1.0


def test_an_instrument_that_nobody_can_follow_is_not_the_worst_and_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = measured(monkeypatch, flute=3.0, woodblock=0.0)
    assert found.worst_told == "at worst 3.0 (flute), and no frame of woodblock is surely pitched"
    assert found.pitched == 0.5
    assert found.median_cents == 3.0


def test_where_nothing_can_be_followed_the_gate_does_not_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = measured(monkeypatch, woodblock=0.0)
    assert found.worst_told == "no frame of woodblock is surely pitched"
    assert any("off at the median" in failure for failure in found.failures(5.3))
