from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.noise import hashes, normals, uniforms

words = st.integers(0, (1 << 64) - 1)


@given(words, words, st.integers(0, 1 << 60), st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_any_cutting_gives_the_same_numbers(seed: int, stream: int, first: int, cuts: list[int]) -> None:
    whole = normals(seed, stream, first, sum(cuts))
    starts = np.cumsum([0, *cuts[:-1]])
    pieces = [
        normals(seed, stream, first + int(start), size) for start, size in zip(starts, cuts, strict=True)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)


def test_the_numbers_are_pinned_so_that_old_journals_replay() -> None:
    assert hashes(1, 2, 3, 2).tolist() == [15881399262020493209, 14847872418174673243]


@pytest.mark.parametrize("other", [(1, 0), (0, 1), (2**63, 0)])
def test_streams_and_seeds_are_unrelated(other: tuple[int, int]) -> None:
    correlation = np.corrcoef(normals(0, 0, 0, 20_000), normals(*other, 0, 20_000))[0, 1]
    assert abs(correlation) < 0.03


def test_neighbours_are_unrelated() -> None:
    noise = normals(5, 5, 0, 50_000)
    for lag in (1, 2, 3, 64):
        assert abs(np.corrcoef(noise[:-lag], noise[lag:])[0, 1]) < 0.02


def test_uniforms_are_uniform_in_the_open_interval() -> None:
    drawn = uniforms(3, 4, 0, 100_000)
    assert drawn.min() > 0.0
    assert drawn.max() < 1.0
    counts, _ = np.histogram(drawn, bins=20, range=(0, 1))
    assert np.abs(counts - 5_000).max() < 5 * np.sqrt(5_000)


def test_normals_have_their_moments() -> None:
    drawn = normals(3, 4, 0, 200_000)
    assert drawn.mean() == pytest.approx(0.0, abs=0.01)
    assert drawn.std() == pytest.approx(1.0, abs=0.01)
    assert (drawn**4).mean() == pytest.approx(3.0, abs=0.1)
