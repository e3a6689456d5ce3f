"""Meters say what is in the block."""

from __future__ import annotations

import numpy as np

from synthhost.engine.meters import measure


def test_peak_and_rms_of_each_channel() -> None:
    peak, rms = np.zeros(2, dtype=np.float32), np.zeros(2, dtype=np.float32)
    block = np.stack([0.5 * np.sin(2 * np.pi * np.arange(64) / 64), np.full(64, -0.25)]).astype(np.float32)
    measure(block, peak, rms)
    np.testing.assert_allclose(peak, [0.5, 0.25], atol=1e-6)
    np.testing.assert_allclose(rms, [0.5 / np.sqrt(2), 0.25], atol=1e-6)
