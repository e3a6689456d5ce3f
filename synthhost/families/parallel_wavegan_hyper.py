"""Parallel WaveGAN's hyper-parameters, checked once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader

_MAX_CHANNELS = 4096
_MAX_LAYERS = 128
_MAX_KERNEL = 63
_MAX_SCALES = 8
_MAX_SCALE = 256
_MAX_CONTEXT = 64
_MAX_DILATION = 1 << 14
_MAX_HOP_SAMPLES = 8192


@dataclass(frozen=True, slots=True)
class ParallelWaveganHyper:
    """The shape of one Parallel WaveGAN generator.

    Attributes:
        bands: Of a frame.
        upsample_scales: Each a stretch of the frames and a smoothing; together the hop.
        neighbours: Bands that a smoothing sees together; odd.
        context_frames: Frames on either side that the first convolution of the frames sees; causal ones see
            them on the left alone.
        conv_in: Whether there is that convolution.
        upsample_slope: Of leaky rectifiers after each smoothing; 1: there are none.
        layers: Residual layers.
        stacks: Times that the dilations, powers of two, begin anew.
        kernel_size: Of the dilated convolutions.
        residual_channels: Between layers.
        gate_channels: Of both halves of a gate together.
        skip_channels: What every layer gives to the sound.
        bias: Whether a layer's convolutions have one.
        causal: Whether nothing looks ahead (kan-bayashi's `use_causal_conv`).
        statistics: Whether frames are standardised first, by tensors of the model.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    bands: int
    upsample_scales: tuple[int, ...]
    neighbours: int
    context_frames: int
    conv_in: bool
    upsample_slope: float
    layers: int
    stacks: int
    kernel_size: int
    residual_channels: int
    gate_channels: int
    skip_channels: int
    bias: bool
    causal: bool
    statistics: bool

    def __post_init__(self) -> None:
        if self.layers % self.stacks:
            _refuse(f"stacks: {self.layers} layers cannot be shared out among {self.stacks}")
        if 2 ** (self.layers // self.stacks - 1) > _MAX_DILATION:
            _refuse(
                f"layers: {self.layers // self.stacks} in a stack reach a dilation beyond {_MAX_DILATION}"
            )
        if self.hop_samples > _MAX_HOP_SAMPLES:
            _refuse(f"upsample_scales: {self.hop_samples} samples a frame; the most is {_MAX_HOP_SAMPLES}")
        if self.gate_channels % 2:
            _refuse(f"gate_channels: {self.gate_channels} cannot be halved")
        if not self.neighbours % 2:
            _refuse(f"neighbours: {self.neighbours} must be odd")
        if not (self.causal or self.kernel_size % 2):
            _refuse(f"kernel_size: {self.kernel_size} must be odd to keep the length, unless it is causal")
        if self.context_frames and not self.conv_in:
            _refuse("context_frames: nothing takes them without conv_in")

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return math.prod(self.upsample_scales)

    def dilation(self, layer: int) -> int:
        """Return the dilation of a layer, in samples."""
        return 1 << (layer % (self.layers // self.stacks))

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return {**asdict(self), "upsample_scales": list(self.upsample_scales)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> ParallelWaveganHyper:
        """Read a manifest's hyper-parameters; what is not there is as Yamamoto and others published it.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        read = HyperReader("Parallel WaveGAN", plain)
        return cls(
            bands=read.whole("bands", 1, _MAX_CHANNELS),
            upsample_scales=read.wholes("upsample_scales", _MAX_SCALES, 1, _MAX_SCALE),
            neighbours=read.whole("neighbours", 1, _MAX_KERNEL, 1),
            context_frames=read.whole("context_frames", 0, _MAX_CONTEXT, 2),
            conv_in=read.flag("conv_in", True),
            upsample_slope=read.real("upsample_slope", 0.0, 1.0, 1.0),
            layers=read.whole("layers", 1, _MAX_LAYERS, 30),
            stacks=read.whole("stacks", 1, _MAX_LAYERS, 3),
            kernel_size=read.whole("kernel_size", 1, _MAX_KERNEL, 3),
            residual_channels=read.whole("residual_channels", 1, _MAX_CHANNELS, 64),
            gate_channels=read.whole("gate_channels", 2, _MAX_CHANNELS, 128),
            skip_channels=read.whole("skip_channels", 1, _MAX_CHANNELS, 64),
            bias=read.flag("bias", True),
            causal=read.flag("causal", False),
            statistics=read.flag("statistics", False),
        )


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"Parallel WaveGAN {what}.")
