"""A network that plays noise where notes should be fails, though no pitch error tells it."""

from __future__ import annotations

from dataclasses import replace

from synthhost.train.notes_measures import NotesMeasures
from synthhost.train.sampled_notes import sampled_failures, sampled_figures

GOOD = NotesMeasures(2.0, 0.99, ("flute", 4.0), 1.0, 0.0, 0.0, 0.0, {"flute": 5.0}, 0.5, 0.0, 1.0)


def test_each_gate_is_told_and_nothing_else() -> None:
    assert not sampled_failures(GOOD)
    for changed, said in (
        ({"median_cents": 16.0}, "16.0 cents off"),
        ({"median_cents": float("nan")}, "nan cents off"),
        ({"near": 0.8}, "80.0 % of frames"),
        ({"pitched": 0.9}, "only 90 % of notes are pitched"),
        ({"onset_ms": 9.0}, "heard only after 9.0 ms"),
    ):
        failed = sampled_failures(replace(GOOD, **changed))  # type: ignore[arg-type]
        assert len(failed) == 1
        assert said in failed[0]


def test_figures_say_how_many_notes_are_pitched() -> None:
    assert "90 % of notes are pitched" in sampled_figures(replace(GOOD, pitched=0.9))[0]
