"""A network of streaming blocks compiled to a plan of the native executor."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatchmethod
from typing import Any

import synthhost.backends.lowering_sources  # noqa: F401 - it tells `lower` of more blocks
from synthhost.backends import plan_ops as ops
from synthhost.backends.fusing import Layouts, fused, uses
from synthhost.backends.lowering import Lowering, NotInPlanError, lowered
from synthhost.backends.plan_ops import INPUT, Op, Value
from synthhost.backends.quantising import quantised
from synthhost.native.compiled import compiled_plans
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.window import Window

_NONE = -1  # no stream
_MOST_FLOATS = ((16, 1 << 21), (8, 1 << 24), (4, 1 << 27), (2, 1 << 27))
"""Frames computed at a time, each with the floats that a state may take for it: many frames read the weights
less often, as long as what lies between the layers stays near."""


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan and what its runs must be given.

    Attributes:
        native: The executor's plan.
        noise_streams: The stream of draws behind every row of noise.
        noise_values: The plan's stream of each of these rows: as far as it comes, noise is needed.
    """

    native: Any
    noise_streams: tuple[int, ...]
    noise_values: tuple[int, ...]


def native_refusal(block: AnyBlock, *, int8: bool = False) -> str | None:
    """Return in a few words why a network cannot be compiled to a plan, or None where it can.

    What is played through a window is computed by plans of the network inside.
    """
    if isinstance(block, Window):
        return native_refusal(block.body, int8=int8)
    try:
        _operations(*lowered(block, block.in_channels or 1), int8=int8)
    except NotInPlanError as error:
        return str(error)
    return None


def compile_plan(
    block: AnyBlock, channels: int, level: str = "", *, int8: bool = False, int8_way: str = ""
) -> CompiledPlan:
    """Compile a network.

    Several frames are computed at a time where the memory of a state allows it, so that long steps read the
    weights less often.

    Args:
        block: The network; its weights are copied.
        channels: Of its input.
        level: Of processor; "": the one in use.
        int8: Whether wide convolutions are computed in 8-bit integers.
        int8_way: How these are multiplied, by its name; "": the fastest.

    Raises:
        NotInPlanError: A part of the network has no native operation, or nothing in it is wide enough for
            8-bit integers.
    """
    lowering, output = lowered(block, channels)
    operations, layouts = _operations(lowering, output, int8=int8)
    plan = compiled_plans().Plan(lowering.channels[INPUT], level, int8_way)
    emission = _Emission(plan, lowering, layouts, operations, output)
    made = emission.stream(output)
    fitting = (frames for frames, most in _MOST_FLOATS if plan.floats_for(made, frames) <= most)
    plan.seal(made, next(fitting, 1))
    return CompiledPlan(emission.native, tuple(lowering.noise_streams), tuple(emission.noise_values))


def _operations(lowering: Lowering, output: Value, *, int8: bool) -> tuple[list[Op], Layouts]:
    """Return what is computed in the end, and the layouts of it."""
    layouts = Layouts(lowering)
    operations = fused(layouts.ops, output)
    return (quantised(operations, layouts) if int8 else operations), layouts


