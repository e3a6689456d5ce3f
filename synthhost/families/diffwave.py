"""DiffWave (Kong and others 2021): a WaveNet that looks both ways, refining noise in steps.

Names follow lmnt-com/diffwave, whose two kinds (with mel frames, and by itself) this is; the network of
philsyn/DiffWave-unconditional differs where `DiffwaveHyper.variant` says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import OptionValue
from synthhost.families.diffwave_hyper import UPSAMPLING, DiffwaveHyper
from synthhost.families.family import SEED, TEMPERATURE, Family
from synthhost.families.named_layers import NamedLayers, looking_back, same_length
from synthhost.families.noise_schedule import Betas, trained_steps
from synthhost.families.note_input import lay_note_rows, note_layers
from synthhost.families.sampler import OPTIONS, Step, ancestral, as_played, lay_sampler
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels, Offset
from synthhost.streaming.conv import Conv
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, GraphBuilder, Stream
from synthhost.streaming.joins import AddChannels, Beside
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.pointwise import LeakyReLU, ReLU, Scale
from synthhost.streaming.repeat import Clock
from synthhost.streaming.stretch import OverBands
from synthhost.streaming.transposed import ConvTranspose

UPSAMPLER_SLOPE = 0.4

_LINEAR = (".diffusion_embedding.", ".diffusion_projection")  # published without a time axis
_UPSAMPLER = "spectrogram_upsampler."  # published as two-dimensional
_NEIGHBOURS = 3  # bands that one band is made of


class Diffwave(NamedLayers):
    """The layers of one network, and how they are laid into a graph for one step."""

    def __init__(self, hyper: DiffwaveHyper) -> None:
        super().__init__(_layers(hyper))
        self.hyper = hyper
        width = hyper.residual_channels
        self._gate = Gate(width, "tanh" if hyper.variant == "philsyn" else "sigmoid")
        self._residual = AddChannels(0, width, math.sqrt(0.5))

    def lay_condition(self, graph: GraphBuilder) -> Stream | None:
        """Lay what brings mel frames to samples, the same for every step; None for what runs by itself."""
        if not self.hyper.bands:
            return None
        if self.hyper.notes is not None:
            return lay_note_rows(graph, self.hyper.notes, self.layers)
        stream = graph.input
        for name in ("conv1", "conv2"):
            up = OverBands(self.hyper.bands, self[_UPSAMPLER + name])
            raised = graph.add(f"upsampler_{name}", up, stream)
            stream = graph.add(f"upsampler_{name}_activation", LeakyReLU(UPSAMPLER_SLOPE), raised)
        return stream

    def lay(
        self, graph: GraphBuilder, name: str, told: float, signal: Stream, condition: Stream | None
    ) -> tuple[Stream, Stream | None]:
        """Lay one network, and return the noise that it finds and the condition as late as that.

        Args:
            graph: Where.
            name: Begins the names of nodes.
            told: The training step, fractions allowed.
            signal: The noisy sound, one channel.
            condition: From `lay_condition`.
        """
        hyper, embedded = self.hyper, self.embedded(told)
        stream = graph.add(f"{name}_input", self["input_projection"], signal)
        stream = graph.add(f"{name}_input_activation", ReLU(), stream)
        skipped: Stream | None = None
        for index in range(hyper.residual_layers):
            layer = f"{name}_layer_{index}"
            offset = self._linear(f"residual_layers.{index}.diffusion_projection", embedded)
            shifted = graph.add(f"{layer}_told", Offset(offset), stream)
            made, condition = self._lay_layer(graph, index, layer, shifted, condition)
            carried = shifted if hyper.variant == "philsyn" else stream
            stream = graph.join(f"{layer}_residual", self._residual, carried, made)
            skipped = self._lay_skip(graph, layer, skipped, made)
        assert skipped is not None
        found = graph.add(f"{name}_skips", Scale(math.sqrt(1.0 / hyper.residual_layers)), skipped)
        found = graph.add(f"{name}_skip", self["skip_projection"], found)
        found = graph.add(f"{name}_skip_activation", ReLU(), found)
        return graph.add(f"{name}_output", self["output_projection"], found), condition

    def embedded(self, told: float) -> Tensor:
        """Return a training step as every layer is told it, `[channels]`."""
        vector = step_sines(told, self.hyper).to(self["input_projection"].weight)
        for name in ("projection1", "projection2"):
            vector = F.silu(self._linear(f"diffusion_embedding.{name}", vector))
        return vector

    def _lay_layer(
        self, graph: GraphBuilder, index: int, name: str, stream: Stream, condition: Stream | None
    ) -> tuple[Stream, Stream | None]:
        """Lay one layer; return its residual and skip channels, and the condition as late as they are."""
        layer = f"residual_layers.{index}"
        stream = graph.add(f"{name}_dilated", self[f"{layer}.dilated_conv"], stream)
        if condition is not None:
            condition = graph.join(f"{name}_beside", Beside(), condition, stream)
            added = graph.add(f"{name}_condition", self[f"{layer}.conditioner_projection"], condition)
            stream = graph.join(f"{name}_conditioned", Add(), stream, added)
        stream = graph.add(f"{name}_gate", self._gate, stream)
        return graph.add(f"{name}_out", self[f"{layer}.output_projection"], stream), condition

    def _lay_skip(self, graph: GraphBuilder, name: str, skipped: Stream | None, made: Stream) -> Stream:
        """Add a layer's skip channels to those of the layers before it."""
        first, last = self.hyper.residual_channels, self.hyper.residual_channels + self.hyper.skip_channels
        if skipped is None:
            return graph.add(f"{name}_skip", Channels(first, last, of=last), made)
        return graph.join(f"{name}_skip", AddChannels(first, last), skipped, made)

    def _linear(self, name: str, vector: Tensor) -> Tensor:
        layer = self[name]
        return F.linear(vector, layer.weight[:, :, 0], layer.bias).detach()


