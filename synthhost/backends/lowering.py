"""Streaming blocks taken apart into operations: one function for every kind of block."""

from __future__ import annotations

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import numpy as np
from torch import Tensor

from synthhost.backends import plan_ops as ops
from synthhost.backends.plan_ops import INPUT, Op, Value, Weights
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock, Block
from synthhost.streaming.channels import Affine, Channels, Offset, Standardise
from synthhost.streaming.conv import Conv
from synthhost.streaming.edges import Lead, Tail
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, Concat, Graph, Join
from synthhost.streaming.interpolation import Decimate, Interpolate
from synthhost.streaming.joins import AddChannels, Beside, Modulate, Weigh
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import Clamp, LeakyReLU, ReLU, Scale, Tanh
from synthhost.streaming.positions import PositionDense
from synthhost.streaming.repeat import Clock, Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands
from synthhost.streaming.timing import hop_samples
from synthhost.streaming.transposed import ConvTranspose
from synthhost.streaming.window import Window

_MOST_TERMS = 8  # of a native sum
_FAR = 1 << 20  # inputs: far beyond every edge of every network


class NotInPlanError(ConfigError):
    """A block has no native operation; the message is a few words."""


class Lowering:
    """The operations so far.

    Attributes:
        ops: In the order in which they are computed.
        noise_streams: The stream of draws behind every row of noise that a run is given.
    """

    def __init__(self, channels: int) -> None:
        self.ops: list[Op] = []
        self.noise_streams: list[int] = []
        self.channels: dict[Value, int] = {INPUT: channels}
        self._known: dict[tuple[Any, ...], Value] = {}
        self._edges: dict[Value, str] = {}
        self._edged: dict[tuple[Value, str], Value] = {}

    def add(self, kind: Callable[..., Op], channels: int, *inputs: Value, **numbers: Any) -> Value:
        """Add an operation and return what it makes."""
        output = Value(len(self.channels))
        self.channels[output] = channels
        self.ops.append(kind(inputs, output, channels, **numbers))
        return output

    def add_once(self, kind: Callable[..., Op], channels: int, *inputs: Value, **numbers: Any) -> Value:
        """Return what an operation without weights makes; the same one is not computed twice."""
        key = (kind, inputs, *sorted(numbers.items()))
        if key not in self._known:
            self._known[key] = self.add(kind, channels, *inputs, **numbers)
        return self._known[key]

    def edged(self, value: Value, edge: str) -> Value:
        """Return a value whose stream has such an edge; a copy where others want another."""
        if self._edges.setdefault(value, edge) == edge:
            return value
        if (value, edge) not in self._edged:
            copied = self.mix([value], [1.0])
            self._edges[copied] = edge
            self._edged[value, edge] = copied
        return self._edged[value, edge]

    def edge_of(self, value: Value) -> str:
        """Return what stands before and after a stream."""
        return self._edges.get(value, "zeros")

    def take_edge(self, value: Value, other: Value) -> None:
        """Let the edge of a value stand around another one too."""
        if value in self._edges:
            self._edges[other] = self._edges[value]

    def mix(self, values: list[Value], weights: list[float], firsts: list[int] | None = None) -> Value:
        """Return a weighted sum over all channels of the first value, or as `firsts` say."""
        firsts = firsts or [0] * len(values)
        while len(values) > _MOST_TERMS:
            head = self.mix(values[:_MOST_TERMS], weights[:_MOST_TERMS], firsts[:_MOST_TERMS])
            values, weights = [head, *values[_MOST_TERMS:]], [1.0, *weights[_MOST_TERMS:]]
            firsts = [0, *firsts[_MOST_TERMS:]]
        numbers = {"weights": tuple(weights), "firsts": tuple(firsts)}
        return self.add(ops.MixOp, self.channels[values[0]], *values, **numbers)

    def rectify(self, value: Value, slope: float) -> Value:
        """Return the (leaky) rectifier of a value."""
        return self.add_once(ops.RectifyOp, self.channels[value], value, by=slope)


def lowered(block: AnyBlock, channels: int) -> tuple[Lowering, Value]:
    """Return the operations of a block and what comes out; `lowering_sources` adds the blocks that sound.

    Raises:
        NotInPlanError: A part has no native operation.
    """
    made = Lowering(channels)
    return made, lower(block, INPUT, made)


