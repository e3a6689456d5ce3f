"""A bus: begins from silence each block and gives what its limiter lets through."""

from __future__ import annotations

import numpy as np

from synthhost.effects.limiter import Limiter
from synthhost.engine.buses import Bus


def test_a_bus_sums_a_block_and_forgets_it() -> None:
    bus, out = Bus(Limiter(-6.0, 80.0, 48000), 48000, 64), np.zeros((2, 64), dtype=np.float32)
    heard = []
    for level in (0.25, 0.0, 2.0, 0.0, 0.0):
        bus.begin()
        assert not bus.sum.any()
        bus.sum += np.float32(level)
        bus.finish(out)
        heard.append(out.copy())
    whole = np.concatenate(heard, axis=1)
    late = bus.limiter.latency_samples
    np.testing.assert_array_equal(whole[:, late : late + 32], np.float32(0.25))
    assert np.abs(whole).max() <= 10 ** (-6.0 / 20) + 1e-7
    assert np.abs(whole[:, late + 128 : late + 160]).max() > 0.4


def test_the_last_block_of_a_show_may_be_shorter() -> None:
    bus, out = Bus(Limiter(-6.0, 80.0, 48000), 48000, 64), np.zeros((2, 40), dtype=np.float32)
    bus.begin()
    bus.sum[:, :40] += np.float32(0.25)
    bus.finish(out)
    bus.begin()
    bus.finish(out)
    late = bus.limiter.latency_samples - 40
    np.testing.assert_array_equal(out[:, late:], np.float32(0.25))
