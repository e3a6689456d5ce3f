"""How networks that make sound from samples, and not from partials, are told of notes.

A sine and a sawtooth at the note's pitch run beside the sound (Wang, Takaki, Yamagishi 2019 excite a network
so), and what else the frames tell is made into a few channels and held for a frame. Both are known with the
frame itself: nothing is looked ahead for, and pitch is given and not guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import OSCILLATOR_CHANNELS, NoteSpec
from synthhost.families.hyper_reader import HyperReader
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels
from synthhost.streaming.conv import Conv
from synthhost.streaming.excitation import FixedLevels
from synthhost.streaming.graph import Concat, GraphBuilder, Stream
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.oscillators import Oscillators
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.repeat import Repeat

WAVES = 2
"""Channels of the excitation: sine and sawtooth."""

_SLOPE = 0.1
_UNSTRETCHED = -50.0  # nats
_HANDS = ("level",)


@dataclass(frozen=True, slots=True)
class NoteInput:
    """What is made of frames of notes.

    Attributes:
        sample_rate: In Hz.
        hop_samples: Of a frame.
        dimensions: Of the timbre.
        release_s: How long a note is heard after its end at most.
        lowest: Key it was trained on, in semitones.
        highest: Key it was trained on.
        voices: Notes that sound at once where nothing else is said.
        harmonics: Of the sawtooth at most.
        hidden: Channels between what is told and what is made of it.
        width: Channels made of it.
        settled_s: The age from which on a held note goes on as it is; it was never heard older.
    """

    sample_rate: int
    hop_samples: int
    dimensions: int
    release_s: float
    lowest: float
    highest: float
    voices: int
    harmonics: int
    hidden: int
    width: int
    settled_s: float

    @property
    def notes(self) -> NoteSpec:
        """Return what the network takes."""
        stretch = (_UNSTRETCHED, *[0.0] * (1 + self.dimensions))
        return NoteSpec(
            self.dimensions,
            self.release_s,
            self.lowest,
            self.highest,
            stretch,
            self.voices,
            _HANDS,
            own_gain=False,
            settled_s=self.settled_s,
        )

    @property
    def channels(self) -> int:
        """Channels of what is made, one row a sample."""
        return WAVES + self.width

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NoteInput:
        """Read a manifest's values.

        Raises:
            ConfigError: One is missing, of the wrong type or out of range, or not known.
        """
        read = HyperReader("notes:", plain, cls.__dataclass_fields__)
        lowest = read.real("lowest", 0.0, 127.0)
        return cls(
            sample_rate=read.whole("sample_rate", 8000, 192_000),
            hop_samples=read.whole("hop_samples", 1, 4096),
            dimensions=read.whole("dimensions", 1, 64),
            release_s=read.real("release_s", 0.0, 60.0),
            lowest=lowest,
            highest=read.real("highest", lowest, 127.0),
            voices=read.whole("voices", 1, 16),
            harmonics=read.whole("harmonics", 1, 256),
            hidden=read.whole("hidden", 1, 1024),
            width=read.whole("width", 1, 512),
            settled_s=read.real("settled_s", 0.1, 1e6),
        )


def notes_from_json(plain: Mapping[str, Any]) -> NoteInput | None:
    """Read a network's `notes`, if it has any.

    Raises:
        ConfigError: One of its values is missing, of the wrong type or out of range, or not known.
    """
    notes = plain.get("notes")
    return NoteInput.from_json(notes) if isinstance(notes, Mapping) else None


def check_frames(title: str, shape: NoteInput, bands: int, hop_samples: int) -> None:
    """Refuse a network whose frames are others than those of its notes.

    Raises:
        ConfigError: They are.
    """
    if (shape.notes.bands, shape.hop_samples) != (bands, hop_samples):
        raise ConfigError(
            f"{title} notes: have frames of {shape.notes.bands} channels and {shape.hop_samples} samples, "
            f"not of {bands} and {hop_samples}."
        )


def note_layers(shape: NoteInput) -> dict[str, Conv]:
    """Return the layers that have weights, by name, with fresh ones."""
    return {
        "notes.hidden": Conv(shape.notes.bands - OSCILLATOR_CHANNELS, shape.hidden, 1),
        "notes.told": Conv(shape.hidden, shape.width, 1),
    }


def lay_notes(graph: GraphBuilder, shape: NoteInput, layers: Mapping[str, AnyLayer]) -> tuple[Stream, Stream]:
    """Lay what is made of frames; return the excitation, a row a sample, and what is told, a row a frame."""
    bands = shape.notes.bands
    own = graph.add("own", Channels(0, OSCILLATOR_CHANNELS, of=bands), graph.input)
    waves = lay_waves(graph, own, shape.sample_rate, shape.hop_samples, shape.harmonics)
    stream = graph.add("hears", Channels(OSCILLATOR_CHANNELS, bands, of=bands), graph.input)
    stream = graph.add("hidden", layers["notes.hidden"], stream)
    stream = graph.add("rectifier", LeakyReLU(_SLOPE), stream)
    return waves, graph.add("told", layers["notes.told"], stream)


def lay_noise(graph: GraphBuilder, own: Stream, sample_rate: int, hop_samples: int) -> Stream:
    """Lay white noise, a row a sample, that every frame begins where the oscillators' channels say."""
    told = graph.add("noise_levels", FixedLevels((0.0,), (1.0,)), own)
    return graph.add("noise", Oscillators(sample_rate, hop_samples, 1, 1), told)


def lay_waves(graph: GraphBuilder, own: Stream, sample_rate: int, hop_samples: int, harmonics: int) -> Stream:
    """Lay a sine and a sawtooth, a row a sample, at the pitch that the oscillators' channels say."""
    waves = []
    sawtooth = tuple(1.0 / (k + 1) for k in range(harmonics))
    for name, amplitudes in (("sine", (1.0,)), ("sawtooth", sawtooth)):
        told = graph.add(f"{name}_levels", FixedLevels(amplitudes, (0.0,)), own)
        waves.append(graph.add(name, Oscillators(sample_rate, hop_samples, len(amplitudes), 1), told))
    return graph.join("waves", Concat(), *waves)


def lay_note_rows(graph: GraphBuilder, shape: NoteInput, layers: Mapping[str, AnyLayer]) -> Stream:
    """Lay what is made of frames: one row a sample, what a frame tells held as long as it lasts."""
    waves, told = lay_notes(graph, shape, layers)
    held = graph.add("held", Repeat(shape.hop_samples), told)
    return graph.join("rows", Concat(), waves, held)


def build_note_rows(shape: NoteInput, layers: Mapping[str, AnyLayer]) -> AnyBlock:
    """Return a block of layers, from frames to one row a sample."""
    graph = GraphBuilder(shape.notes.bands)
    return graph.build(lay_note_rows(graph, shape, layers))


def build_note_input(shape: NoteInput) -> tuple[AnyBlock, dict[str, AnyBlock]]:
    """Return a block with fresh weights, from frames to one row a sample, and its layers by name."""
    layers = note_layers(shape)
    return build_note_rows(shape, layers), dict(layers)
