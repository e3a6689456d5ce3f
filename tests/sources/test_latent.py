"""The latent source glides where it is told and drifts by its seed, whatever the chunking."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.specs import ModelSpec
from synthhost.sources.latent import LatentSource

SPEC = ModelSpec("codec", "fake", 8000, 80, 5, 0, 1, None, "")


def vectors(source: LatentSource, cuts: list[int]) -> Features:
    pieces = [np.zeros((SPEC.bands, count), np.float32) for count in cuts]
    for piece in pieces:
        source.next_frames(piece)
    return np.concatenate(pieces, axis=1)


def moved(seed: int = 3) -> LatentSource:
    source = LatentSource(SPEC, seed)
    source.jump_param("latent.1", -1.0)
    source.set_param("latent.2", 2.0)
    source.set_param("wander", 0.5)
    return source


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 90), min_size=1, max_size=6))
def test_any_cutting_gives_the_same_vectors(cuts: list[int]) -> None:
    np.testing.assert_array_equal(vectors(moved(), cuts), vectors(moved(), [sum(cuts)]))


def test_a_dimension_glides_to_where_it_is_sent() -> None:
    source = LatentSource(SPEC)
    source.set_param("latent.2", 2.0)
    way = vectors(source, [50])[2]
    assert 0.0 < way[0] < 1.0
    assert np.all(np.diff(way) >= 0)
    assert way[-1] == 2.0


def test_drift_belongs_to_the_seed_and_to_each_dimension() -> None:
    drifted = vectors(moved(), [400])
    np.testing.assert_array_equal(drifted, vectors(moved(), [400]))
    assert not np.array_equal(drifted, vectors(moved(seed=4), [400]))
    assert abs(np.corrcoef(drifted[0], drifted[3])[0, 1]) < 0.9
    assert np.abs(drifted[0]).max() <= 0.5


def test_more_dimensions_than_can_be_played_are_refused() -> None:
    with pytest.raises(SourceError, match="no latent vectors"):
        LatentSource(ModelSpec("wide", "fake", 8000, 80, 1000, 0, 1, None, ""))
