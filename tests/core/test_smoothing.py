from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.smoothing import Ramp

values = st.floats(-10, 10)


@given(values, values, st.integers(1, 200), st.lists(st.integers(0, 70), min_size=1, max_size=8))
def test_any_block_size_gives_the_same_ramp(start: float, target: float, steps: int, cuts: list[int]) -> None:
    whole, cut = Ramp(start, steps), Ramp(start, steps)
    whole.move_to(target)
    cut.move_to(target)
    expected = np.empty(sum(cuts), np.float32)
    whole.fill(expected)
    pieces = [np.empty(size, np.float32) for size in cuts]
    for piece in pieces:
        cut.fill(piece)
    np.testing.assert_array_equal(np.concatenate(pieces), expected)
    assert (cut.value, cut.settled) == (whole.value, whole.settled)


@given(values, values, st.integers(1, 200))
def test_filling_and_stepping_agree(start: float, target: float, steps: int) -> None:
    filled, stepped = Ramp(start, steps), Ramp(start, steps)
    filled.move_to(target)
    stepped.move_to(target)
    out = np.empty(steps + 5, np.float32)
    filled.fill(out)
    np.testing.assert_allclose(out, [stepped.advance() for _ in out], rtol=1e-6, atol=1e-6)


@given(values, values, st.integers(1, 200))
def test_the_target_is_met_exactly_after_the_steps(start: float, target: float, steps: int) -> None:
    ramp = Ramp(start, steps)
    ramp.move_to(target)
    for _ in range(steps - 1):
        ramp.advance()
    assert not ramp.settled
    assert ramp.advance() == target
    assert ramp.settled


def test_a_new_target_is_aimed_at_from_where_it_stands() -> None:
    ramp = Ramp(0.0, 10)
    ramp.move_to(10.0)
    ramp.advance(5)
    ramp.move_to(0.0)
    assert ramp.advance(1) == pytest.approx(4.5)


def test_a_jump_is_at_once_and_settled() -> None:
    ramp = Ramp(0.0, 10)
    ramp.move_to(1.0)
    ramp.jump_to(5.0)
    assert (ramp.value, ramp.target, ramp.settled, ramp.advance()) == (5.0, 5.0, True, 5.0)
