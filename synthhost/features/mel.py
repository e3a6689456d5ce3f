"""Log-mel spectrograms as published vocoders were trained on them; the convention is part of the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import FeatureError, suggestion
from synthhost.core.specs import MelSpec
from synthhost.features.filter_bank import band_centres_hz, filter_bank, hz_to_band

__all__ = [
    "CONVENTIONS",
    "band_centres_hz",
    "check_mel_spec",
    "edge_samples",
    "hz_to_band",
    "log_mel",
    "mel_spectrogram",
]

CONVENTIONS: Mapping[str, MelSpec] = MappingProxyType(
    {
        "jik876": MelSpec(
            convention="jik876",
            sample_rate=22050,
            n_fft=1024,
            hop_samples=256,
            win_samples=1024,
            bands=80,
            fmin_hz=0.0,
            fmax_hz=8000.0,
            log="ln",
            floor=1e-5,
        ),
    }
)
"""Each known convention with the numbers it was published with."""

_MAGNITUDE_EPSILON = 1e-9  # jik876 adds it under the root, so silence is 3.2e-5 per bin, not 0
_FRAMES_AT_ONCE = 512  # bounds the working memory; a frame's values do not depend on it


def mel_spectrogram(audio: Audio, spec: MelSpec) -> Features:
    """Return the log-mel spectrogram of a whole recording.

    Args:
        audio: Mono samples at `spec.sample_rate`, `[samples]`.
        spec: The convention and its numbers.

    Returns:
        `[bands, samples // hop_samples]`. Frame m sees `n_fft` samples from `m * hop_samples - edge`, `edge`
        being `edge_samples(spec)`; the sound is mirrored at both ends.

    Raises:
        FeatureError: If the audio is not finite mono sound, or too short to be mirrored at its ends.
    """
    check_mel_spec(spec)
    check_audio(audio)
    check_length(len(audio), spec)
    return log_mel(np.pad(audio, edge_samples(spec), mode="reflect"), spec)


def edge_samples(spec: MelSpec) -> int:
    """Return how many samples are mirrored at each end, and how far a frame looks back before its own hop."""
    return (spec.n_fft - spec.hop_samples) // 2


def check_length(samples: int, spec: MelSpec) -> None:
    """Refuse sound too short to be mirrored at its ends.

    Raises:
        FeatureError: With the length needed.
    """
    needed = edge_samples(spec) + 1
    if samples < needed:
        raise FeatureError(
            f"the sound is {samples} samples long; a mel spectrogram needs at least {needed} "
            f"({1000 * needed / spec.sample_rate:.1f} ms at {spec.sample_rate} Hz). Give it more sound."
        )


def log_mel(padded: Audio, spec: MelSpec) -> Features:
    """Return the frames of sound whose ends are already mirrored, `[samples] -> [bands, frames]`."""
    starts = max(0, (len(padded) - spec.n_fft) // spec.hop_samples + 1)
    out = np.empty((spec.bands, starts), dtype=np.float32)
    if starts:
        windows = sliding_window_view(padded, spec.n_fft)[:: spec.hop_samples]
        for first in range(0, starts, _FRAMES_AT_ONCE):
            rows = windows[first : first + _FRAMES_AT_ONCE]
            out[:, first : first + len(rows)] = _columns(rows, spec)
    return out


def _columns(windows: NDArray[np.float32], spec: MelSpec) -> NDArray[np.float64]:
    spectrum = np.fft.rfft(windows.astype(np.float64) * _window(spec), axis=1)
    magnitude = np.sqrt(spectrum.real**2 + spectrum.imag**2 + _MAGNITUDE_EPSILON)
    mel = np.maximum(_bank(spec) @ magnitude.T, spec.floor)
    return np.log(mel) if spec.log == "ln" else np.log10(mel)


@lru_cache(maxsize=16)
def _bank(spec: MelSpec) -> NDArray[np.float64]:
    return filter_bank(spec)


@lru_cache(maxsize=16)
def _window(spec: MelSpec) -> NDArray[np.float64]:
    """Return the periodic Hann window, centred in the transform's length, `[n_fft]`."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(spec.win_samples) / spec.win_samples)
    before = (spec.n_fft - spec.win_samples) // 2
    return np.pad(hann, (before, spec.n_fft - spec.win_samples - before))


def check_mel_spec(spec: MelSpec) -> None:
    """Refuse numbers no mel spectrogram can be made with.

    Raises:
        FeatureError: With the number at fault.
    """
    if spec.convention not in CONVENTIONS:
        raise FeatureError(
            f"mel convention {spec.convention!r} is not known.{suggestion(spec.convention, CONVENTIONS)} "
            f"Known: {', '.join(CONVENTIONS)}."
        )
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
