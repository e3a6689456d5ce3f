"""Draws belong to their index: for every voice of a batch, from a seed or off a tape."""

from __future__ import annotations

import numpy as np
import pytest

from synthhost.core.draws import SeededDraws, TapeDraws
from synthhost.core.errors import FeatureError


def test_a_batch_draws_what_its_voices_draw_alone() -> None:
    together = SeededDraws((3, 4, 3))
    for row, seed in enumerate((3, 4, 3)):
        alone = SeededDraws.of(seed)
        np.testing.assert_array_equal(together.normals(1, 5, 7)[row], alone.normals(1, 5, 7)[0])
        np.testing.assert_array_equal(together.uniforms(1, 5, 7)[row], alone.uniforms(1, 5, 7)[0])


def test_seed_zero_brings_back_what_a_stream_began_with() -> None:
    draws = SeededDraws((8, 9))
    other = draws.reseeded(5)
    assert other.seeds == (5, 5)
    assert other.reseeded(6).reseeded(0).seeds == draws.seeds


def test_a_tape_is_read_by_stream_and_index() -> None:
    tape = TapeDraws.of(np.arange(12.0).reshape(2, 6), [0.25, 0.5, 0.75])
    assert tape.normals(1, 2, 3).tolist() == [[8.0, 9.0, 10.0]]
    assert tape.uniforms(0, 1, 2).tolist() == [[0.5, 0.75]]


def test_a_tape_recorded_index_by_index_is_turned() -> None:
    tape = np.arange(12.0).reshape(3, 4)
    for given in (tape, tape.T, tape[:, None, :], tape[:, None, :, None]):
        assert TapeDraws.of(given, None, noise_streams=3).normals(2, 1, 2).tolist() == [[9.0, 10.0]]
    assert TapeDraws.of(None, tape[0][:, None] / 4, level_streams=1).uniforms(0, 1, 2).tolist() == [
        [0.25, 0.5]
    ]
    with pytest.raises(FeatureError, match=r"give finite numbers, \[5, indices\]"):
        TapeDraws.of(tape, None, noise_streams=5)


@pytest.mark.parametrize("tape", [[[1.0, float("nan")]], np.zeros((2, 3, 2)), "loud", [[1.0], [1.0, 2.0]]])
def test_what_is_no_tape_is_refused(tape: object) -> None:
    with pytest.raises(FeatureError, match="noise: "):
        TapeDraws.of(tape, None)  # type: ignore[arg-type]


def test_a_tape_that_ends_too_early_or_is_missing_is_told() -> None:
    tape = TapeDraws.of(np.zeros((1, 4)), None)
    with pytest.raises(FeatureError, match="ends before index 5 of stream 0"):
        tape.normals(0, 2, 3)
    with pytest.raises(FeatureError, match="ends before"):
        tape.normals(1, 0, 1)
    with pytest.raises(FeatureError, match="Pass uniforms="):
        tape.uniforms(0, 0, 1)


def test_a_tape_need_not_reach_what_is_made_and_cut_away() -> None:
    tape = TapeDraws.of([1.0, 2.0, 3.0], None)
    assert tape.lengthened(heard=3, made=5).normals(0, 0, 5).tolist()[0][:3] == [1.0, 2.0, 3.0]
    with pytest.raises(FeatureError, match="ends before index 5"):
        tape.lengthened(heard=4, made=5).normals(0, 0, 5)


@pytest.mark.parametrize(("noise", "levels"), [([0.0, 1e30], None), (None, [0.5, 1.5]), (None, [-0.1])])
def test_a_tape_of_values_that_are_never_drawn_is_refused(noise: object, levels: object) -> None:
    with pytest.raises(FeatureError, match="must lie in"):
        TapeDraws.of(noise, levels)  # type: ignore[arg-type]


def test_a_tape_that_nothing_draws_from_is_refused() -> None:
    with pytest.raises(FeatureError, match="draws none of it"):
        TapeDraws.of([0.5], None, noise_streams=0)
