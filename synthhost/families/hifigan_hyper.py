"""HiFi-GAN's hyper-parameters, named as in the published config.json and checked once.

What the published network leaves no choice about, kan-bayashi/ParallelWaveGAN does; those fields come last.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.mel_fitting import MelFitting
from synthhost.families.mel_input import MelPitch, check_pitch
from synthhost.families.note_input import NoteInput, check_frames, notes_from_json

T = TypeVar("T")

_MAX_CHANNELS = 8192
_MAX_STAGES = 8
_MAX_BRANCHES = 8
_MAX_KERNEL = 255
_MAX_RATE = 64
_MAX_DILATION = 1024
_MAX_HOP_SAMPLES = 8192
_MAX_DILATIONS = 16
_DILATIONS_USED = MappingProxyType({"1": 3, "2": 2})
_DIALECTS = ("jik876", "parallel-wavegan")


@dataclass(frozen=True, slots=True)
class HifiganHyper:
    """The shape of one HiFi-GAN generator.

    Attributes:
        resblock: "1": two convolutions a unit; "2": one.
        bands: Of a frame; the published network takes 80 whatever its config's num_mels says.
        dialect: Whose rules hold: jik876's block "1" has three units and block "2" two, and kernels exceed
            their rates by even numbers. kan-bayashi's have as many units as dilations, and of an odd number
            the end of the stream gets one sample more.
        end_kernel: Of the first and the last convolution.
        slope: Of all leaky rectifiers but the last.
        bias: Whether layers have one.
        causal: Whether nothing looks ahead (`use_causal_conv`).
        statistics: Whether frames are standardised first, by tensors of the model.
        notes: What is made of frames of notes; None: it plays none.
        pitch: How a pitch is followed in mel frames, at which an excitation runs; None: there is none.
        fit: How sound is brought near to the mel frames that it was made of; None: it stays as it is.

    Raises:
        ConfigError: The values describe no network that can be built.
    """

    resblock: str
    upsample_rates: tuple[int, ...]
    upsample_kernel_sizes: tuple[int, ...]
    upsample_initial_channel: int
    resblock_kernel_sizes: tuple[int, ...]
    resblock_dilation_sizes: tuple[tuple[int, ...], ...]
    bands: int = 80
    dialect: str = "jik876"
    end_kernel: int = 7
    slope: float = 0.1
    bias: bool = True
    causal: bool = False
    statistics: bool = False
    notes: NoteInput | None = None
    pitch: MelPitch | None = None
    fit: MelFitting | None = None

    def __post_init__(self) -> None:
        if self.resblock not in _DILATIONS_USED:
            _refuse(f"resblock: {self.resblock!r} is no residual block of HiFi-GAN; write '1' or '2'")
        _check_range("bands", [self.bands], _MAX_CHANNELS)
        _check_range("upsample_initial_channel", [self.upsample_initial_channel], _MAX_CHANNELS)
        self._check_stages()
        self._check_branches()
        if self.notes is not None:
            check_frames("HiFi-GAN", self.notes, self.bands, self.hop_samples)
            if not self.causal or self.statistics:
                _refuse("notes: are played by causal networks without statistics")
        if self.pitch is not None:
            check_pitch("HiFi-GAN", self.pitch, self.bands, self.hop_samples)
            if not self.causal or self.statistics or self.notes is not None:
                _refuse("pitch: is followed by causal networks without statistics that play no notes")
        if self.fit is not None:
            if self.pitch is None:
                _refuse("fit: sound is fitted to frames in which a pitch is followed")
            fitted, followed = (
                (one.bands, one.hop_samples, one.sample_rate) for one in (self.fit, self.pitch)
            )
            if fitted != followed:
                _refuse(
                    f"fit: bands, hop_samples and sample_rate are {fitted} and those of pitch {followed}; "
                    "give both the same"
                )

    @property
    def conditions(self) -> int:
        """Channels that the first convolution takes."""
        heard = self.notes or self.pitch
        return self.bands if heard is None else heard.width

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return math.prod(self.upsample_rates)

    def stage_channels(self, stage: int) -> int:
        """Return the channels after `stage` upsamplings, counted from 0; -1 gives those of conv_pre."""
        return self.upsample_initial_channel >> (stage + 1)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = asdict(self)
        for heard in ("notes", "pitch", "fit"):
            if plain[heard] is None:
                del plain[heard]
        plain["resblock_dilation_sizes"] = [list(row) for row in self.resblock_dilation_sizes]
        return {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> HifiganHyper:
        """Read a manifest's hyper-parameters or a published config.json, whose other keys are left alone.

        Dilations beyond those its residual block uses are dropped, as the published code does.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        resblock = str(_value(plain, "resblock"))
        width = _number("upsample_initial_channel", _value(plain, "upsample_initial_channel"))
        read = HyperReader("HiFi-GAN", plain)
        dialect = read.word("dialect", _DIALECTS, _DIALECTS[0])
        rows = _value(plain, "resblock_dilation_sizes")
        if not isinstance(rows, (list, tuple)):
            _refuse(f"resblock_dilation_sizes: expected a list of lists, got {rows!r}")
        used = _DILATIONS_USED.get(resblock) if dialect == "jik876" else None
        return cls(
            resblock=resblock,
            upsample_rates=_numbers(plain, "upsample_rates"),
            upsample_kernel_sizes=_numbers(plain, "upsample_kernel_sizes"),
            upsample_initial_channel=width,
            resblock_kernel_sizes=_numbers(plain, "resblock_kernel_sizes"),
            resblock_dilation_sizes=tuple(_row("resblock_dilation_sizes", row)[:used] for row in rows),
            bands=_number("bands", plain.get("bands", 80)),
            dialect=dialect,
            end_kernel=read.whole("end_kernel", 1, _MAX_KERNEL, 7),
            slope=read.real("slope", 0.0, 1.0, 0.1),
            bias=read.flag("bias", True),
            causal=read.flag("causal", False),
            statistics=read.flag("statistics", False),
            notes=notes_from_json(plain),
            pitch=_part(plain, "pitch", MelPitch.from_json),
            fit=_part(plain, "fit", MelFitting.from_json),
        )

    def _check_stages(self) -> None:
        rates, kernels = self.upsample_rates, self.upsample_kernel_sizes
        if len(rates) != len(kernels) or not 1 <= len(rates) <= _MAX_STAGES:
            _refuse(
                f"upsample_rates and upsample_kernel_sizes: {len(rates)} rates and {len(kernels)} kernels; "
                f"give one kernel for each rate, 1 to {_MAX_STAGES} of them"
            )
        _check_range("upsample_rates", rates, _MAX_RATE)
        _check_range("upsample_kernel_sizes", kernels, _MAX_KERNEL)
        for rate, kernel in zip(rates, kernels, strict=True):
            odd = (kernel - rate) % 2 and not (self.dialect == "parallel-wavegan" and kernel == 2 * rate)
            if self.causal and kernel != 2 * rate:
                _refuse(
                    f"upsample_kernel_sizes: kernel {kernel} over rate {rate}; causal ones are twice as long"
                )
            if kernel < rate or odd:
                _refuse(
                    f"upsample_kernel_sizes: kernel {kernel} over rate {rate}; a kernel must exceed its rate "
                    "by an even number, zero included, or frames and samples do not match"
                )
        if self.hop_samples > _MAX_HOP_SAMPLES:
            _refuse(f"upsample_rates: {self.hop_samples} samples a frame; the most is {_MAX_HOP_SAMPLES}")
        if self.stage_channels(len(rates) - 1) < 1:
            _refuse(
                f"upsample_initial_channel: {self.upsample_initial_channel} channels cannot be halved "
                f"{len(rates)} times; give at least {2 ** len(rates)}"
            )

    def _check_branches(self) -> None:
        kernels, rows = self.resblock_kernel_sizes, self.resblock_dilation_sizes
        if len(kernels) != len(rows) or not 1 <= len(kernels) <= _MAX_BRANCHES:
            _refuse(
                f"resblock_kernel_sizes and resblock_dilation_sizes: {len(kernels)} kernels and {len(rows)} "
                f"rows of dilations; give one row for each kernel, 1 to {_MAX_BRANCHES} of them"
            )
        _check_range("resblock_kernel_sizes", kernels, _MAX_KERNEL)
        if not all(kernel % 2 for kernel in (*kernels, self.end_kernel)):
            _refuse(f"resblock_kernel_sizes: {list(kernels)}; all must be odd to keep the length")
        needed = _DILATIONS_USED[self.resblock]
        for row in rows:
            _check_range("resblock_dilation_sizes", row, _MAX_DILATION)
            if self.dialect == "parallel-wavegan":
                _check_range("resblock_dilation_sizes: dilations of a block", [len(row)], _MAX_DILATIONS)
            elif len(row) != needed:
                _refuse(
                    f"resblock_dilation_sizes: {list(row)} has {len(row)} dilations; "
                    f"residual block {self.resblock!r} takes {needed}"
                )


def _refuse(what: str) -> NoReturn:
    raise ConfigError(f"HiFi-GAN {what}.")


def _part(plain: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any]], T]) -> T | None:
    value = plain.get(key)
    if value is None:
        return None
    if not isinstance(value, Mapping):
        _refuse(f"{key}: expected a mapping, got {value!r}")
    return read(value)


def _check_range(key: str, values: tuple[int, ...] | list[int], highest: int) -> None:
    for value in values:
        if not 1 <= value <= highest:
            _refuse(f"{key}: {value} lies outside 1 to {highest}")


def _value(plain: Mapping[str, Any], key: str) -> Any:
    if key not in plain:
        _refuse(f"{key}: missing; take it from the config.json that came with the checkpoint")
    return plain[key]


def _number(key: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        _refuse(f"{key}: expected a whole number, got {value!r}")
    return value


def _row(key: str, value: Any) -> tuple[int, ...]:
    if not isinstance(value, (list, tuple)):
        _refuse(f"{key}: expected a list of whole numbers, got {value!r}")
    return tuple(_number(key, one) for one in value)


def _numbers(plain: Mapping[str, Any], key: str) -> tuple[int, ...]:
    return _row(key, _value(plain, key))
