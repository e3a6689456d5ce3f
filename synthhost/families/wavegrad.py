"""WaveGrad (Chen and others 2021): noise refined in steps, by a way down with the sound and up with the mel.

Names follow lmnt-com/wavegrad. ivanvovk/WaveGrad's network is the same but for how rates change and how the
level is told (`WavegradHyper.variant`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import OptionValue
from synthhost.families.family import SEED, TEMPERATURE, Family
from synthhost.families.named_layers import NamedLayers, looking_back, same_length
from synthhost.families.noise_schedule import Betas, check_reach, kept
from synthhost.families.note_input import lay_notes, note_layers
from synthhost.families.sampler import OPTIONS, Step, ancestral, as_played, lay_sampler, of_sound, posterior
from synthhost.families.wavegrad_hyper import SOUND, WavegradHyper
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Offset
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Add, Concat, GraphBuilder, Stream
from synthhost.streaming.interpolation import Decimate, stretch
from synthhost.streaming.joins import Beside, Modulate
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.repeat import Clock

SLOPE = 0.2

_FIRST_KERNEL, _KERNEL = 5, 3
_UP_NAMES = ("block2.0", "block2.1", "block3.0", "block3.1")


class Wavegrad(NamedLayers):
    """The layers of one network, and how they are laid into a graph for one level."""

    def __init__(self, hyper: WavegradHyper) -> None:
        super().__init__(_layers(hyper))
        self.hyper = hyper
        self._activation = LeakyReLU(SLOPE)

    def lay_condition(self, graph: GraphBuilder) -> tuple[Stream, Stream | None]:
        """Lay what is made of frames alone, the same for every step: still a value a frame, and a sample's.

        The latter is the excitation of a network that plays notes.
        """
        stream, waves = graph.input, None
        if self.hyper.notes is not None:
            waves, stream = lay_notes(graph, self.hyper.notes, self.layers)
        return graph.add("mel", self["first_conv"], stream), waves

    def lay(self, graph: GraphBuilder, name: str, told: float, signal: Stream, condition: Stream) -> Stream:
        """Lay one network and return what it finds, the noise or the clean sound.

        Args:
            graph: Where.
            name: Begins the names of nodes.
            told: The level: the root of the fraction of energy kept, 0 to 1.
            signal: The noisy sound, and an excitation beside it where there is one.
            condition: What is made of frames.
        """
        films, stream = [], signal
        for index in range(len(self.hyper.factors)):
            stream = self._lay_down(graph, f"{name}_down_{index}", index, stream)
            films.append(self._lay_film(graph, f"{name}_film_{index}", index, told, stream))
        stream = condition
        for index, film in enumerate(reversed(films)):
            stream = self._lay_up(graph, f"{name}_up_{index}", index, stream, film)
        return graph.add(f"{name}_last", self["last_conv"], stream)

    def _lay_down(self, graph: GraphBuilder, name: str, index: int, stream: Stream) -> Stream:
        """Lay one stage down. Its shortcut looks at one sample alone, so it is taken after the decimation."""
        if index == 0:
            return graph.add(name, self["downsample.0"], stream)
        hyper, layer = self.hyper, f"downsample.{index}"
        thinned = graph.add(f"{name}_thin", Decimate(hyper.down_factors[index - 1], hyper.mode), stream)
        shortcut = graph.add(f"{name}_shortcut", self[f"{layer}.residual_dense"], thinned)
        stream = thinned
        for number in range(len(hyper.down_dilations[index - 1])):
            stream = self._activated(graph, f"{name}_{number}", f"{layer}.conv.{number}", stream)
        return graph.join(f"{name}_sum", Add(), stream, shortcut)

    def _lay_film(self, graph: GraphBuilder, name: str, index: int, told: float, stream: Stream) -> Stream:
        """Lay what makes shifts and scales of a stage's stream and of the level."""
        stream = graph.add(f"{name}_in", self[f"film.{index}.input_conv"], stream)
        stream = graph.add(f"{name}_activation", self._activation, stream)
        sines = level_sines(told, self.hyper.down_channels[index], self.hyper.level_scale)
        offset = Offset(sines.to(self["last_conv"].weight))
        stream = graph.add(f"{name}_told", offset, stream)
        return graph.add(f"{name}_out", self[f"film.{index}.output_conv"], stream)

    def _lay_up(self, graph: GraphBuilder, name: str, index: int, stream: Stream, film: Stream) -> Stream:
        """Lay one stage up: two residual halves, modulated three times by the same shifts and scales."""
        layer, up = f"upsample.{index}", stretch(self.hyper.factors[index], self.hyper.mode)
        shortcut = graph.add(f"{name}_short", self[f"{layer}.block1"], stream)
        shortcut = graph.add(f"{name}_short_stretch", up, shortcut)
        stream = graph.add(f"{name}_activation", self._activation, stream)
        stream = graph.add(f"{name}_stretch", up, stream)
        stream = graph.add(f"{name}_0", self[f"{layer}.block2.0"], stream)
        stream = self._modulated(graph, f"{name}_1", f"{layer}.block2.1", stream, film)
        half = graph.join(f"{name}_half", Add(), shortcut, stream)
        stream = self._modulated(graph, f"{name}_2", f"{layer}.block3.0", half, film)
        stream = self._modulated(graph, f"{name}_3", f"{layer}.block3.1", stream, film)
        return graph.join(f"{name}_sum", Add(), half, stream)

    def _modulated(self, graph: GraphBuilder, name: str, layer: str, stream: Stream, film: Stream) -> Stream:
        return self._activated(graph, name, layer, graph.join(f"{name}_film", Modulate(), stream, film))

    def _activated(self, graph: GraphBuilder, name: str, layer: str, stream: Stream) -> Stream:
        stream = graph.add(f"{name}_activation", self._activation, stream)
        return graph.add(f"{name}_conv", self[layer], stream)


