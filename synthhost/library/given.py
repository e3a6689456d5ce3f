"""What a person gives a model to render, checked and brought into the frames its runner takes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import FeatureError
from synthhost.core.note_frames import NoteLine, whole_note
from synthhost.core.specs import ModelSpec
from synthhost.library.numbers import finite, float32_array, whole

LONGEST_SAMPLES = 1 << 31
_LONGEST_NOTE_S = 600.0


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


def note_features(
    spec: ModelSpec,
    key: float,
    velocity: float,
    seconds: tuple[float, float | None],
    timbre: ArrayLike | None,
) -> Features:
    """Return the frames of one note, `[bands, frames]`.

    Args:
        spec: Of a model that plays notes.
        key: In semitones.
        velocity: 0 to 1.
        seconds: That it is held, and heard afterwards; None: all of its release.
        timbre: A point, `[dimensions]`; None: the middle.

    Raises:
        FeatureError: It plays none, or a number is out of range.
    """
    notes = spec.notes
    if notes is None:
        raise FeatureError(f"{spec.name} plays no notes; give it what it takes.")
    held_s, after_s = seconds
    after_s = notes.release_s if after_s is None else after_s
    key, velocity = finite("key", key, 0.0, 127.0), finite("velocity", velocity, 0.0, 1.0)
    held_s = finite("held_s", held_s, 0.001, _LONGEST_NOTE_S)
    after_s = finite("after_s", after_s, 0.0, _LONGEST_NOTE_S)
    wanted = f"{spec.name} takes timbre=[{notes.dimensions}]"
    point = np.zeros(notes.dimensions) if timbre is None else float32_array("timbre", timbre, wanted)
    if point.shape != (notes.dimensions,) or not np.isfinite(point).all():
        raise FeatureError(f"{wanted}, {notes.dimensions} finite numbers.")
    line = NoteLine(notes, spec.sample_rate, spec.hop_samples)
    line.begin(key, velocity)
    rate = spec.sample_rate / spec.hop_samples
    held, after = max(round(held_s * rate), 1), round(after_s * rate)
    return whole_note(line, np.asarray(point, np.float32), held, after)


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
