"""Peak and RMS of a stereo block."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio


def measure(block: Audio, peak: Audio, rms: Audio) -> None:
    """Write the peak and the root mean square of each channel, `block` `[2, samples]`. [render thread]"""
    np.max(np.abs(block), axis=1, out=peak)
    rms[:] = np.sqrt(np.einsum("cs,cs->c", block, block) / block.shape[1])