def build(hyper: WavegradHyper) -> Wavegrad:
    """Return the network with fresh random weights."""
    return Wavegrad(hyper)


def play(network: Wavegrad, options: Mapping[str, OptionValue]) -> AnyBlock:
    """Return the sampler under options: mel frames `[bands, frames]` to sound `[1, samples]`.

    Raises:
        ConfigError: The options name no schedule that the network can follow.
    """
    hyper = network.hyper
    betas = hyper.schedules.chosen(str(options["schedule"]), int(options["steps"]))
    graph = GraphBuilder(hyper.bands)
    clock = graph.add("clock", Clock(hyper.hop_samples), graph.input)
    return as_played(graph.build(lay_steps(network, graph, clock, sampler_steps(hyper, betas))), options)


def sampler_steps(hyper: WavegradHyper, betas: Betas) -> list[Step]:
    """Return the steps of a schedule, the noisiest first.

    Raises:
        ConfigError: A step is noisier than those of training.
    """
    check_reach(betas, hyper.training_betas)
    if hyper.variant == "ivanvovk":
        later, levels = posterior(betas)
        return [Step(level, update) for level, update in zip(levels, later, strict=True)]
    told = np.sqrt(kept(betas))[::-1].astype(np.float32)
    updates = ancestral(betas, single=False, clamps=hyper.emphasis is None)
    if hyper.finds == SOUND:
        updates = [of_sound(one, energy) for one, energy in zip(updates, kept(betas)[::-1], strict=True)]
    return [Step(float(level), update) for level, update in zip(told, updates, strict=True)]


def lay_steps(network: Wavegrad, graph: GraphBuilder, clock: Stream, steps: Sequence[Step]) -> Stream:
    """Lay the condition and the steps beside a clock of samples and return the sound."""
    condition, waves = network.lay_condition(graph)

    def denoise(name: str, told: float, signal: Stream) -> Stream:
        nonlocal condition
        if waves is not None:
            signal = graph.join(f"{name}_beside", Concat(), signal, waves)
        begun = graph.add(f"{name}_frame", Decimate(network.hyper.hop_samples), signal)
        condition = graph.join(f"{name}_mel", Beside(), condition, begun)
        return network.lay(graph, name, told, signal, condition)

    sound = lay_sampler(graph, clock, steps, denoise)
    emphasis = network.hyper.emphasis
    return sound if emphasis is None else emphasis.lay_lowered(graph, sound, network["last_conv"].weight)