def build(hyper: DiffwaveHyper) -> Diffwave:
    """Return the network with fresh random weights."""
    return Diffwave(hyper)


def play(network: Diffwave, options: Mapping[str, OptionValue]) -> AnyBlock:
    """Return the sampler under options: frames `[bands, frames]` to sound `[1, samples]`.

    Raises:
        ConfigError: The options name no schedule that the network can follow.
    """
    hyper = network.hyper
    betas = hyper.schedules.chosen(str(options["schedule"]), int(options["steps"]))
    graph = GraphBuilder(hyper.bands)
    clock = graph.add("clock", Clock(hyper.hop_samples), graph.input)
    return as_played(graph.build(lay_steps(network, graph, clock, sampler_steps(hyper, betas))), options)


def sampler_steps(hyper: DiffwaveHyper, betas: Betas) -> list[Step]:
    """Return the steps of a schedule, the noisiest first.

    Raises:
        ConfigError: A step is noisier than those of training, or less noisy.
    """
    philsyn = hyper.variant == "philsyn"
    told = trained_steps(betas, hyper.training_betas)[::-1].astype(np.float32)
    clamps = not philsyn and hyper.emphasis is None
    updates = ancestral(betas, single=philsyn, clamps=clamps)
    return [Step(float(step), update) for step, update in zip(told, updates, strict=True)]


def lay_steps(network: Diffwave, graph: GraphBuilder, clock: Stream, steps: Sequence[Step]) -> Stream:
    """Lay the condition and the steps beside a clock of samples and return the sound."""
    condition = network.lay_condition(graph)

    def denoise(name: str, told: float, signal: Stream) -> Stream:
        nonlocal condition
        found, condition = network.lay(graph, name, told, signal, condition)
        return found

    sound = lay_sampler(graph, clock, steps, denoise)
    emphasis = network.hyper.emphasis
    return (
        sound if emphasis is None else emphasis.lay_lowered(graph, sound, network["output_projection"].weight)
    )


