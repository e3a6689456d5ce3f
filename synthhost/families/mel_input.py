"""Mel frames with a pitch of their own: what a vocoder is excited with that is told of no pitch.

A small network follows the pitch in the frames, looking a few of them ahead; a sine, a sawtooth and noise run
at it as they do beside notes. So a held frame holds its note; a generator of frames alone would repeat itself
at the frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.families.hyper_reader import HyperReader
from synthhost.families.named_layers import looking_back
from synthhost.families.note_input import lay_noise, lay_waves
from synthhost.streaming.centroid import Centroid
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Concat, GraphBuilder, Stream
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.turns import Turns

_SLOPE = 0.1
_KERNEL = 3
_REACH = 4  # places on either side of the likeliest, of which a pitch is the mean
_LEAST_PLACES = 2 * _REACH + 2
MOST_AHEAD = 16


@dataclass(frozen=True, slots=True)
class MelPitch:
    """How a pitch is followed in mel frames.

    Attributes:
        bands: Of a frame.
        sample_rate: In Hz.
        hop_samples: Of a frame.
        lowest_hz: Of the pitch.
        highest_hz: Of the pitch.
        places: Pitches that are told from each other, evenly from the lowest to the highest.
        harmonics: Of the sawtooth at most.
        ahead: Frames that are waited for.
        hidden: Channels of the network that follows the pitch.
        depth: Its layers between the first and the last.
        width: Channels that the generator is told of the frames.
    """

    bands: int
    sample_rate: int
    hop_samples: int
    lowest_hz: float
    highest_hz: float
    places: int
    harmonics: int
    ahead: int
    hidden: int
    depth: int
    width: int

    @property
    def lowest(self) -> float:
        """The lowest pitch, in octaves above 1 Hz."""
        return math.log2(self.lowest_hz)

    @property
    def apart(self) -> float:
        """Octaves from one place to the next."""
        return (math.log2(self.highest_hz) - self.lowest) / (self.places - 1)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> MelPitch:
        """Read a manifest's values.

        Raises:
            ConfigError: One is missing, of the wrong type or out of range, or not known.
        """
        read = HyperReader("pitch:", plain, cls.__dataclass_fields__)
        rate = read.whole("sample_rate", 8000, 192_000)
        lowest = read.real("lowest_hz", 1.0, rate / 4)
        return cls(
            bands=read.whole("bands", 1, 1024),
            sample_rate=rate,
            hop_samples=read.whole("hop_samples", 1, 8192),
            lowest_hz=lowest,
            highest_hz=read.real("highest_hz", lowest, rate / 4),
            places=read.whole("places", _LEAST_PLACES, 4096),
            harmonics=read.whole("harmonics", 1, 256),
            ahead=read.whole("ahead", 0, MOST_AHEAD),
            hidden=read.whole("hidden", 1, 1024),
            depth=read.whole("depth", 0, 16),
            width=read.whole("width", 1, 1024),
        )


class HeardMel:
    """Mel frames, an excitation at the pitch that is followed in them, and what a generator is told."""

    def __init__(self, shape: MelPitch) -> None:
        self._shape = shape
        self.width, self.bands = shape.width, shape.bands

    def layers(self) -> dict[str, AnyLayer]:
        """Return the layers that have weights, by name, with fresh ones."""
        shape = self._shape
        hidden = {
            f"pitch.hidden.{layer}": looking_back(shape.hidden, shape.hidden, _KERNEL)
            for layer in range(shape.depth)
        }
        return {
            "pitch.first": self._waiting(shape.hidden),
            **hidden,
            "pitch.last": looking_back(shape.hidden, shape.places),
            "mel.told": self._waiting(shape.width),
        }

    def lay_scores(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> Stream:
        """Lay the network that follows the pitch; return the score of every place, a row a frame."""
        stream = graph.add("pitch_first", layers["pitch.first"], graph.input)
        for layer in range(self._shape.depth):
            stream = graph.add(f"pitch_rectifier_{layer}", LeakyReLU(_SLOPE), stream)
            stream = graph.add(f"pitch_hidden_{layer}", layers[f"pitch.hidden.{layer}"], stream)
        stream = graph.add("pitch_rectifier", LeakyReLU(_SLOPE), stream)
        return graph.add("pitch_last", layers["pitch.last"], stream)

    def lay_pitch(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> Stream:
        """Lay what follows the pitch; return octaves above 1 Hz, a row a frame."""
        shape = self._shape
        scores = self.lay_scores(graph, layers)
        return graph.add("pitch", Centroid(shape.places, shape.lowest, shape.apart, _REACH), scores)

    def lay_excitation(self, graph: GraphBuilder, octaves: Stream) -> Stream:
        """Lay sine, sawtooth and noise, a row a sample, at a pitch."""
        shape = self._shape
        turns = Turns(shape.sample_rate, shape.hop_samples, shape.lowest_hz, shape.highest_hz)
        own = graph.add("turns", turns, octaves)
        waves = lay_waves(graph, own, shape.sample_rate, shape.hop_samples, shape.harmonics)
        noise = lay_noise(graph, own, shape.sample_rate, shape.hop_samples)
        return graph.join("sources", Concat(), waves, noise)

    def lay_told(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> Stream:
        """Lay what a generator is told, a row a frame."""
        return graph.add("mel_told", layers["mel.told"], graph.input)

    def lay(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> tuple[Stream, Stream]:
        """Lay the excitation, a row a sample, and what a generator is told, a row a frame."""
        excitation = self.lay_excitation(graph, self.lay_pitch(graph, layers))
        return excitation, self.lay_told(graph, layers)

    def _waiting(self, channels: int) -> Conv:
        """Return a convolution that looks as far back as ahead."""
        ahead = self._shape.ahead
        return Conv(self._shape.bands, channels, 2 * ahead + 1, padding=(ahead, ahead))


def check_pitch(title: str, shape: MelPitch, bands: int, hop_samples: int) -> None:
    """Refuse a network whose frames are others than those in which its pitch is followed.

    Raises:
        ConfigError: They are.
    """
    if (shape.bands, shape.hop_samples) != (bands, hop_samples):
        raise ConfigError(
            f"{title} pitch: is followed in frames of {shape.bands} bands and {shape.hop_samples} samples, "
            f"not of {bands} and {hop_samples}."
        )
