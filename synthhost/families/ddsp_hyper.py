"""Hyper-parameters of the network that plays notes with harmonics and noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import NoteSpec
from synthhost.families.hyper_reader import HyperReader


@dataclass(frozen=True, slots=True)
class DdspHyper:
    """The shape of one such network.

    Attributes:
        sample_rate: In Hz.
        hop_samples: Of a frame.
        dimensions: Of the timbre.
        width: Channels of the hidden layers.
        depth: Hidden layers.
        harmonics: How many there are at most.
        noise_bands: Of noise.
        release_s: How long a note is heard after its end at most.
        lowest: Key it was trained on, in semitones.
        highest: Key it was trained on.
        stretch: The logarithm of a note's stretch: a constant, what an octave above key 60 adds, and what
            each dimension of the timbre adds.
    """

    sample_rate: int
    hop_samples: int
    dimensions: int
    width: int
    depth: int
    harmonics: int
    noise_bands: int
    release_s: float
    lowest: float
    highest: float
    stretch: tuple[float, ...]

    @property
    def bands(self) -> int:
        """Numbers of a frame."""
        return self.notes.bands

    @property
    def notes(self) -> NoteSpec:
        """Return what the network takes."""
        return NoteSpec(self.dimensions, self.release_s, self.lowest, self.highest, self.stretch)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return {**asdict(self), "stretch": list(self.stretch)}

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> DdspHyper:
        """Read and check hyper-parameters.

        Raises:
            ConfigError: One is missing, of the wrong type or out of range.
        """
        read = HyperReader("DDSP", plain)
        dimensions = read.whole("dimensions", 1, 64)
        lowest = read.real("lowest", 0.0, 127.0)
        return cls(
            sample_rate=read.whole("sample_rate", 8000, 192_000),
            hop_samples=read.whole("hop_samples", 1, 4096),
            dimensions=dimensions,
            width=read.whole("width", 1, 4096),
            depth=read.whole("depth", 1, 16),
            harmonics=read.whole("harmonics", 1, 512),
            noise_bands=read.whole("noise_bands", 1, 100),
            release_s=read.real("release_s", 0.0, 60.0),
            lowest=lowest,
            highest=read.real("highest", lowest, 127.0),
            stretch=_stretch(plain, dimensions),
        )


def _stretch(plain: Mapping[str, Any], dimensions: int) -> tuple[float, ...]:
    values = plain.get("stretch")
    wanted = 2 + dimensions
    if not isinstance(values, list | tuple) or len(values) != wanted:
        raise ConfigError(f"DDSP: stretch: expected a list of {wanted} numbers.")
    each = HyperReader("DDSP", {f"stretch {index}": value for index, value in enumerate(values)})
    return tuple(each.real(f"stretch {index}", -50.0, 50.0) for index in range(wanted))
