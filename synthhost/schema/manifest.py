"""What a model folder says of itself, and the certificate measured for it."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.specs import MelSpec
from synthhost.schema.patterns import LINE_PATTERN, SHA256_PATTERN, SLUG_PATTERN, TEXT_PATTERN
from synthhost.schema.reading import Document, Entry, refusal
from synthhost.schema.sentences import unknown_name

Slug = Annotated[str, Field(pattern=SLUG_PATTERN, max_length=64)]
Line = Annotated[str, Field(pattern=LINE_PATTERN, max_length=200)]
Text = Annotated[str, Field(pattern=TEXT_PATTERN, max_length=2000)]
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]


class MelEntry(Entry):
    """The mel convention a model was trained on, and its numbers; rate and hop are the model's own."""

    convention: Line  # a row of `MEL_CONVENTIONS`
    n_fft: Annotated[int, Field(ge=16, le=65536)]
    win_samples: Annotated[int, Field(ge=1, le=65536)]
    bands: Annotated[int, Field(ge=1, le=1024)]
    fmin_hz: Annotated[float, Field(ge=0)]
    fmax_hz: Annotated[float, Field(gt=0)]
    log: Literal["ln", "log10"]
    floor: Annotated[float, Field(gt=0)]


class Manifest(Document):
    """`manifest.yaml` of a model folder: everything but the weights themselves."""

    kind: ClassVar[str] = "model"

    synthhost: str
    name: Slug
    about: Text = ""
    family: Slug
    hyper: dict[str, Any]  # read by the family
    sample_rate: Annotated[int, Field(ge=1000, le=384_000)]
    hop_samples: Annotated[int, Field(ge=1, le=65536)]
    mel: MelEntry | None = None  # none: the model takes latent vectors, or nothing
    licence: Line
    source: Text
    sha256: Sha256  # of the weights file, or of the program

    @model_validator(mode="after")
    def _check_mel(self) -> Self:
        mel = self.mel
        if mel is None:
            return self
        if mel.convention not in MEL_CONVENTIONS:
            raise refusal(f"mel.convention: {unknown_name(mel.convention, MEL_CONVENTIONS)}")
        if self.hop_samples > mel.n_fft or mel.win_samples > mel.n_fft:
            raise refusal("mel.n_fft: must be at least hop_samples and mel.win_samples.")
        if not mel.fmin_hz < mel.fmax_hz <= self.sample_rate / 2:
            raise refusal(
                f"mel.fmax_hz: must lie above mel.fmin_hz and at or below {self.sample_rate / 2:g}, "
                f"half the sample rate, not {mel.fmax_hz:g}."
            )
        return self

    @property
    def sound_sha256(self) -> str:
        """Return the sha256 of what makes the model's sound: its weights and the numbers it is built from.

        The numbers count as they are written: 255 is not 255.0, nor is a number left out its default.
        """
        numbers = self.model_dump(
            mode="json", include={"family", "hyper", "sample_rate", "hop_samples", "mel", "sha256"}
        )
        return sha256(json.dumps(numbers, sort_keys=True).encode()).hexdigest()

    def mel_spec(self) -> MelSpec | None:
        """Return the mel convention with the model's rate and hop filled in, if the model takes mels."""
        if self.mel is None:
            return None
        return MelSpec(sample_rate=self.sample_rate, hop_samples=self.hop_samples, **self.mel.model_dump())


def mel_entry(spec: MelSpec) -> MelEntry:
    """Return the part of a manifest that `Manifest.mel_spec` reads back."""
    return MelEntry(**{name: getattr(spec, name) for name in MelEntry.model_fields})


class ChunkCost(Entry):
    """What one step of so many frames costs on the machine that measured it."""

    chunk_frames: Annotated[int, Field(ge=1)]
    median_ms: Annotated[float, Field(ge=0)]
    p99_ms: Annotated[float, Field(ge=0)]
    real_time_factor: Annotated[float, Field(ge=0)]  # median cost over sound made; below 1 keeps up


class PrecisionCost(Entry):
    """How far a network of less precision is from the same one in float32."""

    samples: Annotated[int, Field(ge=1)]
    # of the sound, or of what samples are drawn from, both having heard the same; 200: no difference
    snr_db: float
    log_mel: Annotated[float, Field(ge=0)]  # mean difference of what both play, natural logarithm
    log_mel_of_seeds: Annotated[float, Field(ge=0)]  # the same of two seeds in float32: what chance makes


class Certificate(Document):
    """`certificate.yaml`: what was measured of one model on one machine."""

    kind: ClassVar[str] = "certificate"

    synthhost: str
    model: Slug
    sha256: Sha256  # `Manifest.sound_sha256`
    measured_by: Line  # synthhost's version
    machine: Line
    torch: Line
    threads: Annotated[int, Field(ge=1)]
    backend: Literal["native", "torch"] = "torch"  # what computed it
    device: Line = "cpu"
    precision: Line = "float32"  # of weights, and with int8 of what they are multiplied with
    precision_cost: PrecisionCost | None = None  # none in float32
    chunkings: Annotated[int, Field(ge=1)]
    chunk_error: Annotated[float, Field(ge=0)]  # largest difference to one chunk, relative to its peak
    # of one float32 pass against float64, for comparison; none for what has no such pass
    rounding_error: Annotated[float, Field(ge=0)] | None
    look_ahead_samples: Annotated[int, Field(ge=0)]  # derived from the network
    look_ahead_measured_samples: Annotated[int, Field(ge=0)]  # by disturbing one frame
    receptive_frames: Annotated[int, Field(ge=1)]
    costs: Annotated[tuple[ChunkCost, ...], Field(max_length=64, strict=False)]
