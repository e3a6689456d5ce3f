"""What a WaveNet has before and behind its layers: how frames become conditions, and draws sound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.note_input import NoteInput, check_frames, notes_from_json

FREE_HOP_SAMPLES = 64  # what one frame of nothing becomes, where nothing conditions: small enough to play

_KINDS = ("none", "repeat", "stretch", "transposed", "window", "notes")
_DISTRIBUTIONS = ("softmax", "logistics", "normal")
_MAX_CHANNELS = 1024
_MAX_KERNEL = 65
_MAX_STAGES = 8
_MAX_SCALE = 8192
_MAX_HOP_SAMPLES = 8192
_MAX_WINDOW_HOPS = 64
_MAX_LEVELS = 1 << 16
_MOST_POLE = 0.9999


@dataclass(frozen=True, slots=True)
class Conditioning:
    """How frames become one row of conditions a sample.

    Attributes:
        kind: "none"; "repeat" (each frame as it is); "stretch" (each frame repeated and smoothed over time,
            stage by stage); "transposed" (transposed convolutions over time and neighbouring bands, without
            overlap); "window" (one transposed convolution of all bands, longer than its hop); "notes" (frames
            of notes become an excitation and a few channels that are held for a frame).
        channels: Bands of a frame.
        scales: Of each stage; their product is the hop. The others have one.
        kernel_in: Of a convolution before the stages, over frames whose first and last are repeated; 0: none.
        neighbours: Bands that one band is made of in the stages, an odd number.
        slope: Of a leaky rectifier behind each stage; 1 leaves values as they are.
        window: Of "window", in samples.
        statistics: Whether frames are standardised first, by tensors of the model.
        notes: Of "notes": what is made of them.

    Raises:
        ConfigError: The values describe nothing that can be built.
    """

    kind: str
    channels: int
    scales: tuple[int, ...]
    kernel_in: int = 0
    neighbours: int = 1
    slope: float = 1.0
    window: int = 0
    statistics: bool = False
    notes: NoteInput | None = None

    def __post_init__(self) -> None:
        if (self.kind == "none") != (self.channels == 0):
            raise ConfigError(f"WaveNet conditioning: {self.channels} bands do not go with {self.kind!r}.")
        self._check_notes()
        if self.hop_samples > _MAX_HOP_SAMPLES:
            raise ConfigError(
                f"WaveNet conditioning: scales: {self.hop_samples} samples a frame; "
                f"the most is {_MAX_HOP_SAMPLES}."
            )
        if (self.kernel_in and self.kernel_in % 2 == 0) or self.neighbours % 2 == 0:
            raise ConfigError("WaveNet conditioning: kernel_in, neighbours: must be odd to keep the middle.")
        if self.kind == "window" and not 1 <= self.window / self.hop_samples <= _MAX_WINDOW_HOPS:
            raise ConfigError(
                f"WaveNet conditioning: window: {self.window} samples over a hop of {self.hop_samples}; "
                f"give 1 to {_MAX_WINDOW_HOPS} hops."
            )

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""
        return math.prod(self.scales)

    @property
    def conditions(self) -> int:
        """Channels of a row of conditions."""
        return self.channels if self.notes is None else self.notes.channels

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        plain = {**asdict(self), "scales": list(self.scales)}
        if self.notes is None:
            del plain["notes"]
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Conditioning:
        """Read a manifest's values.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        read = HyperReader("WaveNet conditioning:", plain, cls.__dataclass_fields__)
        return cls(
            kind=read.word("kind", _KINDS, "none"),
            channels=read.whole("channels", 0, _MAX_CHANNELS),
            scales=read.wholes("scales", _MAX_STAGES, 1, _MAX_SCALE),
            kernel_in=read.whole("kernel_in", 0, _MAX_KERNEL, 0),
            neighbours=read.whole("neighbours", 1, _MAX_KERNEL, 1),
            slope=read.real("slope", 0.0, 1.0, 1.0),
            window=read.whole("window", 0, _MAX_WINDOW_HOPS * _MAX_HOP_SAMPLES, 0),
            statistics=read.flag("statistics", default=False),
            notes=notes_from_json(plain),
        )

    def _check_notes(self) -> None:
        if (self.kind == "notes") != (self.notes is not None):
            raise ConfigError("WaveNet conditioning: notes: belong to the kind 'notes', and to no other.")
        if self.notes is not None:
            check_frames("WaveNet conditioning:", self.notes, self.channels, self.hop_samples)


UNCONDITIONAL = Conditioning("none", 0, (FREE_HOP_SAMPLES,))
"""Of a network that runs by itself."""


@dataclass(frozen=True, slots=True)
class Output:
    """How what is drawn becomes sound, and what the network hears first.

    Attributes:
        distribution: What is drawn from: "softmax" over ids, "logistics" (a mixture), or "normal".
        levels: Ids 0 to `levels` stand for -1 to 1. Where ids run to one less, some implementations take one
            less here too, others not.
        companding: mu of the mu-law that turns those into amplitudes; 0: none.
        de_emphasis: Pole of the filter that undoes pre-emphasis; 0: none.
        gain: On the sound.
        start: What the network hears first: an id, or a value.
        dc_pole: Pole of the filter that takes the mean away, last; the network does not hear it. 0: none.
    """

    distribution: str
    levels: float
    companding: float
    de_emphasis: float
    gain: float
    start: float
    dc_pole: float = 0.0

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> Output:
        """Read a manifest's values.

        Raises:
            ConfigError: A key is missing or its value cannot be used.
        """
        read = HyperReader("WaveNet output:", plain, cls.__dataclass_fields__)
        return cls(
            distribution=read.word("distribution", _DISTRIBUTIONS, "softmax"),
            levels=read.real("levels", 1, _MAX_LEVELS),
            companding=read.real("companding", 0, _MAX_LEVELS),
            de_emphasis=read.real("de_emphasis", 0.0, _MOST_POLE),
            gain=read.real("gain", 1e-6, 1e6),
            start=read.real("start", -1.0, _MAX_LEVELS),
            dc_pole=read.real("dc_pole", 0.0, _MOST_POLE, 0.0),
        )
