"""Every mel convention against a plain account of it: one frame, one bin, one band after the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from synthhost.features.mel import CONVENTIONS, mel_spectrogram

RATE_HZ, BINS = 8000, 33
SIZES = {"sample_rate": RATE_HZ, "n_fft": 64, "hop_samples": 20, "win_samples": 48, "bands": 5}
LOW_HZ, HIGH_HZ = 150.0, 3700.0


def decibels_to_unit(value: float) -> float:
    return min(max((20 * math.log10(max(value, 1e-5)) - 20 + 100) / 100, 0.0), 1.0)


def log10_or_zero(value: float) -> float:
    return math.log10(value) if value > 0 else 0.0


# mirrored samples, value of a bin by its energy, whether the scale is HTK's, and the logarithm
BY_HAND: dict[str, tuple[int, Callable[[float], float], bool, Callable[[float], float]]] = {
    "jik876": (22, lambda e: math.sqrt(e + 1e-9), False, lambda x: math.log(max(x, 1e-5))),
    "descriptinc": (22, math.sqrt, False, lambda x: math.log10(max(x, 1e-5))),
    "seungwonpark": (32, math.sqrt, False, lambda x: math.log(max(x, 1e-5))),
    "tacotron2": (32, math.sqrt, False, lambda x: math.log(max(x, 1e-5))),
    "kan-bayashi": (32, math.sqrt, False, lambda x: math.log10(max(x, 1e-10))),
    "r9y9": (32, math.sqrt, False, lambda x: math.log10(max(x, 1e-10))),
    "lmnt": (32, lambda e: math.sqrt(e / (48 * 3 / 8)), True, decibels_to_unit),
    "ivanvovk": (32, lambda e: e, True, log10_or_zero),
}


def energies(frame: np.ndarray) -> list[float]:
    """The energy of each bin of 64 samples under a Hann window of 48 in their middle."""
    window = [0.0] * 8 + [0.5 - 0.5 * math.cos(2 * math.pi * n / 48) for n in range(48)] + [0.0] * 8
    turns = np.exp(-2j * np.pi * np.outer(np.arange(BINS), np.arange(64)) / 64)
    return [float(abs(sum(turn * frame * window)) ** 2) for turn in turns]


def corners_hz(htk: bool) -> list[float]:
    """Where the five triangles begin, peak and end: seven places evenly spread over the scale."""
    if htk:
        low, high = (2595 * math.log10(1 + hz / 700) for hz in (LOW_HZ, HIGH_HZ))
        return [700 * (10 ** (m / 2595) - 1) for m in np.linspace(low, high, 7)]
    low, high = LOW_HZ * 3 / 200, 15 + 27 * math.log(HIGH_HZ / 1000) / math.log(6.4)
    return [m * 200 / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in np.linspace(low, high, 7)]


def weight(hz: float, corners: list[float], band: int, htk: bool) -> float:
    start, peak, end = corners[band : band + 3]
    height = max(0.0, min((hz - start) / (peak - start), (end - hz) / (end - peak)))
    return height if htk else height * 2 / (end - start)


def by_hand(audio: np.ndarray, name: str) -> np.ndarray:
    mirrored, of_bin, htk, logarithm = BY_HAND[name]
    padded = np.concatenate([audio[mirrored:0:-1], audio, audio[-2 : -mirrored - 2 : -1]]).astype(float)
    corners = corners_hz(htk)
    columns = []
    for first in range(0, len(padded) - 63, 20):
        values = [of_bin(energy) for energy in energies(padded[first : first + 64])]
        columns.append(
            [
                logarithm(sum(weight(k * 125.0, corners, band, htk) * values[k] for k in range(BINS)))
                for band in range(5)
            ]
        )
    return np.array(columns[:-1] if name == "ivanvovk" else columns).T


@pytest.mark.parametrize("name", CONVENTIONS)
@pytest.mark.parametrize("loudness", [0.3, 1e-4, 0.0])
def test_a_spectrogram_is_the_one_made_by_hand(name: str, loudness: float) -> None:
    audio = (loudness * np.random.default_rng(4).standard_normal(213)).astype(np.float32)
    spec = replace(CONVENTIONS[name], **SIZES, fmin_hz=LOW_HZ, fmax_hz=HIGH_HZ)
    np.testing.assert_allclose(mel_spectrogram(audio, spec), by_hand(audio, name), atol=2e-6, rtol=1e-6)
