"""Log-mel spectrograms as published vocoders were trained on them; the convention is part of the model."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.mel_conventions import MEL_CONVENTIONS, MelConvention, convention_of
from synthhost.core.specs import MelSpec
from synthhost.features.filter_bank import band_centres_hz, filter_bank, hz_to_band
from synthhost.features.mel_checks import check_audio, check_mel_spec
from synthhost.features.mel_framing import check_length, edge_samples, frame_count, windows_in

__all__ = [
    "CONVENTIONS",
    "band_centres_hz",
    "check_mel_spec",
    "edge_samples",
    "frame_count",
    "hz_to_band",
    "log_mel",
    "mel_spectrogram",
]

CONVENTIONS: Mapping[str, MelSpec] = MappingProxyType(
    {name: row.published for name, row in MEL_CONVENTIONS.items()}
)
"""Each known convention with the numbers it was published with; what else it does is in `MEL_CONVENTIONS`."""

_FRAMES_AT_ONCE = 512  # bounds the working memory; a frame's values do not depend on it


def mel_spectrogram(audio: Audio, spec: MelSpec, *, floored: bool = False) -> Features:
    """Return the log-mel spectrogram of a whole recording.

    Args:
        audio: Mono samples at `spec.sample_rate`, `[samples]`.
        spec: The convention and its numbers.
        floored: Let bands of nothing read the spec's floor even where the convention has another value for
            them, which need not sound like silence.

    Returns:
        `[bands, frame_count(samples, spec)]`. Frame m sees `n_fft` samples from `m * hop_samples - edge`,
        `edge` being `edge_samples(spec)`; the sound is mirrored at both ends.

    Raises:
        FeatureError: If the audio is not finite mono sound, or too short to be mirrored at its ends.
    """
    check_mel_spec(spec)
    check_audio(audio)
    check_length(len(audio), spec)
    frames = log_mel(np.pad(audio, edge_samples(spec), mode="reflect"), spec, floored=floored)
    return frames[:, : frame_count(len(audio), spec)]


def log_mel(padded: Audio, spec: MelSpec, *, floored: bool = False) -> Features:
    """Return the frames of all windows in sound with mirrored ends, `[samples] -> [bands, frames]`.

    A convention's last frame is here, even if its spectrograms leave it out.
    """
    starts = windows_in(len(padded), spec)
    out = np.empty((spec.bands, starts), dtype=np.float32)
    if starts:
        windows = sliding_window_view(padded, spec.n_fft)[:: spec.hop_samples]
        for first in range(0, starts, _FRAMES_AT_ONCE):
            rows = windows[first : first + _FRAMES_AT_ONCE]
            out[:, first : first + len(rows)] = _columns(rows, spec, floored)
    return out


def _columns(windows: NDArray[np.float32], spec: MelSpec, floored: bool) -> NDArray[np.float64]:
    row = convention_of(spec)
    spectrum = np.fft.rfft(windows.astype(np.float64) * _window(spec), axis=1)
    energy = spectrum.real**2 + spectrum.imag**2 + row.epsilon
    mel = _bank(spec) @ (energy if row.power == 2 else np.sqrt(energy)).T
    values = _logarithm(np.maximum(mel, spec.floor), spec, row)
    if row.nothing_reads is not None:
        if not floored:
            _lift_floor(values, mel, spec, row)
        values[~_bank(spec).any(axis=1)] = row.nothing_reads  # bands too narrow to hold a bin
    return values


def _logarithm(mel: NDArray[np.float64], spec: MelSpec, row: MelConvention) -> NDArray[np.float64]:
    """Return values by the convention's own logarithm, any shape."""
    values: NDArray[np.float64] = np.log(mel) if spec.log == "ln" else np.log10(mel)
    if (row.gain, row.offset) != (1.0, 0.0):
        values = row.gain * values + row.offset
    return values if row.clip is None else np.clip(values, *row.clip)


def _lift_floor(
    values: NDArray[np.float64], mel: NDArray[np.float64], spec: MelSpec, row: MelConvention
) -> None:
    """Let no floor hold values up, in place; bands of nothing read what the convention says."""
    low = (mel > 0.0) & (mel < spec.floor)
    values[low] = _logarithm(mel[low], spec, row)
    values[mel <= 0.0] = row.nothing_reads


@lru_cache(maxsize=16)
def _bank(spec: MelSpec) -> NDArray[np.float64]:
    return filter_bank(spec)


@lru_cache(maxsize=16)
def _window(spec: MelSpec) -> NDArray[np.float64]:
    """Return the periodic Hann window, centred in the transform's length, `[n_fft]`."""
    hann = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(spec.win_samples) / spec.win_samples)
    if convention_of(spec).unit_window:
        hann /= np.sqrt(np.sum(hann**2))
    before = (spec.n_fft - spec.win_samples) // 2
    return np.pad(hann, (before, spec.n_fft - spec.win_samples - before))