class _Emission:
    """Operations handed to the executor, one after the other."""

    def __init__(
        self, plan: Any, lowering: Lowering, layouts: Layouts, operations: list[Op], output: Value
    ) -> None:
        self.native = plan
        self.noise_values: list[int] = []
        self._lowering, self._layouts = lowering, layouts
        self._streams: dict[Value, int] = {INPUT: 0}
        self.native.set_edge(0, lowering.edge_of(INPUT))
        self._used = uses(operations, output)
        for op in operations:
            self._emit(op)

    def stream(self, value: Value) -> int:
        """Return a value's stream."""
        return self._streams[value]

    def _made(self, op: Op) -> dict[str, Any]:
        """Return the streams that an operation writes, made now: `raw`, `active` and `slope`."""
        raw = self._new(op.output, op) if self._used[op.output] else _NONE
        active = _NONE if op.active is None else self._new(op.active, op)
        return {"raw": raw, "active": active, "slope": op.slope}

    def _new(self, value: Value, op: Op) -> int:
        columns = self._layouts.channel_major[op.output]
        made: int = self.native.stream(op.channels, columns, self._lowering.edge_of(value))
        self._streams[value] = made
        return made

    def _one(self, op: Op) -> tuple[int, int]:
        """Return the streams of an operation from one value to one."""
        assert op.active is None
        return self._streams[op.inputs[0]], self._new(op.output, op)

    @singledispatchmethod
    def _emit(self, op: Op) -> None:
        raise AssertionError(type(op))

    @_emit.register
    def _(self, op: ops.ConvOp) -> None:
        x, *others = (self._streams[one] for one in op.inputs)
        first, second = [*others, _NONE, _NONE][:2]
        numbers = {
            "dilation": op.dilation,
            "left": op.left,
            "right": op.right,
            "scale": op.scale,
            "layers": op.layers,
        }
        self.native.conv(x, op.weight, op.bias, first=first, second=second, **numbers, **self._made(op))

    @_emit.register
    def _(self, op: ops.TransposedOp) -> None:
        numbers = {
            "stride": op.stride,
            "padding": op.padding,
            "longer": op.longer,
            "scale": op.scale,
            "layers": op.layers,
        }
        self.native.transposed(self._streams[op.inputs[0]], op.weight, op.bias, **numbers, **self._made(op))

    @_emit.register
    def _(self, op: ops.MixOp) -> None:
        streams = [self._streams[one] for one in op.inputs]
        self.native.mix(list(zip(streams, op.weights, op.firsts, strict=True)), **self._made(op))

    @_emit.register
    def _(self, op: ops.TransposeOp) -> None:
        self.native.transpose(self._streams[op.inputs[0]], **self._made(op))

    @_emit.register
    def _(self, op: ops.QuantiseOp) -> None:
        self.native.quantise(*self._one(op), op.layers)

    @_emit.register
    def _(self, op: ops.RectifyOp) -> None:
        self.native.leaky(*self._one(op), op.by)

    @_emit.register
    def _(self, op: ops.TanhOp) -> None:
        self.native.tanh(*self._one(op))

    @_emit.register
    def _(self, op: ops.ClampOp) -> None:
        self.native.clamp(*self._one(op), op.lowest, op.highest)

    @_emit.register
    def _(self, op: ops.AffineOp) -> None:
        self.native.affine(*self._one(op), op.weight, op.bias)

    @_emit.register
    def _(self, op: ops.GateOp) -> None:
        self.native.gate(*self._one(op), op.tanh_first)

    @_emit.register
    def _(self, op: ops.ModulateOp) -> None:
        x, film = (self._streams[one] for one in op.inputs)
        self.native.modulate(x, film, **self._made(op))

    @_emit.register
    def _(self, op: ops.ConcatOp) -> None:
        streams = [self._streams[one] for one in op.inputs]
        self.native.concat(streams, self._new(op.output, op))

    @_emit.register
    def _(self, op: ops.RepeatOp) -> None:
        self.native.repeat(*self._one(op), op.factor)

    @_emit.register
    def _(self, op: ops.DecimateOp) -> None:
        self.native.decimate(*self._one(op), op.factor, op.first, op.second)

    @_emit.register
    def _(self, op: ops.InterpolateOp) -> None:
        self.native.interpolate(*self._one(op), op.factor)

    @_emit.register
    def _(self, op: ops.LeadOp) -> None:
        self.native.lead(*self._one(op), op.count)

    @_emit.register
    def _(self, op: ops.ExtendOp) -> None:
        self.native.extend(*self._one(op), op.count, op.value)

    @_emit.register
    def _(self, op: ops.CropOp) -> None:
        x, pace = (self._streams[one] for one in op.inputs)
        self.native.crop(x, pace, self._new(op.output, op), op.rate, op.offset)

    @_emit.register
    def _(self, op: ops.BandOp) -> None:
        numbers = (op.bias, op.stride, op.padding, op.longer)
        self.native.band_transposed(*self._one(op), op.weight, *numbers)

    @_emit.register
    def _(self, op: ops.PositionsOp) -> None:
        self.native.positions(*self._one(op), op.weight, op.bias)

    @_emit.register
    def _(self, op: ops.OscillatorsOp) -> None:
        x, made = self._one(op)
        numbers = (op.sample_rate, op.hop, op.harmonics)
        self.native.oscillators(x, made, *numbers, op.noise, list(op.lengths), list(op.middles))

    @_emit.register
    def _(self, op: ops.TurnsOp) -> None:
        self.native.turns(*self._one(op), op.sample_rate, op.hop, op.lowest_hz, op.highest_hz)

    @_emit.register
    def _(self, op: ops.CentroidOp) -> None:
        self.native.centroid(*self._one(op), op.first, op.apart, op.reach)

    @_emit.register
    def _(self, op: ops.StackOp) -> None:
        self.native.stack(*self._one(op), op.hop)

    @_emit.register
    def _(self, op: ops.UnstackOp) -> None:
        self.native.unstack(*self._one(op), op.hop)

    @_emit.register
    def _(self, op: ops.MelFitOp) -> None:
        numbers, bands = (op.hop, op.floor, op.rounds), (op.bank, op.between)
        self.native.mel_fit(*self._one(op), *numbers, *bands, op.windows, op.lacking, op.fade)

    @_emit.register
    def _(self, op: ops.NoiseOp) -> None:
        pace, made = self._one(op)
        self.native.noise(pace, made, op.row)
        self.noise_values.append(made)
