"""What a person gives a model to render, checked and brought into the frames its runner takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import FeatureError
from synthhost.core.specs import ModelSpec
from synthhost.library.numbers import float32_array, whole

LONGEST_SAMPLES = 1 << 31


def checked_features(spec: ModelSpec, features: ArrayLike | None) -> Features:
    """Return features as float32 `[bands, frames]`.

    Raises:
        FeatureError: With the place at fault.
    """
    what = "bands" if spec.mel is not None else "dimensions"
    wanted = f"{spec.name} takes [{spec.bands} {what}, frames]"
    if features is None:
        raise FeatureError(f"nothing was given to render; {wanted}.")
    frames = float32_array("features", features, wanted)
    if frames.ndim != 2 or frames.shape[0] != spec.bands:
        turned = " Transpose them." if frames.ndim == 2 and frames.shape[1] == spec.bands else ""
        raise FeatureError(f"features of shape {list(frames.shape)}, but {wanted}.{turned}")
    finite = np.isfinite(frames)
    if not finite.all():
        band, frame = np.unravel_index(int(np.argmin(finite)), frames.shape)
        raise FeatureError(f"band {band} of frame {frame} is not a finite number; {wanted}, all finite.")
    return frames


def free_features(spec: ModelSpec, features: ArrayLike | None, samples: int | None) -> Features:
    """Return the empty frames that make a model run for so many samples.

    Raises:
        FeatureError: Features were given, or the length is no length.
    """
    if features is not None:
        raise FeatureError(f"{spec.name} runs by itself and takes no features; give samples=.")
    samples = whole("samples", samples, 1, LONGEST_SAMPLES)
    if spec.look_ahead_samples and samples % spec.hop_samples:
        raise FeatureError(
            f"{spec.name} looks at both sides of a sample and its edges lie on multiples of "
            f"{spec.hop_samples} samples; {samples} is none. Take "
            f"{-(-samples // spec.hop_samples) * spec.hop_samples} and cut the sound."
        )
    return np.zeros((0, -(-samples // spec.hop_samples)), dtype=np.float32)


def clip_features(spec: ModelSpec, latent: ArrayLike | None) -> Features:
    """Return the frames of a clip: one latent vector held, `[dimensions, clip_frames]`, or a path of them.

    Raises:
        FeatureError: It is neither.
    """
    wanted = f"{spec.name} makes a clip from latent=[{spec.bands}]"
    if latent is None:
        raise FeatureError(f"{wanted}; none was given.")
    vector = float32_array("latent", latent, wanted)
    if vector.ndim == 1:
        vector = vector[:, None]
    if vector.shape not in ((spec.bands, 1), (spec.bands, spec.clip_frames)):
        raise FeatureError(f"{wanted}, not from shape {list(np.shape(latent))}.")
    return checked_features(spec, np.repeat(vector, spec.clip_frames // vector.shape[1], axis=1))


def mixed_to_mono(audio: Audio) -> Audio:
    """Return sound of one channel, `[samples]`, of any of `[samples]` and `[channels, samples]`.

    Raises:
        FeatureError: It has another shape.
    """
    if audio.ndim == 2 and 1 <= audio.shape[0] <= 64:
        return np.asarray(audio.mean(axis=0), dtype=np.float32)
    if audio.ndim != 1:
        raise FeatureError(f"sound of shape {list(audio.shape)}; give [samples] or [channels, samples].")
    return audio