@singledispatch
def lower(block: AnyBlock, x: Value, to: Lowering) -> Value:
    """Add the operations of a block that is given `x`, and return what it gives."""
    raise NotInPlanError(f"{type(block).__name__} has no native operation")


@lower.register
def _(block: Window, x: Value, to: Lowering) -> Value:
    raise NotInPlanError("a window inside a network is not in native plans")


@lower.register
def _(block: Sequence, x: Value, to: Lowering) -> Value:
    for part in block.parts:
        x = lower(part, x, to)
    return x


@lower.register
def _(block: Residual, x: Value, to: Lowering) -> Value:
    return to.mix([x, lower(block.body, x, to)], [1.0, 1.0])


@lower.register
def _(block: Branches, x: Value, to: Lowering) -> Value:
    values = [lower(part, x, to) for part in block.parts]
    weight = 1.0 / len(values) if block.combine == "mean" else 1.0
    return to.mix(values, [weight] * len(values))


@lower.register
def _(block: Tail, x: Value, to: Lowering) -> Value:
    longer = to.add(ops.ExtendOp, to.channels[x], x, count=block.frames, value=block.value)
    y = lower(block.inner, longer, to)
    rate = hop_samples(block)
    offset = block.total(_FAR) - _FAR * rate
    return to.add(ops.CropOp, to.channels[y], y, x, rate=rate, offset=offset)


@lower.register
def _(block: Graph, x: Value, to: Lowering) -> Value:
    values = [x]
    for node in block.nodes:
        given = [values[one] for one in node.inputs]
        if isinstance(node.action, Join):
            values.append(lower_join(node.action, given, to))
        else:
            assert isinstance(node.action, Block)
            values.append(lower(node.action, given[0], to))
    return values[block.output]


@lower.register
def _(block: Conv, x: Value, to: Lowering) -> Value:
    padded = block.left or block.right
    return to.add(
        ops.ConvOp,
        block.out_channels,
        to.edged(x, block.edge) if padded else x,
        weight=weights_of(block.weight),
        bias=_bias(block),
        dilation=block.dilation,
        left=block.left,
        right=block.right,
    )


@lower.register
def _(block: ConvTranspose, x: Value, to: Lowering) -> Value:
    return to.add(
        ops.TransposedOp,
        block.out_channels,
        to.edged(x, "zeros"),
        weight=weights_of(block.raw_weight()),
        bias=_bias(block),
        stride=block.stride,
        padding=block.padding,
        longer=block.longer,
    )


@lower.register
def _(block: OverBands, x: Value, to: Lowering) -> Value:
    inner = block.inner
    if isinstance(inner, ConvTranspose):
        weight = weights_of(inner.raw_weight())[:, 0]
        timing = (inner.stride, inner.padding, inner.longer)
    elif isinstance(inner, Conv) and inner.edge == "zeros" and inner.dilation == 1:
        weight = np.ascontiguousarray(weights_of(inner.weight)[0, :, ::-1])
        crop = inner.span - inner.left
        timing = (1, crop, inner.left + inner.right - inner.span + crop)
    elif isinstance(inner, Sequence):
        for part in inner.parts:
            x = lower(part if _band_by_band(part) else OverBands(to.channels[x], part), x, to)
        return x
    elif _band_by_band(inner):
        return lower(inner, x, to)
    else:
        raise NotInPlanError(f"{type(inner).__name__} over bands has no native operation")
    if timing[1] < 0:
        raise NotInPlanError("a convolution over bands pads more than it spans")
    stride, padding, longer = timing
    bias = float(_bias(inner)[0])
    numbers = {"stride": stride, "padding": padding, "longer": longer}
    edged = to.edged(x, "zeros")
    return to.add(
        ops.BandOp, to.channels[x], edged, weight=np.ascontiguousarray(weight), bias=bias, **numbers
    )


@lower.register
def _(block: Affine, x: Value, to: Lowering) -> Value:
    return to.add(
        ops.AffineOp, to.channels[x], x, weight=weights_of(block.weight), bias=weights_of(block.bias)
    )