def level_sines(told: float, channels: int, scale: float) -> Tensor:
    """Return the sines and cosines of a level, `[channels]`, in float32 as networks learned them."""
    half = channels // 2
    angles = scale * torch.tensor(told) * 1e-4 ** (torch.arange(half, dtype=torch.float32) / half)
    return torch.cat((angles.sin(), angles.cos()))


def tensor_names(hyper: WavegradHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its published name, with its shape."""
    with torch.device("meta"):
        layers = _layers(hyper)
    return {
        f"{name}.{leaf}": tuple(tensor.shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(network: Wavegrad, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by their published names; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(network.layers, tensors)


def _notes(hyper: WavegradHyper) -> NoteSpec | None:
    return None if hyper.notes is None else hyper.notes.notes


FAMILY = Family(
    name="wavegrad",
    title="WaveGrad",
    hyper_from_json=WavegradHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    controls=(TEMPERATURE, SEED),
    options=OPTIONS,
    play=play,
    notes=_notes,
)


def _conv(hyper: WavegradHyper, inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> Conv:
    """Return a convolution; those of a network that plays notes look back only."""
    make = same_length if hyper.notes is None else looking_back
    return make(inputs, outputs, kernel, dilation)


def _layers(hyper: WavegradHyper) -> dict[str, AnyLayer]:
    notes: Mapping[str, AnyLayer] = {} if hyper.notes is None else note_layers(hyper.notes)
    return {
        **notes,
        **_down_layers(hyper),
        **_film_layers(hyper),
        **_up_layers(hyper),
        "first_conv": _conv(hyper, hyper.conditions, hyper.mel_channels, _KERNEL),
        "last_conv": _conv(hyper, hyper.up_channels[-1], 1, _KERNEL),
    }


def _down_layers(hyper: WavegradHyper) -> dict[str, AnyLayer]:
    layers: dict[str, AnyLayer] = {
        "downsample.0": _conv(hyper, hyper.inputs, hyper.down_channels[0], _FIRST_KERNEL)
    }
    for index, dilations in enumerate(hyper.down_dilations, 1):
        before, after = hyper.down_channels[index - 1 : index + 1]
        layers[f"downsample.{index}.residual_dense"] = _conv(hyper, before, after)
        for number, dilation in enumerate(dilations):
            inputs = after if number else before
            layers[f"downsample.{index}.conv.{number}"] = _conv(hyper, inputs, after, _KERNEL, dilation)
    return layers


def _film_layers(hyper: WavegradHyper) -> dict[str, AnyLayer]:
    layers: dict[str, AnyLayer] = {}
    for index, width in enumerate(hyper.down_channels):
        modulated = hyper.up_channels[-1 - index]
        layers[f"film.{index}.input_conv"] = _conv(hyper, width, width, _KERNEL)
        layers[f"film.{index}.output_conv"] = _conv(hyper, width, 2 * modulated, _KERNEL)
    return layers


def _up_layers(hyper: WavegradHyper) -> dict[str, AnyLayer]:
    layers: dict[str, AnyLayer] = {}
    before = hyper.mel_channels
    for index, (after, dilations) in enumerate(zip(hyper.up_channels, hyper.up_dilations, strict=True)):
        layers[f"upsample.{index}.block1"] = _conv(hyper, before, after)
        for number, (name, dilation) in enumerate(zip(_UP_NAMES, dilations, strict=True)):
            inputs = after if number else before
            layers[f"upsample.{index}.{name}"] = _conv(hyper, inputs, after, _KERNEL, dilation)
        before = after
    return layers
