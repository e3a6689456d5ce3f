"""Generators that play notes: after every upsampling an excitation at the note's pitch joins the stream.

A sine, a sawtooth and noise, thinned out to the rate of each stage, as the neural source filter puts beside a
network's own stages (Wang, Takaki, Yamagishi 2019). The layers of the generator keep their published names;
everything looks back only, so nothing is waited for.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from synthhost.core.note_frames import OSCILLATOR_CHANNELS
from synthhost.families.mel_fitting import MelFitting
from synthhost.families.named_layers import NamedLayers, looking_back
from synthhost.families.note_input import WAVES, NoteInput, lay_noise, lay_notes, note_layers
from synthhost.streaming import sequence
from synthhost.streaming.block import AnyBlock, Block
from synthhost.streaming.channels import Channels
from synthhost.streaming.graph import Add, Concat, Graph, GraphBuilder, Stream
from synthhost.streaming.interpolation import Decimate
from synthhost.streaming.layer import AnyLayer, WeightedBlock

SOURCES = WAVES + 1
"""Channels of an excitation: sine, sawtooth and noise."""

_CHANNELS = 8  # of an excitation that was thinned out
_KERNEL = 3  # of what takes it into a stage


class ExcitedInput(Protocol):
    """What a generator and its excitation are made of."""

    @property
    def width(self) -> int:
        """Channels that the generator is told, a row a frame."""

    @property
    def bands(self) -> int:
        """Channels of a frame."""

    def layers(self) -> dict[str, AnyLayer]:
        """Return the layers that have weights, by name, with fresh ones."""

    def lay(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> tuple[Stream, Stream]:
        """Lay what is made of frames; return `SOURCES` channels a sample, and what is told, a row a frame."""


class HeardNotes:
    """Notes: a sine, a sawtooth and noise at the pitch that their frames say."""

    def __init__(self, notes: NoteInput) -> None:
        self._notes = notes
        self.width, self.bands = notes.width, notes.notes.bands

    def layers(self) -> dict[str, AnyLayer]:
        """Return the layers that have weights, by name, with fresh ones."""
        return dict(note_layers(self._notes))

    def lay(self, graph: GraphBuilder, layers: Mapping[str, AnyLayer]) -> tuple[Stream, Stream]:
        """Lay what is made of frames; return `SOURCES` channels a sample, and what is told, a row a frame."""
        waves, stream = lay_notes(graph, self._notes, layers)
        own = graph.add("placed", Channels(0, OSCILLATOR_CHANNELS, of=self.bands), graph.input)
        rate, hop = self._notes.sample_rate, self._notes.hop_samples
        return graph.join("sources", Concat(), waves, lay_noise(graph, own, rate, hop)), stream


class Excited(NamedLayers):
    """A generator and its excitation.

    Attributes:
        graph: Frames, `[bands, frames]`, to sound, `[1, samples]`.
    """

    def __init__(
        self,
        heard: ExcitedInput,
        generator: sequence.Sequence,
        named: Iterable[tuple[str, AnyBlock]],
        rates: Sequence[int],
        widths: Sequence[int],
        fitting: MelFitting | None = None,
    ) -> None:
        """Put an excitation beside a generator.

        Args:
            heard: What is made of frames.
            generator: That takes `heard.width` channels; its stages are named `stage_0` and so on, and each
                holds a layer `up`.
            named: The generator's layers that carry weights.
            rates: By which each stage raises the rate.
            widths: Channels of each stage.
            fitting: How the sound is brought near to the frames; None: it stays as it is.
        """
        own = {name: layer for name, layer in named if isinstance(layer, WeightedBlock)}
        super().__init__({**heard.layers(), **own, **_source_layers(rates, widths)})
        self._generator = [generator]  # in a list: its layers are registered already
        self._rates = tuple(rates)
        graph = GraphBuilder(heard.bands)
        sound = self._lay(graph, heard)
        self.graph = graph.build(sound if fitting is None else fitting.lay(graph, graph.input, sound))

    def laid(self, heard: ExcitedInput) -> Graph:
        """Return a graph of the generator beside what another input makes with these layers, not fitted."""
        graph = GraphBuilder(heard.bands)
        return graph.build(self._lay(graph, heard))

    def _lay(self, graph: GraphBuilder, heard: ExcitedInput) -> Stream:
        """Lay the generator beside what an input makes; return the sound."""
        excitation, stream = heard.lay(graph, self.layers)
        thinned = self._lay_thinned(graph, excitation)
        for name, part in self._generator[0].named_children():
            if name.startswith("stage_"):
                assert isinstance(part, sequence.Sequence)
                stage = int(name.removeprefix("stage_"))
                stream = self._lay_stage(graph, stage, part, stream, thinned[stage])
            else:
                stream = graph.add(name, _block(part), stream)
        return stream

    def _lay_thinned(self, graph: GraphBuilder, waves: Stream) -> list[Stream]:
        """Return the excitation at every stage's rate."""
        last = len(self._rates) - 1
        thinned = {last: waves}
        for stage in range(last - 1, -1, -1):
            smooth = graph.add(f"smooth_{stage}", self[f"sources.{stage}.thin"], thinned[stage + 1])
            thinned[stage] = graph.add(f"thin_{stage}", Decimate(self._rates[stage + 1]), smooth)
        return [thinned[stage] for stage in range(last + 1)]

    def _lay_stage(
        self, graph: GraphBuilder, stage: int, parts: sequence.Sequence, stream: Stream, excitation: Stream
    ) -> Stream:
        """Lay a stage, the excitation added where its rate has been raised."""
        for name, part in parts.named_children():
            stream = graph.add(f"stage_{stage}_{name}", _block(part), stream)
            if name == "up":
                heard = graph.add(f"source_{stage}", self[f"sources.{stage}.heard"], excitation)
                stream = graph.join(f"excited_{stage}", Add(), stream, heard)
        return stream


def _source_layers(rates: Sequence[int], widths: Sequence[int]) -> dict[str, AnyLayer]:
    layers: dict[str, AnyLayer] = {}
    channels = SOURCES
    for stage in range(len(rates) - 1, -1, -1):
        layers[f"sources.{stage}.heard"] = looking_back(channels, widths[stage], _KERNEL)
        if stage:
            layers[f"sources.{stage - 1}.thin"] = looking_back(channels, _CHANNELS, 2 * rates[stage])
            channels = _CHANNELS
    return layers


def _block(part: object) -> AnyBlock:
    assert isinstance(part, Block)
    return part
