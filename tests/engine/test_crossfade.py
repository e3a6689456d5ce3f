"""The crossfade: equal power, no click, no trace of the block size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.engine.crossfade import crossfade

LENGTH = 960
STEP = 1.0 / LENGTH


def faded(old: Audio, new: Audio, cuts: list[int], step: float = STEP) -> Audio:
    out, at, turn, position = np.zeros_like(old), 0, 0, 0.0
    while at < old.shape[1]:
        piece = slice(at, at + cuts[turn % len(cuts)])
        position = crossfade(old[:, piece], new[:, piece], out[:, piece], position, step)
        at, turn = piece.stop, turn + 1
    assert position == min(1.0, old.shape[1] * step)
    return out


def noise(seed: int, samples: int = 1500) -> Audio:
    return np.random.default_rng(seed).standard_normal((2, samples)).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    length_ms=st.floats(0.1, 40.0),
)
def test_any_block_size_gives_the_same_bits(cuts: list[int], length_ms: float) -> None:
    step = 1.0 / (length_ms * 44.1)
    old, new = noise(1), noise(2)
    np.testing.assert_array_equal(faded(old, new, cuts, step), faded(old, new, [1500], step))


def test_power_is_constant_and_ends_are_exact() -> None:
    ones, zeros = np.ones((1, 1500), dtype=np.float32), np.zeros((1, 1500), dtype=np.float32)
    leaving, arriving = faded(ones, zeros, [256]), faded(zeros, ones, [256])
    np.testing.assert_allclose(leaving**2 + arriving**2, 1.0, atol=1e-6)
    assert leaving[0, 0] == 1.0
    assert arriving[0, 0] == 0.0
    old, new = noise(3), noise(4)
    np.testing.assert_array_equal(faded(old, new, [97])[:, LENGTH:], new[:, LENGTH:])


def test_leaving_sound_that_broke_is_gone_once_the_fade_is_over() -> None:
    broken = np.full((2, 1500), np.nan, dtype=np.float32)
    for cuts in ([1500], [256]):
        heard = faded(broken, noise(7), cuts)
        np.testing.assert_array_equal(heard[:, LENGTH:], noise(7)[:, LENGTH:])


def test_gains_have_no_jump() -> None:
    ones, zeros = np.ones((1, 1500), dtype=np.float32), np.zeros((1, 1500), dtype=np.float32)
    for gains in (faded(ones, zeros, [64]), faded(zeros, ones, [64])):
        assert np.abs(np.diff(gains)).max() < 1.8 * STEP


def test_output_may_be_the_old_block() -> None:
    old, new, out = noise(5), noise(6), np.zeros((2, 1500), dtype=np.float32)
    crossfade(old, new, out, 0.0, STEP)
    crossfade(old, new, old, 0.0, STEP)
    np.testing.assert_array_equal(old, out)
