"""The sample queue: what goes in comes out, in order, without growing."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.engine.fifo import SampleFifo


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(0, 40)), max_size=60))
def test_samples_come_out_as_they_went_in(turns: list[tuple[int, int, int]]) -> None:
    fifo, given_, taken = SampleFifo(64), 0, 0
    for room, used, wanted in turns:
        if len(fifo) + room <= 64:
            used = min(used, room)
            fifo.room(room)[:used] = np.arange(given_, given_ + used)
            fifo.commit(used)
            given_ += used
        wanted = min(wanted, len(fifo))
        np.testing.assert_array_equal(fifo.take(wanted), np.arange(taken, taken + wanted))
        taken += wanted
        assert len(fifo) == given_ - taken


def test_a_queue_too_small_for_its_stream_is_our_own_mistake() -> None:
    fifo = SampleFifo(8)
    fifo.room(8)
    fifo.commit(8)
    with pytest.raises(AssertionError, match="too small"):
        fifo.room(1)
    with pytest.raises(AssertionError, match="more samples"):
        fifo.take(9)
    fifo.clear()
    assert len(fifo) == 0
    assert fifo.room(8).size == 8
