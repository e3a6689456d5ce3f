"""Mel scales: what spaces the bands.

Slaney's (Auditory Toolbox, 1998) is linear below 1 kHz and logarithmic above; librosa calls it `htk=False`.
The HTK book's is one logarithmic curve, 2595 log10(1 + f / 700).
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scale: TypeAlias = Literal["slaney", "htk"]

_HZ_PER_MEL = 200.0 / 3.0  # below the knee
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0  # above the knee: 27 mels from 1 kHz to 6.4 kHz
_HTK_MELS = 2595.0  # a decade
_HTK_HZ = 700.0


def hz_to_mel(hz: ArrayLike, scale: Scale = "slaney") -> NDArray[np.float64]:
    """Return mels for frequencies in Hz, any shape. [render thread]"""
    frequency = np.asarray(hz, dtype=np.float64)
    if scale == "htk":
        return np.asarray(_HTK_MELS * np.log10(1.0 + frequency / _HTK_HZ))
    above = _KNEE_MEL + np.log(np.maximum(frequency, _KNEE_HZ) / _KNEE_HZ) / _LOG_STEP
    return np.where(frequency < _KNEE_HZ, frequency / _HZ_PER_MEL, above)


def mel_to_hz(mel: ArrayLike, scale: Scale = "slaney") -> NDArray[np.float64]:
    """Return frequencies in Hz for mels, any shape."""
    mels = np.asarray(mel, dtype=np.float64)
    if scale == "htk":
        return np.asarray(_HTK_HZ * (10.0 ** (mels / _HTK_MELS) - 1.0))
    above = _KNEE_HZ * np.exp(_LOG_STEP * (np.maximum(mels, _KNEE_MEL) - _KNEE_MEL))
    return np.where(mels < _KNEE_MEL, mels * _HZ_PER_MEL, above)


def hz_in_a_band(hz: ArrayLike, scale: Scale = "slaney") -> NDArray[np.float64]:
    """Return how a step of the scale widens over frequencies in Hz, in proportion. [render thread]"""
    frequency = np.asarray(hz, dtype=np.float64)
    return frequency + _HTK_HZ if scale == "htk" else np.maximum(frequency, _KNEE_HZ)
