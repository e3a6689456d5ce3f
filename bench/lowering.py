"""Streaming blocks as plain torch operations on steps of one length, for compilers of whole graphs.

Each function says what a block does to a stream that is long under way: no edges, all lengths constant.
"""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.over_bands import overlap, raised_over_bands
from bench.tape import Piece, aligned
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Affine, ChannelWise, Offset, Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.edges import Lead, Tail
from synthhost.streaming.graph import Graph, Join
from synthhost.streaming.interpolation import Decimate, Interpolate
from synthhost.streaming.joins import Beside
from synthhost.streaming.noise import Noise
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU, Pointwise, ReLU
from synthhost.streaming.repeat import Clock, Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands
from synthhost.streaming.transposed import ConvTranspose


@singledispatch
def lowered(block: AnyBlock, x: Piece) -> Piece:
    """Return what a block makes of a stream.

    Raises:
        ConfigError: Blocks of this kind have no form with steps of one length, or not of this one.
    """
    raise ConfigError(
        f"{type(block).__name__} has no form with steps of one length; measure it with torch alone."
    )


@lowered.register
def _(block: Sequence, x: Piece) -> Piece:
    for part in block.parts:
        x = lowered(part, x)
    return x


@lowered.register
def _(block: Tail, x: Piece) -> Piece:
    return lowered(block.inner, x)


@lowered.register
def _(block: Lead, x: Piece) -> Piece:
    return replace(x, seen=block.ready(x.seen))


@lowered.register
def _(block: Residual, x: Piece) -> Piece:
    return _sum(x, [lowered(block.body, x), x], 1)


@lowered.register
def _(block: Branches, x: Piece) -> Piece:
    made = [lowered(part, x) for part in block.parts]
    return _sum(x, made, len(made) if block.combine == "mean" else 1)


@lowered.register
def _(block: Graph, x: Piece) -> Piece:
    streams = [x]
    for node in block.nodes:
        given = [streams[one] for one in node.inputs]
        joins = isinstance(node.action, Join)
        streams.append(_joined(node.action, given) if joins else lowered(node.action, given[0]))
    return streams[block.output]


@lowered.register
def _(block: Conv, x: Piece) -> Piece:
    weight = block.weight.unsqueeze(2)
    y = F.conv2d(x.window(block.span), weight, block.bias, dilation=(1, block.dilation))
    x.tape.count(y, weight)
    return x.tape.source(y, block.ready(x.seen))


@lowered.register
def _(block: ConvTranspose, x: Piece) -> Piece:
    crop, stride = block.kernel - block.stride, block.stride
    even = block.kernel % stride == 0
    weight = block.raw_weight().unsqueeze(2)
    window = x.window(overlap(block))
    raw = F.conv_transpose2d(window, weight, block.bias, (1, stride), (0, crop if even else 0))
    if not even:  # the first and last outputs belong to the steps before and after
        raw = raw[..., overlap(block) * stride :][..., : x.samples * stride]
    return _decided(block, x, raw, x.tape.batch)


@lowered.register
def _(block: OverBands, x: Piece) -> Piece:
    inner = block.inner
    if inner.in_channels is None:
        return lowered(inner, x)  # a band is a channel
    if not isinstance(inner, ConvTranspose):
        raise ConfigError(f"{type(inner).__name__} over bands has no graph; measure it with torch alone.")
    raw = raised_over_bands(inner, x.window(overlap(inner)))
    return _decided(inner, x, raw, x.tape.batch * block.in_channels)


@lowered.register
def _(block: LeakyReLU, x: Piece) -> Piece:
    return x.through(block)


@lowered.register
def _(block: ReLU, x: Piece) -> Piece:
    return x.through(block)


@lowered.register
def _(block: Pointwise, x: Piece) -> Piece:
    return x.tape.source(block(x.window()), x.seen)


@lowered.register
def _(block: ChannelWise, x: Piece) -> Piece:
    return x.tape.source(block.apply_to(x.window(), 1), x.seen)


@lowered.register
def _(block: Affine, x: Piece) -> Piece:
    return x.tape.source(x.window() * _column(block.weight) + _column(block.bias), x.seen)


@lowered.register
def _(block: Offset, x: Piece) -> Piece:
    return x.tape.source(x.window() + _column(block.values), x.seen)


@lowered.register
def _(block: Standardise, x: Piece) -> Piece:
    return x.tape.source((x.window() - _column(block.mean)) / _column(block.scale), x.seen)


@lowered.register
def _(block: Noise, x: Piece) -> Piece:
    return x.tape.noise(block.stream, x)


@lowered.register
def _(block: Repeat, x: Piece) -> Piece:
    y = x.window().unsqueeze(-1).expand(-1, -1, -1, -1, block.factor)
    return x.tape.source(y.flatten(3), block.ready(x.seen))


@lowered.register
def _(block: Clock, x: Piece) -> Piece:
    ticks = torch.zeros(x.tape.batch, 0, 1, x.samples * block.factor)
    return x.tape.source(ticks, block.ready(x.seen))


@lowered.register
def _(block: Decimate, x: Piece) -> Piece:
    if x.samples % block.factor:
        raise ConfigError(
            f"a step of {x.samples} samples holds no groups of {block.factor}; give steps of more frames."
        )
    skipped = block.ready(x.seen) * block.factor - x.seen  # from this step's first to the next group's first
    places = [skipped + place for place in sorted(set(block.support(0, 0)))]
    reach = max(0, -places[0])
    window, count = x.window(reach), x.samples // block.factor
    picked = [window[..., reach + place :: block.factor][..., :count] for place in places]
    y = picked[0] if len(picked) == 1 else 0.5 * picked[0] + 0.5 * picked[1]
    return x.tape.source(y, block.ready(x.seen))


@lowered.register
def _(block: Interpolate, x: Piece) -> Piece:
    known = x.window(1)
    towards = block.towards[:, 0].to(known.dtype)
    before, after = known[..., :-1].unsqueeze(-1), known[..., 1:].unsqueeze(-1)
    lines = before * (1.0 - towards) + after * towards
    return x.tape.source(lines.flatten(3), block.ready(x.seen))


def _decided(block: ConvTranspose, x: Piece, raw: Tensor, batch: int) -> Piece:
    """Return the outputs of a transposed convolution, held back where the end of a stream may crop them."""
    x.tape.operations += 2 * block.raw_weight().numel() * batch * x.samples
    made = x.seen * block.stride - block.padding
    return x.tape.source(raw, made).behind(made - block.ready(x.seen))


def _joined(join: Join, given: list[Piece]) -> Piece:
    streams = aligned(given)
    if isinstance(join, Beside):
        return streams[0]
    y = join.combine(tuple(stream.window() for stream in streams), 1)
    return given[0].tape.source(y, streams[0].seen)


def _sum(x: Piece, made: list[Piece], divided_by: int) -> Piece:
    streams = aligned(made)
    total = streams[0].window()
    for stream in streams[1:]:
        total = total + stream.window()
    return x.tape.source(total / divided_by if divided_by > 1 else total, streams[0].seen)


def _column(values: Tensor) -> Tensor:
    """Return one value a channel, `[channels]`, as it meets `[batch, channels, 1, time]`."""
    return values[:, None, None]
