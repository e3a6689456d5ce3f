"""WaveNet (van den Oord et al. 2016): dilated causal convolutions over the sound so far draw the next sample.

The network is a graph of streaming blocks over what is heard and what conditions it; run whole it trains, and
is the oracle of the compiled loop that plays it. Layers are named as in r9y9/wavenet_vocoder; the layouts of
vincentherrmann/pytorch-wavenet and NVIDIA/nv-wavenet are brought into them when they are imported.

A loop reads nearly all its weights for every sample, so what fits a core's second-level cache is played best;
the option `precision=float16` stores them in half the memory. `python -m bench.loops` measures both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import FLOAT32, PRECISION, OptionSpec, OptionValue, precision_option
from synthhost.families.family import SEED, TEMPERATURE, Family
from synthhost.families.wavenet_conditioner import build_conditioner
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.families.wavenet_loop import wavenet_loop
from synthhost.families.weights import fill_parameters
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels
from synthhost.streaming.conv import Conv
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, Graph, GraphBuilder, Stream
from synthhost.streaming.pointwise import LeakyReLU

if TYPE_CHECKING:  # it may not have been compiled
    from synthhost.native._loops import WavenetLoop

SPEAKER = OptionSpec("speaker", 0, "which of the speakers a model was trained on, counted from 0", 0, 99_999)


class Wavenet(nn.Module):
    """The network: everything that has weights.

    Attributes:
        conditioner: Turns frames into conditions, `[batch, channels, samples]`.
        layers: What has weights, by published name; the speakers' vectors aside.
        embed_speakers: One row for each speaker, `[speakers, channels]`, or None.
    """

    embed_speakers: Tensor | None

    def __init__(self, hyper: WavenetHyper) -> None:
        super().__init__()
        self.hyper = hyper
        self.conditioner, self.layers = build_conditioner(hyper.conditioning)
        self._graph = self._laid_out()
        vectors = torch.zeros(hyper.n_speakers, hyper.gin_channels)
        self.register_parameter("embed_speakers", nn.Parameter(vectors) if hyper.n_speakers else None)

    def forward(self, heard: Tensor, conditions: Tensor | None = None, speaker: int = 0) -> Tensor:
        """Return what each next sample is drawn from, all of them being known beforehand.

        Args:
            heard: Ids or values, `[batch, samples]`, the first being what a voice starts with.
            conditions: As the conditioner gives them, `[batch, channels, samples]`.
            speaker: Who speaks.

        Returns:
            Logits or parameters of the distribution, `[batch, outputs, samples]`.
        """
        streams = [heard[:, None] if self.hyper.scalar_input else self._one_hot(heard)]
        if conditions is not None:
            streams.append(conditions)
        if self.embed_speakers is not None:
            vector = self.embed_speakers[speaker]
            streams.append(vector[None, :, None].expand(heard.shape[0], -1, heard.shape[1]))
        last: Tensor = self._graph(torch.cat(streams, 1))
        return last

    def named_tensors(self) -> dict[str, Tensor]:
        """Return every tensor by its published name."""
        named: dict[str, Tensor] = {
            f"{name}.{leaf}": tensor
            for name, layer in self.layers.items()
            for leaf, tensor in layer.named_parameters()
        }
        return (
            named if self.embed_speakers is None else {**named, "embed_speakers.weight": self.embed_speakers}
        )

    def _one_hot(self, ids: Tensor) -> Tensor:
        kind = next(self.layers["first_conv"].parameters()).dtype
        return F.one_hot(ids, self.hyper.input_channels).transpose(1, 2).to(kind)

    def _laid_out(self) -> Graph:
        """Lay out the graph over what is heard, the conditions and the speaker's vector beside each other."""
        hyper = self.hyper
        inputs, bands, speakers = hyper.input_channels, hyper.conditions, hyper.gin_channels
        of = inputs + bands + speakers
        graph = GraphBuilder(of)
        beside: dict[str, Stream] = {}
        if bands:
            beside["conv1x1c"] = graph.add("conditions", Channels(inputs, inputs + bands, of=of), graph.input)
        if speakers:
            beside["conv1x1g"] = graph.add("speaker", Channels(inputs + bands, of, of=of), graph.input)
        heard = graph.add("heard", Channels(0, inputs, of=of), graph.input)
        stream = self._add(graph, "first_conv", Conv(inputs, hyper.residual_channels, 1), heard)
        skips: list[Stream] = []
        for index in range(len(hyper.dilations)):
            stream, skip = self._layer(graph, index, stream, beside)
            skips.append(skip)
        return graph.build(self._head(graph, self._skip_sum(graph, skips)))

    def _layer(
        self, graph: GraphBuilder, index: int, stream: Stream, beside: Mapping[str, Stream]
    ) -> tuple[Stream, Stream]:
        """Add one layer; return what goes on and what is skipped."""
        hyper, name = self.hyper, f"conv_layers.{index}"
        gates, gated, residual = hyper.gate_channels, hyper.gated_channels, hyper.residual_channels
        reach = (hyper.kernel_size - 1) * hyper.dilations[index]
        conv = Conv(residual, gates, hyper.kernel_size, dilation=hyper.dilations[index], padding=(reach, 0))
        terms = [self._add(graph, f"{name}.conv", conv, stream)]
        for part, other in beside.items():
            channels = hyper.conditions if part == "conv1x1c" else hyper.gin_channels
            block = Conv(channels, gates, 1, bias=hyper.condition_bias)
            terms.append(self._add(graph, f"{name}.{part}", block, other))
        gate = Gate(gated, "tanh") if hyper.gate == "tanh-sigmoid" else LeakyReLU(0.0)
        through = graph.add(f"gate_{index}", gate, graph.join(f"gates_{index}", Add(), *terms))
        out = self._add(graph, f"{name}.conv1x1_out", Conv(gated, residual, 1), through)
        skip = self._add(graph, f"{name}.conv1x1_skip", Conv(gated, hyper.skip_channels, 1), through)
        return graph.join(f"sum_{index}", Add(hyper.residual_scale), out, stream), skip

    def _skip_sum(self, graph: GraphBuilder, skips: list[Stream]) -> Stream:
        if self.hyper.skip != "halving":
            return graph.join("skips", Add(self.hyper.skip_scale(0)), *skips)
        total = skips[0]
        for index, skip in enumerate(skips[1:]):
            total = graph.join(f"skips_{index}", Add(0.5**0.5), total, skip)
        return total

    def _head(self, graph: GraphBuilder, stream: Stream) -> Stream:
        hyper = self.hyper
        widths = [hyper.skip_channels, *([hyper.head_channels] if hyper.head_channels else [])]
        for place, (width, after) in enumerate(zip(widths, [*widths[1:], hyper.out_channels], strict=True)):
            stream = graph.add(f"rectifier_{place}", LeakyReLU(0.0), stream)
            stream = self._add(graph, f"last_conv_layers.{2 * place + 1}", Conv(width, after, 1), stream)
        return stream

    def _add(self, graph: GraphBuilder, name: str, block: AnyBlock, stream: Stream) -> Stream:
        self.layers[name] = block
        return graph.add(name.replace(".", "_"), block, stream)


