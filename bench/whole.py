"""Streaming blocks as plain torch operations on a whole utterance, for compilers of whole graphs.

What `bench.lowering` says of steps, with the edges that a whole stream has. Streams are pictures one pixel
high, `[batch, channels, 1, time]`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.over_bands import overlap, raised_over_bands
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import ChannelWise, Offset
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Graph, Join
from synthhost.streaming.interpolation import Decimate
from synthhost.streaming.noise import Noise
from synthhost.streaming.pointwise import Pointwise
from synthhost.streaming.repeat import Clock, Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands
from synthhost.streaming.transposed import ConvTranspose


@dataclass(slots=True)
class Pass:
    """One pass: the noises it is given, which ones those are, and what its convolutions compute.

    Attributes:
        noises: `[batch, samples]`, in order; None: zeros, to find out which are wanted.
        drawn: Stream and samples of every noise.
        operations: Multiplications and additions.
    """

    noises: list[Tensor] | None = None
    drawn: list[tuple[int, int]] = field(default_factory=list)
    operations: int = 0


@singledispatch
def whole(block: AnyBlock, x: Tensor, run: Pass) -> Tensor:
    """Return what a block makes of a whole stream.

    Raises:
        ConfigError: Blocks of this kind have no such form.
    """
    raise ConfigError(f"{type(block).__name__} has no form for a whole pass; measure it with torch alone.")


@whole.register
def _(block: Sequence, x: Tensor, run: Pass) -> Tensor:
    for part in block.parts:
        x = whole(part, x, run)
    return x


@whole.register
def _(block: Graph, x: Tensor, run: Pass) -> Tensor:
    streams = [x]
    for node in block.nodes:
        given = tuple(streams[one] for one in node.inputs)
        joins = isinstance(node.action, Join)
        streams.append(node.action.combine(given, 1) if joins else whole(node.action, given[0], run))
    return streams[block.output]


@whole.register
def _(block: Conv, x: Tensor, run: Pass) -> Tensor:
    if block.edge != "zeros" or block.left != block.right:
        raise ConfigError(f"{block.edge} edges have no form for a whole pass; measure them with torch alone.")
    weight = block.weight.unsqueeze(2)
    y = F.conv2d(x, weight, block.bias, padding=(0, block.left), dilation=(1, block.dilation))
    run.operations += 2 * weight.numel() * y.shape[0] * y.shape[-1]
    return y


@whole.register
def _(block: ConvTranspose, x: Tensor, run: Pass) -> Tensor:
    if block.output_padding < 0:
        raise ConfigError("a causal upsampling has no form for a whole pass; measure it with torch alone.")
    weight = block.raw_weight().unsqueeze(2)
    run.operations += 2 * weight.numel() * x.shape[0] * x.shape[-1]
    edge, longer = (0, block.padding), (0, block.output_padding)
    return F.conv_transpose2d(x, weight, block.bias, (1, block.stride), edge, longer)


@whole.register
def _(block: OverBands, x: Tensor, run: Pass) -> Tensor:
    inner = block.inner
    if inner.in_channels is None:
        return whole(inner, x, run)  # a band is a channel
    if not isinstance(inner, ConvTranspose):
        raise ConfigError(f"{type(inner).__name__} over bands has no graph; measure it with torch alone.")
    run.operations += 2 * inner.raw_weight().numel() * x.shape[0] * x.shape[1] * x.shape[-1]
    reach = overlap(inner)
    raw = raised_over_bands(inner, F.pad(x, (reach, reach)))
    return raw[..., inner.padding :][..., : inner.total(x.shape[-1])]


@whole.register
def _(block: Pointwise, x: Tensor, run: Pass) -> Tensor:
    y: Tensor = block(x)
    return y


@whole.register
def _(block: ChannelWise, x: Tensor, run: Pass) -> Tensor:
    return block.apply_to(x, 1)


@whole.register
def _(block: Offset, x: Tensor, run: Pass) -> Tensor:
    return x + block.values[:, None, None]


@whole.register
def _(block: Noise, x: Tensor, run: Pass) -> Tensor:
    batch, samples = x.shape[0], x.shape[-1]
    run.drawn.append((block.stream, samples))
    noise = torch.zeros(batch, samples) if run.noises is None else run.noises.pop(0)
    return noise[:, None, None]


@whole.register
def _(block: Repeat, x: Tensor, run: Pass) -> Tensor:
    return x.unsqueeze(-1).expand(-1, -1, -1, -1, block.factor).flatten(3)


@whole.register
def _(block: Clock, x: Tensor, run: Pass) -> Tensor:
    return torch.zeros(x.shape[0], 0, 1, x.shape[-1] * block.factor)


@whole.register
def _(block: Decimate, x: Tensor, run: Pass) -> Tensor:
    first, second = block.support(0, 0)
    count = block.total(x.shape[-1])
    one, other = (x[..., at :: block.factor][..., :count] for at in (first, second))
    return one if first == second else 0.5 * one + 0.5 * other
