"""The channel strip: exact at rest, straight ramps of 10 ms, closed means zero."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.engine.strip import Strip, db_to_linear

RATE = 8000
RAMP_SAMPLES = 80


def through(strip: Strip, samples: int, cuts: list[int] | None = None) -> Audio:
    block = np.ones((2, samples), dtype=np.float32)
    at = turn = 0
    while at < samples:
        size = cuts[turn % len(cuts)] if cuts else samples
        strip.apply(block[:, at : at + size])
        at, turn = at + size, turn + 1
    return block


def test_a_fresh_strip_changes_no_bit() -> None:
    np.testing.assert_array_equal(through(Strip(RATE), 100), np.ones((2, 100), dtype=np.float32))


@pytest.mark.parametrize("gain_db", [-90.0, -120.0])
def test_the_lowest_gain_is_exact_silence_after_10_ms(gain_db: float) -> None:
    strip = Strip(RATE)
    strip.set_param("gain_db", gain_db)
    heard = through(strip, 200)
    assert heard[0, RAMP_SAMPLES - 2] > 0.0
    assert not heard[:, RAMP_SAMPLES - 1 :].any()
    assert strip.closed
    assert db_to_linear(-89.9) > 0.0


def test_a_ramp_is_straight_and_takes_10_ms() -> None:
    strip = Strip(RATE)
    strip.set_param("gain_db", -20.0)
    heard = through(strip, 200)[0]
    np.testing.assert_allclose(heard[:RAMP_SAMPLES], np.linspace(1.0, 0.1, RAMP_SAMPLES + 1)[1:], atol=1e-6)
    np.testing.assert_array_equal(heard[RAMP_SAMPLES:], np.float32(0.1))


@given(
    st.lists(st.integers(1, 90), min_size=1, max_size=6), st.floats(-90, 12), st.floats(-1, 1), st.booleans()
)
def test_the_blocks_change_no_bit(cuts: list[int], gain_db: float, pan: float, mute: bool) -> None:
    heard = []
    for blocks in (cuts, None):
        strip = Strip(RATE)
        strip.set_param("gain_db", gain_db)
        first = through(strip, 37, blocks)
        strip.set_param("pan", pan)
        strip.set_param("mute", float(mute))
        heard.append(np.concatenate((first, through(strip, 300, blocks)), axis=1))
    np.testing.assert_array_equal(heard[0], heard[1])


@pytest.mark.parametrize(("pan", "left", "right"), [(-1, 1, 0), (-0.5, 1, 0.5), (0, 1, 1), (1, 0, 1)])
def test_balance_turns_only_the_far_side_down(pan: float, left: float, right: float) -> None:
    strip = Strip(RATE)
    strip.set_param("pan", pan)
    strip.settle()
    np.testing.assert_array_equal(through(strip, 1)[:, 0], np.float32([left, right]))


@pytest.mark.parametrize(
    ("mute", "silenced", "opened"), [(0, False, 1), (1, False, 0), (0, True, 0), (1, True, 0)]
)
def test_mute_and_anothers_solo_each_close_the_strip(mute: int, silenced: bool, opened: int) -> None:
    strip = Strip(RATE)
    strip.set_param("mute", mute)
    strip.silence(silenced)
    strip.settle()
    np.testing.assert_array_equal(through(strip, 3), np.float32(opened))
    assert strip.closed == (not opened)


def test_messages_that_change_nothing_do_not_hold_a_closing_strip_open() -> None:
    strip = Strip(RATE)
    strip.set_param("mute", 1.0)
    for _ in range(RAMP_SAMPLES):
        strip.set_param("mute", 1.0)
        strip.set_param("gain_db", -3.0)
        through(strip, 1)
    assert strip.closed
