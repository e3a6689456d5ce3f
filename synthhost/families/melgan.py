"""MelGAN's generator (Kumar and others 2019) and its multi-band and causal relatives, in streaming blocks.

A first convolution, then per stage an upsampling by transposed convolution and residual stacks, each a
dilated and a pointwise convolution beside a pointwise shortcut, then a last convolution and tanh. Edges are
mirrored in the published networks. Multi-band networks (Yang and others 2020) make several bands of sound at
once and join them by a filter bank. In the causal form, that of kan-bayashi/ParallelWaveGAN, convolutions see
the past alone and transposed ones stand a frame later, the first frame doubled. A network that plays notes is
of that form, beside an excitation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import torch
from torch import Tensor

from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import NoteSpec
from synthhost.core.options import INT8, OptionSpec, OptionValue, precision_option
from synthhost.families.excited import Excited, HeardNotes
from synthhost.families.family import Family
from synthhost.families.melgan_hyper import MelganHyper
from synthhost.families.weights import fill
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Standardise
from synthhost.streaming.conv import Conv, Edge
from synthhost.streaming.edges import Lead, Tail
from synthhost.streaming.parallel import Branches
from synthhost.streaming.pointwise import LeakyReLU, Tanh
from synthhost.streaming.pqmf import PqmfSynthesis
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.transposed import ConvTranspose

TAIL_FRAMES = OptionSpec(
    "tail_frames",
    0,
    "frames of silence that follow the last one, computed and not heard; seungwonpark's inference has 10",
    maximum=100.0,
)


def build(hyper: MelganHyper) -> Tail | Excited:
    """Return the generator with fresh random weights, `[bands, frames]` to `[1, samples]`."""
    generator = _generator(hyper)
    if hyper.notes is None:
        return Tail(generator, 0, hyper.silence)
    widths = [hyper.stage_channels(stage) for stage in range(len(hyper.upsample_scales))]
    return Excited(HeardNotes(hyper.notes), generator, _own_layers(generator), hyper.upsample_scales, widths)


def _generator(hyper: MelganHyper) -> Sequence:
    parts: dict[str, AnyBlock] = {}
    if hyper.statistics:
        parts["stats"] = Standardise(hyper.bands)
    parts["conv_pre"] = _conv(hyper, hyper.conditions, hyper.channels, hyper.kernel_size)
    for index in range(len(hyper.upsample_scales)):
        parts[f"stage_{index}"] = _stage(hyper, index)
    width = hyper.stage_channels(len(hyper.upsample_scales) - 1)
    parts["activation"] = LeakyReLU(hyper.slope)
    parts["conv_post"] = _conv(hyper, width, hyper.subbands, hyper.kernel_size)
    if hyper.final_tanh:
        parts["tanh"] = Tanh()
    if hyper.subbands > 1:
        parts["synthesis"] = PqmfSynthesis(hyper.subbands, hyper.taps, hyper.cutoff, hyper.beta)
    return Sequence(parts)


def named_layers(generator: Tail | Excited) -> Iterator[tuple[str, AnyBlock]]:
    """Walk the layers that carry weights, each with its name, such as `stacks.1.2.conv`."""
    return iter(generator.layers.items()) if isinstance(generator, Excited) else _own_layers(generator.inner)


def _own_layers(generator: AnyBlock) -> Iterator[tuple[str, AnyBlock]]:
    for name, part in generator.named_children():
        if isinstance(part, Conv | Standardise):
            yield name, part
        elif isinstance(part, Sequence):
            yield from _stage_layers(part, int(name.removeprefix("stage_")))


def tensor_names(hyper: MelganHyper) -> dict[str, tuple[int, ...]]:
    """Return every tensor of the model by its name, with its shape."""
    with torch.device("meta"):
        layers = dict(named_layers(build(hyper)))
    return {
        f"{name}.{leaf}": tuple(tensor.shape)
        for name, layer in layers.items()
        for leaf, tensor in layer.named_parameters()
    }


def load_weights(generator: Tail | Excited, tensors: Mapping[str, Tensor]) -> None:
    """Copy weights in by name; every tensor is used and every layer filled.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite.
    """
    fill(dict(named_layers(generator)), tensors)


def play(generator: Tail | Excited, options: Mapping[str, OptionValue]) -> AnyBlock:
    """Return the generator as it is played, with the silence after its end that the options ask for.

    Raises:
        ConfigError: It plays notes, which end by themselves.
    """
    frames = int(options[TAIL_FRAMES.name])
    if isinstance(generator, Excited):
        if frames:
            raise ConfigError(f"{TAIL_FRAMES.name}: notes end by themselves; leave it at 0.")
        return generator.graph
    return Tail(generator.inner, frames, generator.value) if frames else generator.inner


def _notes(hyper: MelganHyper) -> NoteSpec | None:
    return None if hyper.notes is None else hyper.notes.notes


FAMILY = Family(
    name="melgan",
    title="MelGAN",
    hyper_from_json=MelganHyper.from_json,
    build=build,
    load_weights=load_weights,
    tensor_names=tensor_names,
    options=(TAIL_FRAMES, precision_option(INT8)),
    play=play,
    notes=_notes,
)


def _conv(hyper: MelganHyper, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> Conv:
    reach = (kernel - 1) * dilation
    return Conv(
        inputs,
        outputs,
        kernel,
        dilation=dilation,
        padding=(reach, 0) if hyper.causal else (reach // 2, reach // 2),
        edge=cast(Edge, hyper.edge),
        bias=hyper.bias,
    )


def _stage(hyper: MelganHyper, index: int) -> Sequence:
    inputs, outputs = hyper.stage_channels(index - 1), hyper.stage_channels(index)
    scale = hyper.upsample_scales[index]
    parts: dict[str, AnyBlock] = {"activation": LeakyReLU(hyper.slope)}
    if hyper.causal:
        parts["lead"] = Lead(1)
        parts["up"] = ConvTranspose(inputs, outputs, 2 * scale, scale, padding=scale, bias=hyper.bias)
    else:
        odd = scale % 2
        edge = {"padding": scale // 2 + odd, "output_padding": odd}
        parts["up"] = ConvTranspose(inputs, outputs, 2 * scale, scale, bias=hyper.bias, **edge)
    for number in range(hyper.stacks):
        parts[f"stack_{number}"] = _stack(hyper, outputs, hyper.stack_kernel_size**number)
    return Sequence(parts)


def _stack(hyper: MelganHyper, channels: int, dilation: int) -> Branches:
    body = Sequence(
        {
            "activation_1": LeakyReLU(hyper.slope),
            "conv": _conv(hyper, channels, channels, hyper.stack_kernel_size, dilation),
            "activation_2": LeakyReLU(hyper.slope),
            "mix": _conv(hyper, channels, channels, 1),
        }
    )
    return Branches([body, _conv(hyper, channels, channels, 1)], "sum")


def _stage_layers(stage: Sequence, index: int) -> Iterator[tuple[str, AnyBlock]]:
    yield f"ups.{index}", stage["up"]
    stacks = [part for part in stage.parts if isinstance(part, Branches)]
    for number, stack in enumerate(stacks):
        body, shortcut = stack.parts
        assert isinstance(body, Sequence)
        yield f"stacks.{index}.{number}.conv", body["conv"]
        yield f"stacks.{index}.{number}.mix", body["mix"]
        yield f"stacks.{index}.{number}.shortcut", shortcut
