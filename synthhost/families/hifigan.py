"""HiFi-GAN's generator (Kong, Kim, Bae 2020) as a composition of streaming blocks.

conv_pre, then per stage an upsampling by transposed convolution and the mean of parallel residual
branches, then conv_post and tanh. Zero edges throughout. Names follow the published implementation.

The causal form is that of kan-bayashi/ParallelWaveGAN: convolutions see the past alone and transposed ones
stand a frame later, the first frame doubled. A network that plays notes, or follows a pitch in mel frames, is
of that form, beside an excitation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import INT8, OptionValue, precision_option
from synthhost.core.specs import MelSpec
from synthhost.families.excited import Excited, ExcitedInput, HeardNotes
from synthhost.families.family import Family
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.families.mel_input import HeardMel
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.edges import Lead
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU, Tanh
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.transposed import ConvTranspose

FINAL_SLOPE = 0.01  # the last activation kept PyTorch's default slope, not the 0.1 used elsewhere


def build(hyper: HifiganHyper) -> Sequence | Excited:
    """Return the generator with fresh random weights, `[bands, frames]` to `[1, samples]`."""
    generator = _generator(hyper)
    heard: ExcitedInput
    if hyper.notes is not None:
        heard = HeardNotes(hyper.notes)
    elif hyper.pitch is not None:
        heard = HeardMel(hyper.pitch)
    else:
        return generator
    widths = [hyper.stage_channels(stage) for stage in range(len(hyper.upsample_rates))]
    named = _own_layers(generator)
    return Excited(heard, generator, named, hyper.upsample_rates, widths, hyper.fit)


def _generator(hyper: HifiganHyper) -> Sequence:
    width = hyper.upsample_initial_channel
    parts: dict[str, AnyBlock] = {"stats": Standardise(hyper.bands)} if hyper.statistics else {}
    parts["conv_pre"] = _same(hyper, hyper.conditions, width, hyper.end_kernel)
    for index in range(len(hyper.upsample_rates)):
        parts[f"stage_{index}"] = _stage(hyper, index)
        width = hyper.stage_channels(index)
    parts["activation"] = LeakyReLU(FINAL_SLOPE)
    parts["conv_post"] = _same(hyper, width, 1, hyper.end_kernel)
    parts["tanh"] = Tanh()
    return Sequence(parts)


def named_layers(generator: AnyBlock | Excited) -> Iterator[tuple[str, AnyBlock]]:
    """Walk the layers that carry weights, each with its published name, such as `resblocks.4.convs1.2`."""
    return iter(generator.layers.items()) if isinstance(generator, Excited) else _own_layers(generator)


def _own_layers(generator: AnyBlock) -> Iterator[tuple[str, AnyBlock]]:
    for name, part in generator.named_children():
        if isinstance(part, Conv | Standardise):
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


def load_weights(generator: AnyBlock | Excited, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by their published plain names; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(dict(named_layers(generator)), tensors)


def play(generator: AnyBlock | Excited, options: Mapping[str, OptionValue]) -> AnyBlock:
    """Return the generator as it is played."""
    return generator.graph if isinstance(generator, Excited) else generator


def _notes(hyper: HifiganHyper) -> NoteSpec | None:
    return None if hyper.notes is None else hyper.notes.notes


def _frames(hyper: HifiganHyper) -> MelSpec | None:
    return None if hyper.fit is None else hyper.fit.frames


FAMILY = Family(
    name="hifigan",
    title="HiFi-GAN",
    hyper_from_json=HifiganHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    options=(precision_option(INT8),),
    play=play,
    notes=_notes,
    frames=_frames,
)


def _same(hyper: HifiganHyper, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> Conv:
    reach = (kernel - 1) * dilation
    padding = (reach, 0) if hyper.causal else (reach // 2, reach // 2)
    return Conv(inputs, outputs, kernel, dilation=dilation, padding=padding, bias=hyper.bias)


def _stage(hyper: HifiganHyper, index: int) -> Sequence:
    outputs = hyper.stage_channels(index)
    shapes = zip(hyper.resblock_kernel_sizes, hyper.resblock_dilation_sizes, strict=True)
    unit = _unit_1 if hyper.resblock == "1" else _unit_2
    branches = [
        Sequence({f"unit_{m}": unit(hyper, outputs, taps, dilation) for m, dilation in enumerate(dilations)})
        for taps, dilations in shapes
    ]
    parts: dict[str, AnyBlock] = {"activation": LeakyReLU(hyper.slope)}
    if hyper.causal:
        parts["lead"] = Lead(1)
    parts["up"] = _up(hyper, index)
    parts["branches"] = Branches(branches, "mean")
    return Sequence(parts)


def _up(hyper: HifiganHyper, index: int) -> ConvTranspose:
    kernel, rate = hyper.upsample_kernel_sizes[index], hyper.upsample_rates[index]
    inputs, outputs = hyper.stage_channels(index - 1), hyper.stage_channels(index)
    if hyper.causal:
        return ConvTranspose(inputs, outputs, kernel, rate, padding=rate, bias=hyper.bias)
    odd = (kernel - rate) % 2
    edge = {"padding": (kernel - rate + odd) // 2, "output_padding": odd}
    return ConvTranspose(inputs, outputs, kernel, rate, bias=hyper.bias, **edge)


def _unit_1(hyper: HifiganHyper, channels: int, kernel: int, dilation: int) -> Residual:
    return Residual(
        Sequence(
            {
                "activation_1": LeakyReLU(hyper.slope),
                "convs1": _same(hyper, channels, channels, kernel, dilation),
                "activation_2": LeakyReLU(hyper.slope),
                "convs2": _same(hyper, channels, channels, kernel),
            }
        )
    )


def _unit_2(hyper: HifiganHyper, channels: int, kernel: int, dilation: int) -> Residual:
    conv = _same(hyper, channels, channels, kernel, dilation)
    return Residual(Sequence({"activation": LeakyReLU(hyper.slope), "convs": conv}))


def _stage_layers(stage: Sequence, index: int) -> Iterator[tuple[str, AnyBlock]]:
    up, branches = stage["up"], stage["branches"]
    assert isinstance(up, ConvTranspose)
    yield f"ups.{index}", up
    for j, branch in enumerate(branches.parts):
        number = index * len(branches.parts) + j
        for m, unit in enumerate(branch.parts):
            for name, layer in unit.parts[0].named_children():
                if isinstance(layer, Conv):
                    yield f"resblocks.{number}.{name}.{m}", layer
