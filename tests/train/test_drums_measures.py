"""Measures of drums know a kind from another, a copy from a hit of its own, and a mean that leans."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from synthhost.train import drums_measures
from synthhost.train.drum_material import Hits
from synthhost.train.drums_measures import DrumsMeasures, measure_drums

RATE, SAMPLES, LATENT = 8000, 4096, 2
CLASSES = ("kick", "closed-hat")
Sounds = NDArray[np.float32]


def hit(kind: int, number: int) -> Sounds:
    """Return a low sine or high noise that dies away, each a little different."""
    rng = np.random.default_rng([kind, number])
    times = np.arange(SAMPLES) / RATE
    decay = np.exp(-times / rng.uniform(0.03, 0.08))
    low = np.sin(2.0 * np.pi * rng.uniform(60.0, 140.0) * times)
    high = np.diff(rng.standard_normal(SAMPLES + 1))
    sound = (high if kind else low) * decay
    return np.asarray(0.9 * sound / np.abs(sound).max(), np.float32)


@pytest.fixture(scope="module")
def hits() -> Hits:
    kinds = np.repeat([0, 1], 20)
    sounds = np.stack([hit(kind, number % 20) for number, kind in enumerate(kinds)])
    return Hits(sounds, kinds, np.arange(40) % 4 == 1)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("_STEPS", 25), ("_BATCH", 16), ("_JUDGES", 1), ("_OF_A_KIND", 12)):
        monkeypatch.setattr(drums_measures, name, value)


def measured(hits: Hits, render: Callable[..., Sounds]) -> DrumsMeasures:
    return measure_drums(render, LATENT, hits, list(enumerate(CLASSES)), RATE)


def learned(hits: Hits, _: Any, kinds: NDArray[np.int64]) -> Sounds:
    """Return recordings learned from, one after another, as a model that knows nothing else."""
    places = [np.flatnonzero((hits.kinds == kind) & ~hits.held_out) for kind in (0, 1)]
    return np.stack([hits.sounds[places[kind][number % 12]] for number, kind in enumerate(kinds)])


def test_recordings_themselves_are_of_their_kind_and_are_copies(hits: Hits) -> None:
    found = measured(hits, lambda places, kinds: learned(hits, places, kinds))
    assert found.accuracy > 0.95
    assert found.real_accuracy > 0.95
    assert set(found.of_kind) == set(CLASSES)
    assert found.copies == 1.0
    assert found.nearest_db == pytest.approx(0.0, abs=1e-3)
    assert found.real_nearest_db > 0.5
    assert found.peak == pytest.approx(0.9, abs=0.01)
    assert found.onset_ms < 5.0
    assert found.tail_db < -40.0
    assert found.failures() == []


def test_hits_of_its_own_are_no_copies(hits: Hits) -> None:
    def render(_: Any, kinds: NDArray[np.int64]) -> Sounds:
        return np.stack([hit(int(kind), 100 + number) for number, kind in enumerate(kinds)])

    found = measured(hits, render)
    assert found.accuracy > 0.9
    assert found.copies < 0.5
    assert found.nearest_db == pytest.approx(found.real_nearest_db, rel=0.5)
    assert found.apart_db > 1.0


def test_hits_of_the_other_kind_fail(hits: Hits) -> None:
    found = measured(hits, lambda places, kinds: learned(hits, places, 1 - kinds))
    assert found.accuracy < 0.05
    assert max(found.of_kind.values()) < 0.1
    assert any("of its hits are of their kind" in one for one in found.failures())


def test_a_kind_that_fails_is_told_by_name(hits: Hits) -> None:
    found = measured(hits, lambda places, kinds: learned(hits, places, np.ones_like(kinds)))
    assert found.of_kind["closed-hat"] > 0.9
    assert found.of_kind["kick"] < 0.1
    assert found.accuracy == pytest.approx(0.5, abs=0.05)


def test_a_mean_is_a_failure_whichever_way_it_leans(hits: Hits) -> None:
    for lean in (0.06, -0.06):
        found = measured(
            hits, lambda places, kinds, lean=lean: learned(hits, places, kinds) + np.float32(lean)
        )
        assert found.dc == pytest.approx(0.06, abs=0.02)
        assert any("a hit has a mean of" in one for one in found.failures())


def test_late_begins_and_cut_ends_are_told(hits: Hits) -> None:
    def late(places: Any, kinds: NDArray[np.int64]) -> Sounds:
        out = np.roll(learned(hits, places, kinds), 400, 1)
        out[:, -1] = 0.5
        return out

    found = measured(hits, late)
    assert found.onset_ms == pytest.approx(50.0, abs=5.0)
    assert found.tail_db == pytest.approx(20.0 * np.log10(0.5 / 0.9), abs=0.5)


def test_one_and_the_same_hit_is_not_apart_from_itself(hits: Hits) -> None:
    found = measured(hits, lambda _, kinds: np.stack([hit(int(kind), 7) for kind in kinds]))
    assert found.apart_db == 0.0


def test_measuring_changes_nothing_of_the_chance_of_others_and_is_the_same_again(hits: Hits) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = measured(hits, lambda places, kinds: learned(hits, places, kinds))
    assert torch.equal(torch.get_rng_state(), before)
    assert first == measured(hits, lambda places, kinds: learned(hits, places, kinds))
