"""What no mel spectrogram can be made of, or with."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.errors import FeatureError
from synthhost.core.mel_conventions import convention_of
from synthhost.core.specs import MelSpec


def check_mel_spec(spec: MelSpec) -> None:
    """Refuse numbers no mel spectrogram can be made with.

    Raises:
        FeatureError: With the number at fault.
    """
    row = convention_of(spec)
    if not 0 < spec.hop_samples <= spec.n_fft or not 0 < spec.win_samples <= spec.n_fft:
        raise FeatureError(
            f"mel: hop {spec.hop_samples} and window {spec.win_samples} samples must lie in "
            f"1..n_fft ({spec.n_fft})."
        )
    if not 0 <= spec.fmin_hz < spec.fmax_hz <= spec.sample_rate / 2:
        raise FeatureError(
            f"mel: {spec.fmin_hz} Hz to {spec.fmax_hz} Hz is no range below {spec.sample_rate / 2} Hz, "
            "half the sample rate."
        )
    if spec.bands < 1 or spec.floor <= 0:
        raise FeatureError(
            f"mel: {spec.bands} bands with floor {spec.floor} cannot be computed; both must be positive."
        )
    if row.clip is not None and spec.log != row.published.log:
        raise FeatureError(
            f"mel: {spec.convention} scales the logarithm {row.published.log} into "
            f"{row.clip[0]:g}..{row.clip[1]:g}; log {spec.log!r} does not go with it."
        )


def check_audio(audio: Audio) -> None:
    """Refuse what is not finite mono sound, `[samples]`.

    Raises:
        FeatureError: With the shape or the first bad sample.
    """
    if audio.ndim != 1:
        raise FeatureError(
            f"mel: expected mono audio [samples], got shape {list(audio.shape)}. Mix it to one channel."
        )
    finite = np.isfinite(audio)
    if not finite.all():
        raise FeatureError(
            f"mel: sample {int(np.argmin(finite))} is not a finite number. Repair the recording."
        )
