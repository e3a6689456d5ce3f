"""The features that models are measured with."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Features
from synthhost.core.note_frames import measuring_frames
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.features.mel import mel_spectrogram


def features_for(spec: ModelSpec, frames: int) -> Features:
    """Return what a model can be measured with, `[bands, frames]`: a voice for mels, else chance.

    Of a model that makes clips, one clip's frames of one vector, however many are asked for.
    """
    if spec.mel is not None:
        return certifying_features(spec.mel, frames)
    if spec.notes is not None:
        return measuring_frames(spec.notes, spec.sample_rate, spec.hop_samples, frames)
    frames = spec.clip_frames or frames
    vectors = np.random.default_rng(0).standard_normal((spec.bands, 1 if spec.clip_frames else frames))
    return np.repeat(vectors.astype(np.float32), frames // vectors.shape[1], axis=1)


def certifying_features(spec: MelSpec, frames: int, seed: int = 0) -> Features:
    """Return the mel of a gliding voice with breath, `[bands, frames]`: tonal and noisy by turns."""
    seconds = np.arange(frames * spec.hop_samples + spec.n_fft) / spec.sample_rate
    phase = 2 * np.pi * np.cumsum(140.0 + 60.0 * np.sin(2 * np.pi * 0.7 * seconds)) / spec.sample_rate
    partials = range(1, 20)
    voice = np.sum([np.sin(number * phase) / number for number in partials], axis=0)
    breath = np.random.default_rng(seed).standard_normal(len(seconds))
    swell = 0.5 - 0.5 * np.cos(2 * np.pi * 2.0 * seconds)
    sound = 0.15 * swell * voice + 0.02 * (1.0 - swell) * breath
    return mel_spectrogram(sound.astype(np.float32), spec)[:, :frames]
