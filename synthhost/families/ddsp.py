"""A network that plays notes: it tells harmonics and bands of noise how loud to be, frame by frame.

Differentiable digital signal processing (Engel, Hantrakul, Gu, Roberts 2020) in the form of a map without
memory: what a recurrent network would remember of a note, its frames say (`core/note_frames.py`). So pitch is
exact, nothing is looked ahead for, and any moment of a note can be had by itself.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synthhost.core.note_frames import OSCILLATOR_CHANNELS, NoteSpec
from synthhost.families.ddsp_hyper import DdspHyper
from synthhost.families.family import Family
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Concat, Graph, GraphBuilder
from synthhost.streaming.oscillators import Oscillators
from synthhost.streaming.pointwise import LeakyReLU

_SLOPE = 0.1


def build(hyper: DdspHyper) -> Graph:
    """Return the network with fresh random weights, `[bands, frames]` to `[1, samples]`."""
    graph = GraphBuilder(hyper.bands)
    own = graph.add("own", Channels(0, OSCILLATOR_CHANNELS, of=hyper.bands), graph.input)
    stream = graph.add("told", Channels(OSCILLATOR_CHANNELS, hyper.bands, of=hyper.bands), graph.input)
    channels = hyper.bands - OSCILLATOR_CHANNELS
    for layer in range(hyper.depth):
        stream = graph.add(f"hidden_{layer}", Conv(channels, hyper.width, 1), stream)
        stream = graph.add(f"rectifier_{layer}", LeakyReLU(_SLOPE), stream)
        channels = hyper.width
    levels = graph.add("levels", Conv(channels, hyper.harmonics + hyper.noise_bands, 1), stream)
    frames = graph.join("frames", Concat(), own, levels)
    oscillators = Oscillators(hyper.sample_rate, hyper.hop_samples, hyper.harmonics, hyper.noise_bands)
    return graph.build(graph.add("oscillators", oscillators, frames))


def named_layers(network: AnyBlock) -> dict[str, AnyBlock]:
    """Return the layers that carry weights by name: `hidden_0` and so on, and `levels`."""
    return {name: part for name, part in network.named_children() if isinstance(part, Conv)}


def tensor_names(hyper: DdspHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its name, with its shape."""
    widths = [hyper.bands - OSCILLATOR_CHANNELS, *[hyper.width] * hyper.depth]
    outs = [*[hyper.width] * hyper.depth, hyper.harmonics + hyper.noise_bands]
    names = [*(f"hidden_{layer}" for layer in range(hyper.depth)), "levels"]
    shapes: dict[str, tuple[int, ...]] = {}
    for name, inputs, outputs in zip(names, widths, outs, strict=True):
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, 1), (outputs,)
    return shapes


def load_weights(network: AnyBlock, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by name; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(named_layers(network), tensors)


def named_tensors(network: AnyBlock) -> dict[str, Tensor]:
    """Return every tensor by its name, as it is kept."""
    return {
        f"{name}.{leaf}": tensor.detach().clone().to(torch.float32)
        for name, layer in named_layers(network).items()
        for leaf, tensor in layer.named_parameters()
    }


def _notes(hyper: DdspHyper) -> NoteSpec:
    return hyper.notes


FAMILY = Family(
    name="ddsp",
    title="DDSP",
    hyper_from_json=DdspHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    notes=_notes,
)