def step_sines(told: float, hyper: DiffwaveHyper) -> Tensor:
    """Return the sines and cosines of a training step, `[channels]`.

    All in float32: lmnt's frequencies reach 10,000 radians a step, where float32 has few digits left, and
    networks were trained on what it rounds to. Between two steps lmnt's table is interpolated.
    """
    channels = hyper.step_channels[0]
    if hyper.variant == "philsyn":
        places = torch.arange(channels // 2)
        angles = told * torch.exp(places * (-math.log(10_000) / (channels // 2 - 1)))
        return torch.cat((angles.sin(), angles.cos()))
    low, high = step_table([math.floor(told), math.ceil(told)], channels)
    between: Tensor = low + (high - low) * (torch.tensor(told) - math.floor(told))
    return between


def step_table(steps: Sequence[int], channels: int) -> Tensor:
    """Return rows of lmnt-com/diffwave's table of steps, `[steps, channels]`, in its float32 arithmetic."""
    half = channels // 2
    angles = torch.tensor(steps)[:, None] * 10.0 ** (torch.arange(half) * 4.0 / (half - 1))
    return torch.cat((angles.sin(), angles.cos()), 1)


def tensor_names(hyper: DiffwaveHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its published name, with its published shape."""
    with torch.device("meta"):
        layers = _layers(hyper)
    return {
        f"{name}.{leaf}": tuple(_as_published(name, tensor).shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def named_tensors(network: Diffwave) -> dict[str, Tensor]:
    """Return every tensor by its published name and in its published shape, as it is kept."""
    return {
        f"{name}.{leaf}": _as_published(name, tensor).detach().clone().to(torch.float32)
        for name, layer in network.layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(network: Diffwave, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by their published names and shapes; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(network.layers, {name: _as_laid(name, tensor) for name, tensor in tensors.items()})


def _notes(hyper: DiffwaveHyper) -> NoteSpec | None:
    return None if hyper.notes is None else hyper.notes.notes


FAMILY = Family(
    name="diffwave",
    title="DiffWave",
    hyper_from_json=DiffwaveHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    controls=(TEMPERATURE, SEED),
    options=OPTIONS,
    play=play,
    notes=_notes,
)


def _layers(hyper: DiffwaveHyper) -> dict[str, AnyLayer]:
    width, skip, (sines, middle, told) = hyper.residual_channels, hyper.skip_channels, hyper.step_channels
    layers: dict[str, AnyLayer] = {
        "input_projection": same_length(1, width),
        "diffusion_embedding.projection1": same_length(sines, middle),
        "diffusion_embedding.projection2": same_length(middle, told),
    }
    if hyper.notes is not None:
        layers |= note_layers(hyper.notes)
    elif hyper.bands:
        for name in ("conv1", "conv2"):
            layers[_UPSAMPLER + name] = ConvTranspose(_NEIGHBOURS, 1, 32, UPSAMPLING, padding=8)
    for index in range(hyper.residual_layers):
        layer = f"residual_layers.{index}"
        layers[f"{layer}.dilated_conv"] = _dilated(hyper, width, hyper.dilation(index))
        layers[f"{layer}.diffusion_projection"] = same_length(told, width)
        if hyper.bands:
            layers[f"{layer}.conditioner_projection"] = same_length(hyper.conditions, 2 * width)
        layers[f"{layer}.output_projection"] = same_length(width, width + skip)
    layers["skip_projection"] = same_length(skip, skip)
    layers["output_projection"] = same_length(skip, 1)
    return layers


def _dilated(hyper: DiffwaveHyper, width: int, dilation: int) -> Conv:
    """Return the convolution of a layer over time; one that plays notes looks back only."""
    conv = same_length if hyper.notes is None else looking_back
    return conv(width, 2 * width, 3, dilation)


def _as_published(name: str, tensor: Tensor) -> Tensor:
    """Return a parameter in its published shape: the upsampler's over bands too, linear ones without time."""
    if tensor.ndim == 3 and name.startswith(_UPSAMPLER):
        return tensor.flip(0)[:, 0][None, None]
    if tensor.ndim == 3 and any(mark in f".{name}" for mark in _LINEAR):
        return tensor[:, :, 0]
    return tensor


def _as_laid(name: str, tensor: Tensor) -> Tensor:
    """Return a published tensor in the shape of its layer, the way back from `_as_published`."""
    if tensor.ndim == 4 and name.startswith(_UPSAMPLER):
        return tensor[0, 0, :, None].flip(0)  # over bands it is a transposed convolution: in reverse
    if tensor.ndim == 2:
        return tensor[:, :, None]
    return tensor
