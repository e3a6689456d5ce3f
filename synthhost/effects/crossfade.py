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
    done = round(position / step)
    samples = int(out.shape[1])
    places = np.minimum(np.arange(done, done + samples, dtype=np.float64) * step, 1.0)
    shape = places * places * (3.0 - 2.0 * places)
    arriving = np.multiply(new, np.sqrt(shape).astype(np.float32))
    np.multiply(old, np.sqrt(1.0 - shape).astype(np.float32), out=out)
    out += arriving
    return min((done + samples) * step, 1.0)
