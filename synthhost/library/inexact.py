"""What a bounded window costs in truth: the same noise played within it and exactly, compared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from synthhost.core.errors import ConfigError
from synthhost.library.certify_features import certifying_features
from synthhost.library.model import Model

_FEWEST_FRAMES = 24


@dataclass(frozen=True, slots=True)
class WindowError:
    """How far the sound of a bounded window is from the exact one.

    Attributes:
        snr_db: Energy of the exact sound over that of the difference, in dB; infinite where there is none.
        max_error: The largest difference, full scale being 1.
        look_ahead_samples: Of the window.
        exact_look_ahead_samples: Of the exact sound.
    """

    snr_db: float
    max_error: float
    look_ahead_samples: int
    exact_look_ahead_samples: int


def window_error(
    model: Model, features: ArrayLike | None = None, *, frames: int | None = None, seed: int = 0
) -> WindowError:
    """Play a diffusion in a bounded window and exactly, and compare.

    Args:
        model: Its option `window_samples` says how far the window looks ahead.
        features: `[bands, frames]` to play; None: a voice made up for measuring, or nothing for what runs by
            itself.
        frames: How many, where no features are given; None: as many as one output depends on, and some more.
        seed: Of the noise.

    Raises:
        ConfigError: The model has no such mode.
    """
    if all(spec.name != "window_samples" for spec in model.option_specs):
        raise ConfigError(f"{model.spec.name} has no mode 'window'; its sound is always exact.")
    exact, bounded = model.with_options(mode="exact"), model.with_options(mode="window")
    spec = exact.spec
    count = spec.receptive_frames + _FEWEST_FRAMES if frames is None else frames
    if features is None and spec.mel is not None:
        features = certifying_features(spec.mel, count)
    samples = None if spec.bands else count * spec.hop_samples
    truth = exact.render(features, samples=samples, seed=seed).astype(np.float64)
    difference = bounded.render(features, samples=samples, seed=seed) - truth
    error = float(np.sum(difference**2))
    return WindowError(
        snr_db=10.0 * math.log10(float(np.sum(truth**2)) / error) if error else math.inf,
        max_error=float(np.abs(difference).max()),
        look_ahead_samples=bounded.spec.look_ahead_samples,
        exact_look_ahead_samples=spec.look_ahead_samples,
    )
