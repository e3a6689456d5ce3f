"""MelGAN's hyper-parameters, of all published layouts together, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.note_input import NoteInput, check_frames, notes_from_json

_MAX_CHANNELS = 8192
_MAX_STAGES = 8
_MAX_SCALE = 64
_MAX_KERNEL = 255
_MAX_STACKS = 8
_MAX_DILATION = 4096
_MAX_HOP_SAMPLES = 8192
_MAX_SUBBANDS = 32
_MAX_TAPS = 1024
_EDGES = ("reflect", "replicate", "zeros")


@dataclass(frozen=True, slots=True)
class MelganHyper:
    """The shape of one MelGAN generator.

    Attributes:
        bands: Of a frame.
        channels: After the first convolution; every upsampling halves them.
        upsample_scales: Each by a transposed convolution twice as long.
        kernel_size: Of the first and the last convolution.
        stack_kernel_size: Of the dilated convolutions; the dilations are its powers.
        stacks: Residual stacks after each upsampling.
        slope: Of all leaky rectifiers.
        edge: What the convolutions see before and after the sound.
        bias: Whether layers have one.
        causal: Whether nothing looks ahead (kan-bayashi's `use_causal_conv`).
        final_tanh: Whether the sound passes a hyperbolic tangent.
        statistics: Whether frames are standardised first, by tensors of the model.
        silence: What a band without sound reads, before that.
        subbands: Bands of sound that come out at once; more than 1 are joined by a filter bank.
        taps: Of its filters.
        cutoff: Of its prototype, as a part of half the sample rate.
        beta: Of its window.
        notes: What is made of frames of notes; None: it plays none.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    bands: int
    channels: int
    upsample_scales: tuple[int, ...]
    kernel_size: int
    stack_kernel_size: int
    stacks: int
    slope: float
    edge: str
    bias: bool
    causal: bool
    final_tanh: bool
    statistics: bool
    silence: float
    subbands: int
    taps: int
    cutoff: float
    beta: float
    notes: NoteInput | None = None

    def __post_init__(self) -> None:
        stages = len(self.upsample_scales)
        if self.channels % 2**stages:
            _refuse(f"channels: {self.channels} cannot be halved {stages} times, once for each upsampling")
        if self.hop_samples > _MAX_HOP_SAMPLES:
            _refuse(f"upsample_scales: {self.hop_samples} samples a frame; the most is {_MAX_HOP_SAMPLES}")
        if not self.causal and not (self.kernel_size % 2 and self.stack_kernel_size % 2):
            _refuse("kernel_size, stack_kernel_size: must be odd to keep the length, unless it is causal")
        if self.stack_kernel_size ** (self.stacks - 1) > _MAX_DILATION:
            _refuse(f"stacks: {self.stacks} reach a dilation beyond {_MAX_DILATION}")
        if self.taps % 2 or self.taps < self.subbands:
            _refuse(f"taps: {self.taps} must be even and at least the {self.subbands} subbands")
        if self.notes is not None:
            check_frames("MelGAN", self.notes, self.bands, self.hop_samples)
            if not self.causal or self.statistics or self.subbands > 1:
                _refuse("notes: are played by causal networks of one band of sound, without statistics")

    @property
    def conditions(self) -> int:
        """Channels that the first convolution takes."""
        return self.bands if self.notes is None else self.notes.width

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return math.prod(self.upsample_scales) * self.subbands

    def stage_channels(self, stage: int) -> int:
        """Return the channels after `stage` upsamplings, counted from 0; -1 gives those before any."""
        return self.channels >> (stage + 1)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = {**asdict(self), "upsample_scales": list(self.upsample_scales)}
        if self.notes is None:
            del plain["notes"]
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> MelganHyper:
        """Read a manifest's hyper-parameters; what is not there is as Kumar and others published it.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        read = HyperReader("MelGAN", plain)
        return cls(
            bands=read.whole("bands", 1, _MAX_CHANNELS),
            channels=read.whole("channels", 1, _MAX_CHANNELS),
            upsample_scales=read.wholes("upsample_scales", _MAX_STAGES, 1, _MAX_SCALE),
            kernel_size=read.whole("kernel_size", 1, _MAX_KERNEL, 7),
            stack_kernel_size=read.whole("stack_kernel_size", 1, _MAX_KERNEL, 3),
            stacks=read.whole("stacks", 1, _MAX_STACKS, 3),
            slope=read.real("slope", 0.0, 1.0, 0.2),
            edge=read.word("edge", _EDGES, "reflect"),
            bias=read.flag("bias", True),
            causal=read.flag("causal", False),
            final_tanh=read.flag("final_tanh", True),
            statistics=read.flag("statistics", False),
            silence=read.real("silence", -1000.0, 1000.0, -5.0),
            subbands=read.whole("subbands", 1, _MAX_SUBBANDS, 1),
            taps=read.whole("taps", 2, _MAX_TAPS, 62),
            cutoff=read.real("cutoff", 1e-3, 0.999, 0.142),
            beta=read.real("beta", 0.0, 100.0, 9.0),
            notes=notes_from_json(plain),
        )


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"MelGAN {what}.")
