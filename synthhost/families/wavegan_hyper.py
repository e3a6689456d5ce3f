"""WaveGAN's hyper-parameters, as the weights and the public implementations' settings give them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError
from synthhost.core.specs import Prior

PRIORS: tuple[Prior, ...] = ("normal", "uniform")

_MAX_LATENT = 4096
_MAX_POSITIONS = 256
_MAX_CHANNELS = 16384
_MAX_LAYERS = 8
_MAX_KERNEL = 512
_MAX_STRIDE = 64
_MAX_HOP_SAMPLES = 65536
_MAX_FILTER_TAPS = 65536
_MAX_NUMBERS = 1 << 29  # weights in all
_MAX_CLASSES = 128
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")


@dataclass(frozen=True, slots=True)
class WaveganHyper:
    """The shape of one WaveGAN generator.

    Attributes:
        latent: Dimensions of a latent vector.
        positions: Places in time that the dense layer makes, 16 as published.
        channels: After the dense layer and after every transposed convolution; the last is 1.
        kernels: Of the transposed convolutions, in samples of their outputs.
        strides: Of the same.
        crops: How many outputs each of them loses at the clip's start; at its end it loses
            `kernel - stride - crop`.
        filter_taps: Of the filter behind the network; 0: there is none.
        prior: What latent vectors are drawn from: standard normal, or uniform from -1 to 1.
        classes: Names of the kinds of clips that the last dimensions of `latent` choose between, one each.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    latent: int
    positions: int
    channels: tuple[int, ...]
    kernels: tuple[int, ...]
    strides: tuple[int, ...]
    crops: tuple[int, ...]
    filter_taps: int
    prior: Prior
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check("latent", [self.latent], 1, _MAX_LATENT)
        _check("positions", [self.positions], 1, _MAX_POSITIONS)
        _check("channels", self.channels, 1, _MAX_CHANNELS)
        _check("filter_taps", [self.filter_taps], 0, _MAX_FILTER_TAPS)
        if self.prior not in PRIORS:
            _refuse(f"prior: {self.prior!r} is none; write one of {', '.join(PRIORS)}")
        _check("classes", [len(self.classes)], 0, min(self.latent - 1, _MAX_CLASSES))
        if len(set(self.classes)) < len(self.classes):
            _refuse(f"classes: {', '.join(self.classes)}: one stands twice")
        self._check_layers()

    @property
    def bands(self) -> int:
        """Numbers of a frame: the latent dimensions."""
        return self.latent

    @property
    def hop_samples(self) -> int:
        """Samples that one position becomes."""
        return math.prod(self.strides)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = {
            key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()
        }
        return plain if self.classes else {key: plain[key] for key in plain if key != "classes"}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> WaveganHyper:
        """Read a manifest's hyper-parameters.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        return cls(
            latent=_number("latent", _value(plain, "latent")),
            positions=_number("positions", _value(plain, "positions")),
            channels=_numbers(plain, "channels"),
            kernels=_numbers(plain, "kernels"),
            strides=_numbers(plain, "strides"),
            crops=_numbers(plain, "crops"),
            filter_taps=_number("filter_taps", _value(plain, "filter_taps")),
            prior=_value(plain, "prior"),
            classes=_names(plain.get("classes", ())),
        )

    def _check_layers(self) -> None:
        layers = len(self.kernels)
        if not 1 <= layers <= _MAX_LAYERS or {len(self.strides), len(self.crops)} != {layers}:
            _refuse(
                f"kernels, strides and crops: {layers}, {len(self.strides)} and {len(self.crops)} of them; "
                f"give one of each for every layer, 1 to {_MAX_LAYERS} layers"
            )
        if len(self.channels) != layers + 1 or self.channels[-1] != 1:
            _refuse(
                f"channels: {list(self.channels)} over {layers} layers; give one number more than there are "
                "layers, the last of them 1 (sound of one channel)"
            )
        _check("kernels", self.kernels, 1, _MAX_KERNEL)
        _check("strides", self.strides, 1, _MAX_STRIDE)
        for kernel, stride, crop in zip(self.kernels, self.strides, self.crops, strict=True):
            ends = crop, kernel - stride - crop
            if min(ends) < 0 or abs(ends[0] - ends[1]) >= stride:
                _refuse(
                    f"crops: {ends[0]} at the start and {ends[1]} at the end of kernel {kernel} over stride "
                    f"{stride}; the two must be about equal"
                )
        if self.hop_samples > _MAX_HOP_SAMPLES:
            _refuse(f"strides: {self.hop_samples} samples a position; the most is {_MAX_HOP_SAMPLES}")
        self._check_size()

    def _check_size(self) -> None:
        numbers = self.positions * self.channels[0] * (self.latent + 1)
        pairs = zip(self.channels, self.channels[1:], self.kernels, strict=False)
        numbers += sum(inputs * outputs * kernel for inputs, outputs, kernel in pairs)
        if numbers > _MAX_NUMBERS:
            _refuse(f"channels: {numbers} weights in all; the most is {_MAX_NUMBERS}")


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"WaveGAN {what}.")


def _check(key: str, values: Sequence[int], lowest: int, highest: int) -> None:
    for value in values:
        if not lowest <= value <= highest:
            _refuse(f"{key}: {value} lies outside {lowest} to {highest}")


def _value(plain: Mapping[str, Any], key: str) -> Any:
    if key not in plain:
        _refuse(f"{key}: missing; import the checkpoint again")
    return plain[key]


def _number(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(f"{key}: expected a whole number, got {str(value)[:60]!r}")
    return value


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(
        isinstance(one, str) and _NAME.fullmatch(one) for one in value
    ):
        _refuse("classes: expected a list of names of lower-case letters, digits and hyphens")
    return tuple(value)


def _numbers(plain: Mapping[str, Any], key: str) -> tuple[int, ...]:
    value = _value(plain, key)
    if not isinstance(value, (list, tuple)):
        _refuse(f"{key}: expected a list of whole numbers, got {str(value)[:60]!r}")
    return tuple(_number(key, one) for one in value)
