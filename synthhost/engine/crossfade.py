"""Equal-power crossfades that do not depend on how the stream is cut into blocks."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio


def crossfade(old: Audio, new: Audio, out: Audio, done_samples: int, length_samples: int) -> int:
    """Mix two blocks with an equal-power curve and return how far the fade then is.

    Args:
        old: Block from the leaving voice, `[..., samples]`.
        new: Block from the arriving voice, same shape.
        out: Written in place, same shape; may be `old` or `new`.
        done_samples: How many samples of the fade have passed before this block.
        length_samples: How long the whole fade is.

    [render thread]
    """
    count = int(out.shape[-1])
    place = np.minimum((done_samples + np.arange(1, count + 1)) / length_samples, 1.0)
    angle = 0.5 * np.pi * place
    np.add(old * np.cos(angle).astype(np.float32), new * np.sin(angle).astype(np.float32), out=out)
    return done_samples + count
