"""HiFi-GAN's generator (Kong, Kim, Bae 2020) as a composition of streaming blocks.

conv_pre, then per stage an upsampling by transposed convolution and the mean of parallel residual
branches, then conv_post and tanh. Zero edges throughout. Names follow the published implementation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from synthhost.families.family import Family
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.layer import AnyLayer
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU, Tanh
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.transposed import ConvTranspose

SLOPE = 0.1
FINAL_SLOPE = 0.01  # the last activation kept PyTorch's default slope, not the 0.1 used elsewhere
_END_KERNEL = 7  # of conv_pre and conv_post, in every published configuration


def build(hyper: HifiganHyper) -> Sequence:
    """Return the generator with fresh random weights, `[bands, frames]` to `[1, samples]`."""
    width = hyper.upsample_initial_channel
    parts: dict[str, AnyBlock] = {"conv_pre": _same(hyper.bands, width, _END_KERNEL)}
    for index in range(len(hyper.upsample_rates)):
        parts[f"stage_{index}"] = _stage(hyper, index)
        width = hyper.stage_channels(index)
    parts["activation"] = LeakyReLU(FINAL_SLOPE)
    parts["conv_post"] = _same(width, 1, _END_KERNEL)
    parts["tanh"] = Tanh()
    return Sequence(parts)


def named_layers(generator: AnyBlock) -> Iterator[tuple[str, AnyLayer]]:
    """Walk the layers that carry weights, each with its published name, such as `resblocks.4.convs1.2`."""
    for name, part in generator.named_children():
        if isinstance(part, Conv):
            yield name, part
        elif isinstance(part, Sequence):
            yield from _stage_layers(part, int(name.removeprefix("stage_")))


def tensor_names(hyper: HifiganHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its published name, with its shape."""
    with torch.device("meta"):
        layers = dict(named_layers(build(hyper)))
    return {
        f"{name}.{leaf}": tuple(tensor.shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(generator: AnyBlock, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by their published plain names; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(dict(named_layers(generator)), tensors)


FAMILY = Family(
    name="hifigan",
    title="HiFi-GAN",
    hyper_from_json=HifiganHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
)


def _same(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> Conv:
    edge = (kernel - 1) * dilation // 2
    return Conv(inputs, outputs, kernel, dilation=dilation, padding=(edge, edge))


def _stage(hyper: HifiganHyper, index: int) -> Sequence:
    kernel, rate = hyper.upsample_kernel_sizes[index], hyper.upsample_rates[index]
    inputs, outputs = hyper.stage_channels(index - 1), hyper.stage_channels(index)
    shapes = zip(hyper.resblock_kernel_sizes, hyper.resblock_dilation_sizes, strict=True)
    unit = _unit_1 if hyper.resblock == "1" else _unit_2
    branches = [
        Sequence({f"unit_{m}": unit(outputs, taps, dilation) for m, dilation in enumerate(dilations)})
        for taps, dilations in shapes
    ]
    return Sequence(
        {
            "activation": LeakyReLU(SLOPE),
            "up": ConvTranspose(inputs, outputs, kernel, rate, padding=(kernel - rate) // 2),
            "branches": Branches(branches, "mean"),
        }
    )


def _unit_1(channels: int, kernel: int, dilation: int) -> Residual:
    return Residual(
        Sequence(
            {
                "activation_1": LeakyReLU(SLOPE),
                "convs1": _same(channels, channels, kernel, dilation),
                "activation_2": LeakyReLU(SLOPE),
                "convs2": _same(channels, channels, kernel),
            }
        )
    )


def _unit_2(channels: int, kernel: int, dilation: int) -> Residual:
    return Residual(
        Sequence({"activation": LeakyReLU(SLOPE), "convs": _same(channels, channels, kernel, dilation)})
    )


def _stage_layers(stage: Sequence, index: int) -> Iterator[tuple[str, AnyLayer]]:
    up, branches = stage["up"], stage["branches"]
    assert isinstance(up, ConvTranspose)
    yield f"ups.{index}", up
    for j, branch in enumerate(branches.parts):
        number = index * len(branches.parts) + j
        for m, unit in enumerate(branch.parts):
            for name, layer in unit.parts[0].named_children():
                if isinstance(layer, Conv):
                    yield f"resblocks.{number}.{name}.{m}", layer
