"""Look-ahead found by disturbing: one frame, or one value of noise, that is no number, and where it shows.

What is not a number stays none through every layer, whatever the weights: an output shows it exactly where it
depends on what was disturbed.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.core.draws import Draws
from synthhost.library.model import Model
from synthhost.streaming.script import Script

_ROOM_FRAMES = 4
_ROUNDING = 1e-6  # of the peak


class _DisturbedNoise:
    """Silent noise with one value of stream 0 that is no number."""

    batch = 1

    def __init__(self, index: int) -> None:
        self._index = index

    def normals(self, stream: int, first: int, count: int) -> NDArray[np.float32]:
        values = np.zeros((1, count), dtype=np.float32)
        if stream == 0 and first <= self._index < first + count:
            values[0, self._index - first] = np.nan
        return values

    def uniforms(self, stream: int, first: int, count: int) -> NDArray[np.float64]:
        return np.full((1, count), 0.5)

    def reseeded(self, seed: int) -> Draws:
        return self


def look_ahead_by_disturbance(model: Model) -> int:
    """Return how many samples before its own time a disturbance of the input is first heard.

    Of a model that takes frames a frame is disturbed, of one that draws noise and takes none a value of it;
    a recurrence looks back only, so what counts is what conditions it.
    """
    if isinstance(model.playable, Script):
        return _look_ahead_by_change(model)
    spec, block = model.spec, model.playable.timed
    middle = spec.receptive_frames + _ROOM_FRAMES  # beyond what a mirrored start hears of it
    frames = spec.clip_frames or middle + _ROOM_FRAMES
    middle = min(middle, frames // 2) if spec.clip_frames else middle
    x = torch.zeros(1, frames, spec.bands)
    x[:, middle] = torch.nan
    first_sample = middle * spec.hop_samples
    with torch.inference_mode():
        sound = block.finish(x, block.new_state(1, _DisturbedNoise(first_sample)))
    touched = np.flatnonzero(torch.isnan(sound).any(dim=2)[0].numpy())
    return first_sample - int(touched[0]) if touched.size else 0


def _look_ahead_by_change(model: Model) -> int:
    """Return how early another vector is heard in one long step of a program, in samples.

    A program may be stopped by what is no number, so it gets another number. What is made for playing in
    pieces hears nothing early; what is not looks ahead inside a step.
    """
    spec = model.spec
    middle = spec.receptive_frames + _ROOM_FRAMES
    vectors = np.random.default_rng(0).standard_normal((spec.bands, 2 * middle + 1)).astype(np.float32)
    changed = vectors.copy()
    changed[:, middle] += 1.0
    one, other = (model.stream(chunk_frames=2 * middle + 1).push(given) for given in (vectors, changed))
    touched = np.flatnonzero(np.abs(one - other) > _ROUNDING * np.abs(one).max())
    return max(middle * spec.hop_samples - int(touched[0]), 0) if touched.size else 0
