"""The latent source: a vector moved by hand or by seeded drift, one dimension a parameter."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.sources.motion import Drift
from synthhost.sources.ramps import ParamRamps

LATENT_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec("wander", "", 0.0, 3.0, 0.0, "how far the vector drifts by itself, in each dimension"),
)
"""What every latent source has beside its dimensions, `latent.0`, `latent.1` and so on."""

_REACH = 5.0
_SMOOTHING_MS = 40.0
MOST_DIMENSIONS = 256
_MOST_FRAMES = 64
_KNOT_S = 2.0  # a new direction of drift this often


def dimension(index: int) -> ParamSpec:
    """Return the parameter of one dimension."""
    return ParamSpec(
        f"latent.{index}", "", -_REACH, _REACH, 0.0, f"dimension {index}", smoothing_ms=_SMOOTHING_MS
    )


class LatentSource:
    """Gives one latent vector a frame, `[dimensions, frames]`.

    Raises:
        SourceError: The model takes no latent vectors.
    """

    kind = "latent"

    def __init__(self, spec: ModelSpec, seed: int = 0) -> None:
        if spec.mel is not None or not 1 <= spec.bands <= MOST_DIMENSIONS:
            what = "mel frames" if spec.mel is not None else f"frames of {spec.bands} numbers"
            raise SourceError(f"{spec.name} takes {what}, no latent vectors. Give it another source.")
        frame_rate_hz = spec.sample_rate / spec.hop_samples
        self._names = tuple(f"latent.{index}" for index in range(spec.bands))
        self.params = (*LATENT_PARAMS, *(dimension(index) for index in range(spec.bands)))
        self._ramps = ParamRamps(self.params, frame_rate_hz, _MOST_FRAMES)
        knot_frames = max(round(_KNOT_S * frame_rate_hz), 1)
        self._drifts = tuple(Drift(seed, index, knot_frames) for index in range(spec.bands))
        self._frame = 0

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value; it glides there. [render thread]"""
        self._ramps.move(name, value)

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value."""
        self._ramps.jump(name, value)

    def next_frames(self, out: Features) -> None:
        """Write the next vectors, `[dimensions, frames]`. [render thread]"""
        for first in range(0, out.shape[1], _MOST_FRAMES):
            self._write(out[:, first : first + _MOST_FRAMES])

    def push(self, index: int | None, frames: Features) -> None:
        """Ignore frames from outside: dimensions are parameters. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return nothing: nothing can go wrong."""
        return {}

    def _write(self, out: Features) -> None:
        """Write at most so many vectors as the ramps hold. [render thread]"""
        frames = out.shape[1]
        self._ramps.fill(frames)
        wander = self._ramps.values("wander", frames)
        drifting = bool(np.any(wander))
        for row, name in enumerate(self._names):
            out[row] = self._ramps.values(name, frames)
            if drifting:
                out[row] += wander * self._drifts[row].at(self._frame, frames).astype(np.float32)
        self._frame += frames
