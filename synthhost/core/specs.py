"""What a model, a mel convention and a latency are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class MelSpec:
    """How a mel spectrogram is made; the convention is part of the model."""

    convention: str  # the table's key, such as "jik876"
    sample_rate: int
    n_fft: int
    hop_samples: int
    win_samples: int
    bands: int
    fmin_hz: float
    fmax_hz: float
    log: Literal["ln", "log10"]
    floor: float  # smallest magnitude before the logarithm


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the host must know of a model before it plays."""

    name: str
    family: str
    sample_rate: int
    hop_samples: int
    bands: int
    look_ahead_samples: int  # at the model's rate; derived by walking the network
    receptive_frames: int  # frames that one output sample can depend on
    mel: MelSpec
    sha256: str  # of the weights file