class WavenetVoice(Autoregressive):
    """A network as it is played: by one of its speakers, where it has any, its weights in some precision."""

    def __init__(self, network: Wavenet, speaker: int = 0, precision: str = FLOAT32) -> None:
        super().__init__()
        self.network = network
        self.conditioner = network.conditioner
        self.speaker = speaker
        self.precision = precision

    def loop(self, *, precision: str = "", level: str = "") -> WavenetLoop:
        """Lay the weights out for the recurrence; again after weights changed."""
        vectors = self.network.embed_speakers
        vector = None if vectors is None else vectors[self.speaker]
        return wavenet_loop(
            self.network.hyper,
            self.network.named_tensors(),
            vector,
            precision=precision or self.precision,
            level=level,
        )


def build(hyper: WavenetHyper) -> Wavenet:
    """Return the network with fresh random weights."""
    return Wavenet(hyper)


def tensor_names(hyper: WavenetHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its published name, with its shape."""
    with torch.device("meta"):
        network = build(hyper)
    return {name: tuple(tensor.shape) for name, tensor in network.named_tensors().items()}


def load_weights(network: Wavenet, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by their published plain names; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill_parameters(network.named_tensors(), tensors)
    for layer in network.layers.values():
        layer.forget_packing()


def play(network: Wavenet, options: Mapping[str, OptionValue]) -> WavenetVoice:
    """Return the network as one of its speakers plays it.

    Raises:
        ConfigError: There is no such speaker.
    """
    speaker, speakers = int(options[SPEAKER.name]), network.hyper.n_speakers
    if speaker >= max(speakers, 1):
        there_are = (
            f"there are {speakers}, 0 to {speakers - 1}" if speakers else "this model has none; leave 0"
        )
        raise ConfigError(f"speaker: there is no {speaker}; {there_are}.")
    return WavenetVoice(network, speaker, str(options[PRECISION]))


def _notes(hyper: WavenetHyper) -> NoteSpec | None:
    notes = hyper.conditioning.notes
    return None if notes is None else notes.notes


FAMILY = Family(
    name="wavenet",
    title="WaveNet",
    hyper_from_json=WavenetHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    controls=(TEMPERATURE, SEED),
    options=(SPEAKER, precision_option("float16")),
    play=play,
    notes=_notes,
)