@lower.register
def _(block: Offset, x: Value, to: Lowering) -> Value:
    values = weights_of(block.values)
    return to.add(ops.AffineOp, to.channels[x], x, weight=np.ones_like(values), bias=values)


@lower.register
def _(block: Standardise, x: Value, to: Lowering) -> Value:
    scale = 1.0 / block.scale.detach().double()
    bias = -block.mean.detach().double() * scale
    return to.add(ops.AffineOp, to.channels[x], x, weight=weights_of(scale), bias=weights_of(bias))


@lower.register
def _(block: Channels, x: Value, to: Lowering) -> Value:
    numbers = {"weights": (1.0,), "firsts": (block.first,)}
    return to.add_once(ops.MixOp, block.last - block.first, x, **numbers)


@lower.register
def _(block: Gate, x: Value, to: Lowering) -> Value:
    return to.add(ops.GateOp, to.channels[x] // 2, x, tanh_first=block.first == "tanh")


@lower.register
def _(block: LeakyReLU, x: Value, to: Lowering) -> Value:
    return to.rectify(x, block.slope)


@lower.register
def _(block: ReLU, x: Value, to: Lowering) -> Value:
    return to.rectify(x, 0.0)


@lower.register
def _(block: Tanh, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.TanhOp, to.channels[x], x)


@lower.register
def _(block: Scale, x: Value, to: Lowering) -> Value:
    return to.mix([x], [block.factor])


@lower.register
def _(block: Clamp, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.ClampOp, to.channels[x], x, lowest=block.lowest, highest=block.highest)


@lower.register
def _(block: Repeat, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.RepeatOp, to.channels[x], x, factor=block.factor)


@lower.register
def _(block: Clock, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.RepeatOp, 1, x, factor=block.factor)  # only its length is wanted


@lower.register
def _(block: Decimate, x: Value, to: Lowering) -> Value:
    numbers = {"factor": block.factor, "first": block.places[0], "second": block.places[1]}
    return to.add_once(ops.DecimateOp, to.channels[x], x, **numbers)


@lower.register
def _(block: Interpolate, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.InterpolateOp, to.channels[x], x, factor=block.factor)


@lower.register
def _(block: Lead, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.LeadOp, to.channels[x], x, count=block.count)


@lower.register
def _(block: PositionDense, x: Value, to: Lowering) -> Value:
    numbers = {"weight": weights_of(block.weight), "bias": weights_of(block.bias)}
    return to.add(ops.PositionsOp, block.out_channels, x, **numbers)


@singledispatch
def lower_join(join: Join, values: list[Value], to: Lowering) -> Value:
    """Add the operations of a join of `values`, and return what it gives."""
    raise NotInPlanError(f"{type(join).__name__} has no native operation")


@lower_join.register
def _(join: Add, values: list[Value], to: Lowering) -> Value:
    return to.mix(values, [join.scale] * len(values))


@lower_join.register
def _(join: Weigh, values: list[Value], to: Lowering) -> Value:
    return to.mix(values, list(join.weights))


@lower_join.register
def _(join: AddChannels, values: list[Value], to: Lowering) -> Value:
    return to.mix(values, [join.scale] * 2, [0, join.first])


@lower_join.register
def _(join: Concat, values: list[Value], to: Lowering) -> Value:
    return to.add(ops.ConcatOp, sum(to.channels[one] for one in values), *values)


@lower_join.register
def _(join: Modulate, values: list[Value], to: Lowering) -> Value:
    return to.add(ops.ModulateOp, to.channels[values[0]], *values)


@lower_join.register
def _(join: Beside, values: list[Value], to: Lowering) -> Value:
    return values[0]  # streams are kept once here, however late they are wanted


def _band_by_band(block: AnyBlock) -> bool:
    return isinstance(block, LeakyReLU | ReLU | Tanh | Scale | Clamp | Repeat | Interpolate | Lead)


def weights_of(tensor: Tensor) -> Weights:
    """Return a tensor as operations hold it."""
    return np.ascontiguousarray(tensor.detach().float().cpu().numpy())


def _bias(layer: Conv | ConvTranspose) -> Weights:
    if layer.bias is None:
        return np.zeros(layer.out_channels, np.float32)
    return weights_of(layer.bias)
