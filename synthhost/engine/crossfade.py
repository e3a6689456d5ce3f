"""An equal-power crossfade that no block border can change."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio


def crossfade(old: Audio, new: Audio, out: Audio, position: float, step: float) -> float:
    """Mix two blocks with an equal-power curve and return the new position.

    With `s = p * p * (3 - 2 * p)` the gains are `sqrt(1 - s)` and `sqrt(s)`: their squares sum to one, both
    start and end with no jump, and only exactly rounded operations are used, so the samples are the same
    to the bit whatever the block size (which the sine of a platform does not promise).

    Args:
        old: Block from the leaving sound, `[channels, samples]`.
        new: Block from the arriving sound, same shape.
        out: Written in place, same shape; may be `old` or `new`.
        position: Where the fade stands, 0 (old) to 1 (new); pass on what the last call returned.
        step: How far one sample moves it, `1 / (crossfade_ms * sample_rate / 1000)`.

    Returns:
        The position after the block, 1.0 once the fade is over.

    [render thread]
    """
    if position >= 1.0:
        out[:] = new
        return 1.0
    done = round(position / step)
    samples = int(out.shape[1])
    places = np.arange(done, done + samples, dtype=np.float64) * step
    fading = int(np.searchsorted(places, 1.0))
    shape = np.minimum(places[:fading] ** 2 * (3.0 - 2.0 * places[:fading]), 1.0)
    arriving = new[:, :fading] * np.sqrt(shape).astype(np.float32)
    np.multiply(old[:, :fading], np.sqrt(1.0 - shape).astype(np.float32), out=out[:, :fading])
    out[:, :fading] += arriving
    out[:, fading:] = new[:, fading:]
    return min((done + samples) * step, 1.0)
