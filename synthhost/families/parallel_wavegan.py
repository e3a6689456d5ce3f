"""Parallel WaveGAN's generator (Yamamoto, Song, Kim 2020) as a graph of streaming blocks.

Noise, one value a sample, goes through gated residual layers as in WaveNet, each told what to become by
frames stretched to the sample rate. All layers look ahead as far as back, but for the causal form. Sound
comes out as it is, without tanh, and may exceed 1. Names follow kan-bayashi/ParallelWaveGAN where it has
them; what the last layer would hand on to a next one is not computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import sqrt
from typing import TypeGuard

import torch
from torch import Tensor
from torch.nn import Module

from synthhost.core.options import INT8, precision_option
from synthhost.families.family import SEED, TEMPERATURE, Family
from synthhost.families.parallel_wavegan_hyper import ParallelWaveganHyper
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Channels, Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, Graph, GraphBuilder, Stream
from synthhost.streaming.noise import Noise
from synthhost.streaming.pointwise import LeakyReLU, ReLU, Scale
from synthhost.streaming.repeat import Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands, SmoothStretch


def build(hyper: ParallelWaveganHyper) -> Graph:
    """Return the generator with fresh random weights, `[bands, frames]` to `[1, samples]`."""
    graph = GraphBuilder(hyper.bands)
    condition = graph.add("upsample_net", _upsampler(hyper), graph.input)
    clock = Sequence({"band": Channels(0, 1, of=hyper.bands), "samples": Repeat(hyper.hop_samples)})
    samples = graph.add("clock", clock, graph.input)  # noise need not wait for the conditions
    signal = graph.add("z", Noise(0), samples)
    signal = graph.add("first_conv", Conv(1, hyper.residual_channels, 1), signal)
    skips: Stream | None = None
    for number in range(hyper.layers):
        signal, skip = _layer(graph, hyper, number, signal, condition)
        skips = skip if skips is None else graph.join(f"skips_{number}", Add(), skips, skip)
    assert skips is not None
    return graph.build(graph.add("last_conv_layers", _ending(hyper), skips))


def named_layers(generator: Graph) -> Iterator[tuple[str, AnyBlock]]:
    """Walk the layers that carry weights, each with its name, such as `conv_layers.4.conv`."""
    for name, part in generator.named_children():
        if name == "upsample_net":
            yield from _upsampler_layers(part)
        elif isinstance(part, Sequence):
            yield from ((f"{name}.{place}", one) for place, one in part.named_children() if _weighs(one))
        elif name.startswith("layer_") and _weighs(part):
            _, number, kind = name.split("_", 2)
            yield f"conv_layers.{number}.{kind}", part
        elif _weighs(part):
            yield name, part


def tensor_names(hyper: ParallelWaveganHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its name, with its shape."""
    with torch.device("meta"):
        layers = dict(named_layers(build(hyper)))
    return {
        f"{name}.{leaf}": tuple(tensor.shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(generator: Graph, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by name; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(dict(named_layers(generator)), tensors)


FAMILY = Family(
    name="parallel-wavegan",
    title="Parallel WaveGAN",
    hyper_from_json=ParallelWaveganHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    controls=(TEMPERATURE, SEED),
    options=(precision_option(INT8),),
)


def _upsampler(hyper: ParallelWaveganHyper) -> Sequence:
    """Return what makes one column of conditions a sample, `[bands, frames]` to `[bands, samples]`.

    The frames are not padded but their edges repeated, so the first convolution sees its context everywhere.
    """
    before, after = hyper.context_frames, 0 if hyper.causal else hyper.context_frames
    parts: dict[str, AnyBlock] = {"stats": Standardise(hyper.bands)} if hyper.statistics else {}
    if hyper.conv_in:
        taps = before + 1 + after
        padding = (before, after)
        parts["conv_in"] = Conv(hyper.bands, hyper.bands, taps, padding=padding, edge="replicate", bias=False)
    for number, scale in enumerate(hyper.upsample_scales):
        smooth = SmoothStretch(scale, neighbours=hyper.neighbours, causal=hyper.causal)
        parts[f"smooth_{number}"] = OverBands(hyper.bands, smooth)
        if hyper.upsample_slope != 1.0:
            parts[f"activation_{number}"] = LeakyReLU(hyper.upsample_slope)
    return Sequence(parts)


def _layer(
    graph: GraphBuilder, hyper: ParallelWaveganHyper, number: int, signal: Stream, condition: Stream
) -> tuple[Stream, Stream]:
    """Add one residual layer; return what the next one takes, and what it gives to the sound."""
    name = f"layer_{number}_"
    residual, gates, half = hyper.residual_channels, hyper.gate_channels, hyper.gate_channels // 2
    reach = (hyper.kernel_size - 1) * hyper.dilation(number)
    conv = Conv(
        residual,
        gates,
        hyper.kernel_size,
        dilation=hyper.dilation(number),
        padding=(reach, 0) if hyper.causal else (reach // 2, reach // 2),
        bias=hyper.bias,
    )
    seen = graph.add(f"{name}conv", conv, signal)
    told = graph.add(f"{name}conv1x1_aux", Conv(hyper.bands, gates, 1, bias=False), condition)
    gate = graph.add(f"{name}gate", Gate(half, "tanh"), graph.join(f"{name}sum", Add(), seen, told))
    skip = graph.add(f"{name}conv1x1_skip", Conv(half, hyper.skip_channels, 1, bias=hyper.bias), gate)
    if number == hyper.layers - 1:
        return signal, skip
    out = graph.add(f"{name}conv1x1_out", Conv(half, residual, 1, bias=hyper.bias), gate)
    return graph.join(f"{name}residual", Add(sqrt(0.5)), out, signal), skip


def _ending(hyper: ParallelWaveganHyper) -> Sequence:
    skip = hyper.skip_channels
    return Sequence(
        {
            "loudness": Scale(sqrt(1.0 / hyper.layers)),
            "0": ReLU(),
            "1": Conv(skip, skip, 1),
            "2": ReLU(),
            "3": Conv(skip, 1, 1),
        }
    )


def _upsampler_layers(upsampler: Module) -> Iterator[tuple[str, AnyBlock]]:
    for name, part in upsampler.named_children():
        if isinstance(part, OverBands):
            yield f"upsample_net.{name.replace('_', '.')}", part.inner
        elif isinstance(part, Standardise):
            yield name, part
        elif isinstance(part, Conv):
            yield f"upsample_net.{name}", part


def _weighs(part: Module) -> TypeGuard[AnyBlock]:
    return isinstance(part, Conv)
