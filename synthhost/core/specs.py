"""What a model, a mel convention and a latency are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from synthhost.core.note_frames import NoteSpec

Prior: TypeAlias = Literal["normal", "uniform"]
"""What latent vectors are drawn from: the standard normal, or evenly from -1 to 1."""

_LEAST_CHUNK_SAMPLES = 64


@dataclass(frozen=True, slots=True)
class MelSpec:
    """The numbers a mel spectrogram is made with; what else its convention does is in `MEL_CONVENTIONS`."""

    convention: str  # the table's key, such as "jik876"
    sample_rate: int
    n_fft: int
    hop_samples: int
    win_samples: int
    bands: int
    fmin_hz: float
    fmax_hz: float
    log: Literal["ln", "log10"]
    floor: float  # the least a band counts as before the logarithm


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """What the host must know of a model before it plays."""

    name: str
    family: str
    sample_rate: int
    hop_samples: int
    bands: int  # of a frame: mel bands, or the length of a latent vector; 0 for what runs by itself
    look_ahead_samples: int  # at the model's rate; derived by walking the network
    receptive_frames: int  # frames that one output sample can depend on
    mel: MelSpec | None  # what its frames mean; None for latent vectors and for what runs by itself
    sha256: str  # of what makes its sound: the weights, and the numbers the network is built from
    burst_samples: int = 0  # what a step may give beyond its frames' samples while a stream starts
    clip_frames: int = 0  # a stream is a clip of so many frames; 0: it goes on for ever
    prior: Prior = "normal"  # what latent vectors are drawn from
    notes: NoteSpec | None = None  # what it takes if it plays notes
    classes: tuple[str, ...] = ()  # kinds of clips that the last latent dimensions choose between, one each
    weights_sha256: str = ""  # of the weights file alone

    @property
    def chunk_unit(self) -> int:
        """How many frames are worth a step: one, or more where a frame is only a count of samples."""
        return 1 if self.bands else max(1, _LEAST_CHUNK_SAMPLES // self.hop_samples)
