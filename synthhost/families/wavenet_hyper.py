"""WaveNet's hyper-parameters, of all published layouts together, checked once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.wavenet_parts import Conditioning, Output

_TITLE = "WaveNet"
_GATES = ("tanh-sigmoid", "relu")
_SKIPS = ("sum", "root", "halving")
_MAX_LAYERS = 256
_MAX_DILATION = 1 << 16
_MAX_KERNEL = 32
_MAX_CHANNELS = 4096
_MAX_SPEAKERS = 100_000
_MAX_PARAMETERS = 1 << 29
_MAX_REMEMBERED = 1 << 25  # numbers in the rings of one voice


@dataclass(frozen=True, slots=True)
class WavenetHyper:
    """The shape of one WaveNet.

    Attributes:
        dilations: Of each layer's convolution, in samples.
        kernel_size: Taps of each.
        residual_channels: That pass from layer to layer.
        gate_channels: Out of each dilated convolution: twice what a tanh and a sigmoid gate, or what a
            rectifier passes.
        skip_channels: That are summed over all layers.
        head_channels: Between the two last layers; 0 where there is only one.
        out_channels: Logits of ids, or parameters of a distribution.
        scalar_input: Whether the network hears values, or ids one-hot.
        gate: "tanh-sigmoid", the tanh first, or "relu".
        residual_scale: On the sum of a layer's input and output.
        skip: How skips add up: "sum", "root" (times the square root of 1 / layers), or "halving" (times that
            of 1 / 2 after each addition).
        condition_bias: Whether what conditions the layers has biases.
        gin_channels: Of a speaker's vector; 0 where there are no speakers.
        n_speakers: How many there are.
        conditioning: How frames become conditions.
        output: How what is drawn becomes sound.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    dilations: tuple[int, ...]
    kernel_size: int
    residual_channels: int
    gate_channels: int
    skip_channels: int
    head_channels: int
    out_channels: int
    scalar_input: bool
    gate: str
    residual_scale: float
    skip: str
    condition_bias: bool
    gin_channels: int
    n_speakers: int
    conditioning: Conditioning
    output: Output

    def __post_init__(self) -> None:
        if self.gate == "tanh-sigmoid" and self.gate_channels % 2:
            _refuse(f"gate_channels: {self.gate_channels} cannot be halved for a tanh and a sigmoid")
        if bool(self.gin_channels) != bool(self.n_speakers):
            _refuse("gin_channels, n_speakers: give both, or 0 for both")
        self._check_output()
        if self.parameters > _MAX_PARAMETERS:
            _refuse(f"channels and dilations make {self.parameters} numbers; the most is {_MAX_PARAMETERS}")
        remembered = (self.kernel_size - 1) * sum(self.dilations) * self.residual_channels
        if remembered > _MAX_REMEMBERED:
            _refuse(f"dilations: a voice would remember {remembered} numbers; the most is {_MAX_REMEMBERED}")

    @property
    def bands(self) -> int:
        """Feature bands the network takes; 0: it runs by itself."""
        return self.conditioning.channels

    @property
    def conditions(self) -> int:
        """Channels of a row of conditions."""
        return self.conditioning.conditions

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return self.conditioning.hop_samples

    @property
    def receptive_samples(self) -> int:
        """Samples before a sample that it is drawn from."""
        return (self.kernel_size - 1) * sum(self.dilations) + 1

    @property
    def gated_channels(self) -> int:
        """Channels that a layer's gate lets through."""
        return self.gate_channels // 2 if self.gate == "tanh-sigmoid" else self.gate_channels

    @property
    def input_channels(self) -> int:
        """Channels in which the network hears a sample: one for every id, or one value."""
        return 1 if self.scalar_input else self.out_channels

    @property
    def parameters(self) -> int:
        """How many numbers the layers have, biases and conditioner left aside."""
        convs = self.kernel_size * self.residual_channels + self.conditions + self.gin_channels
        mixes = self.residual_channels + self.skip_channels
        layers = len(self.dilations) * (self.gate_channels * convs + self.gated_channels * mixes)
        head = self.skip_channels * (self.head_channels or self.out_channels)
        ends = self.input_channels * self.residual_channels + self.head_channels * self.out_channels
        return layers + head + ends + self.n_speakers * self.gin_channels

    def skip_scale(self, layer: int) -> float:
        """Return what a layer's skip is multiplied by in all."""
        layers = len(self.dilations)
        if self.skip == "halving":
            return float(0.5 ** (0.5 * (layers - max(layer, 1))))
        return float(layers**-0.5) if self.skip == "root" else 1.0

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = asdict(self)
        plain["conditioning"] = self.conditioning.as_json()
        return {**plain, "dilations": list(self.dilations)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> WavenetHyper:
        """Read a manifest's hyper-parameters.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        read = HyperReader(_TITLE, plain)
        return cls(
            dilations=read.wholes("dilations", _MAX_LAYERS, 1, _MAX_DILATION),
            kernel_size=read.whole("kernel_size", 1, _MAX_KERNEL),
            residual_channels=read.whole("residual_channels", 1, _MAX_CHANNELS),
            gate_channels=read.whole("gate_channels", 1, 2 * _MAX_CHANNELS),
            skip_channels=read.whole("skip_channels", 1, _MAX_CHANNELS),
            head_channels=read.whole("head_channels", 0, _MAX_CHANNELS),
            out_channels=read.whole("out_channels", 2, _MAX_CHANNELS),
            scalar_input=read.flag("scalar_input", default=False),
            gate=read.word("gate", _GATES, "tanh-sigmoid"),
            residual_scale=read.real("residual_scale", 0.0, 1.0),
            skip=read.word("skip", _SKIPS, "sum"),
            condition_bias=read.flag("condition_bias", default=False),
            gin_channels=read.whole("gin_channels", 0, _MAX_CHANNELS, 0),
            n_speakers=read.whole("n_speakers", 0, _MAX_SPEAKERS, 0),
            conditioning=Conditioning.from_json(_section(plain, "conditioning")),
            output=Output.from_json(_section(plain, "output")),
        )

    def _check_output(self) -> None:
        kind, outputs = self.output.distribution, self.out_channels
        if kind != "softmax" and not self.scalar_input:
            _refuse(f"scalar_input: what hears ids must draw ids, not from a distribution of {kind}")
        if kind == "logistics" and outputs % 3:
            _refuse(f"out_channels: {outputs} cannot be shared among logits, means and scales of logistics")
        if kind == "normal" and outputs != 2:
            _refuse(f"out_channels: a normal distribution has a mean and a scale, not {outputs} numbers")
        if not self.scalar_input and not 0 <= self.output.start < outputs:
            _refuse(f"output start: {self.output.start:g} is none of {outputs} ids")


def _section(plain: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = plain.get(key)
    if not isinstance(value, Mapping):
        _refuse(f"{key}: expected named values, got {str(value)[:60]!r}")
    return value


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"{_TITLE} {what}.")
