"""What is decided about operations before they become a plan: layouts, and what is computed in one go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from synthhost.backends import plan_ops as ops
from synthhost.backends.lowering import Lowering
from synthhost.backends.plan_ops import INPUT, Op, Value

# Convolutions of few channels run over time, others over channels: either fills the processor's vectors.
_FEW_CHANNELS = 16
_FEW_OUTPUTS = 2

_ROWS_ONLY = (
    ops.GateOp,
    ops.ModulateOp,
    ops.ConcatOp,
    ops.DecimateOp,
    ops.InterpolateOp,
    ops.BandOp,
    ops.PositionsOp,
    ops.OscillatorsOp,
    ops.TurnsOp,
    ops.CentroidOp,
    ops.StackOp,
    ops.UnstackOp,
    ops.MelFitOp,
)
_WITH_RECTIFIER = (ops.ConvOp, ops.TransposedOp, ops.MixOp, ops.ModulateOp, ops.TransposeOp)
_RESIDUALS = 2  # streams that a convolution can add to its sums


class Layouts:
    """Which values are channel-major, and the operations with what brings one layout into the other."""

    def __init__(self, lowering: Lowering) -> None:
        self.ops: list[Op] = []
        self.channel_major: dict[Value, bool] = {INPUT: False}
        self._lowering = lowering
        self._turned: dict[Value, Value] = {}
        operations = list(lowering.ops)
        for op in operations:
            self.channel_major[op.output] = self._wanted(op)
        wanted = self._wishes(operations)
        self._turn(INPUT, wanted)
        for op in operations:
            columns, read = self.channel_major[op.output], _read(op)
            turned = tuple(self._in_layout(one, columns) for one in op.inputs[:read])
            op.inputs = (*turned, *op.inputs[read:])
            self.ops.append(op)
            self._turn(op.output, wanted)

    def channels_of(self, value: Value) -> int:
        """Return how many channels a value has."""
        return self._lowering.channels[value]

    def new(self, kind: type[Op], channels: int, value: Value, **numbers: int) -> Op:
        """Return a new operation on a value that keeps its layout and what stands around it."""
        made = self._lowering.add(kind, channels, value, **numbers)
        self._lowering.take_edge(value, made)
        self.channel_major[made] = self.channel_major[value]
        return self._lowering.ops.pop()

    def _wanted(self, op: Op) -> bool:
        """Tell whether an operation should be channel-major, those before it being decided."""
        if isinstance(op, ops.ConvOp | ops.TransposedOp):
            incoming = self._lowering.channels[op.inputs[0]]
            return max(incoming, op.channels) <= _FEW_CHANNELS or op.channels <= _FEW_OUTPUTS
        if isinstance(op, ops.NoiseOp):
            return True
        return not isinstance(op, _ROWS_ONLY) and any(
            self.channel_major[one] for one in op.inputs[: _read(op)]
        )

    def _wishes(self, operations: list[Op]) -> dict[Value, set[bool]]:
        """Return the layouts in which every value is read; a rectifier goes with what reads it."""
        wanted: dict[Value, set[bool]] = {}
        for op in reversed(operations):
            if isinstance(op, ops.RectifyOp) and wanted.get(op.output) == {True}:
                self.channel_major[op.output] = True
            for one in op.inputs[: _read(op)]:
                wanted.setdefault(one, set()).add(self.channel_major[op.output])
        return wanted

    def _turn(self, value: Value, wanted: dict[Value, set[bool]]) -> None:
        """Bring a value into the other layout right after it was made, if anyone reads it so."""
        if (not self.channel_major[value]) in wanted.get(value, ()):
            turned = self.new(ops.TransposeOp, self.channels_of(value), value)
            self.channel_major[turned.output] = not self.channel_major[value]
            self._turned[value] = turned.output
            self.ops.append(turned)

    def _in_layout(self, value: Value, columns: bool) -> Value:
        return value if self.channel_major[value] == columns else self._turned[value]


def _read(op: Op) -> int:
    """Return how many inputs are read; of the others only the length counts."""
    if isinstance(op, ops.NoiseOp):
        return 0
    return 1 if isinstance(op, ops.CropOp) else len(op.inputs)


def fused(operations: Sequence[Op], output: Value) -> list[Op]:
    """Return the operations, sums and rectifiers computed by what makes their inputs, where that can be."""
    wanted = _wanted(operations, output)
    return _with_rectifiers(_with_sums(wanted, output))


def uses(operations: Sequence[Op], output: Value) -> Counter[Value]:
    """Return how often every value is read; the output counts as read."""
    counted: Counter[Value] = Counter([output])
    for op in operations:
        counted.update(op.inputs)
    return counted


def _wanted(operations: Sequence[Op], output: Value) -> list[Op]:
    """Return the operations that the output depends on."""
    wanted = {output}
    kept: list[Op] = []
    for op in reversed(operations):
        if op.output in wanted:
            wanted.update(op.inputs)
            kept.append(op)
    return kept[::-1]


def _with_sums(operations: list[Op], output: Value) -> list[Op]:
    """Let convolutions add what is summed with them."""
    made = {op.output: place for place, op in enumerate(operations)}
    counted = uses(operations, output)
    kept: list[Op | None] = list(operations)
    for place, op in enumerate(operations):
        if isinstance(op, ops.MixOp) and _absorb(op, operations, made, counted):
            kept[place] = None
            made[op.output] = made[max(op.inputs, key=lambda one: made.get(one, -1))]
    return [op for op in kept if op is not None]


def _absorb(mix: ops.MixOp, operations: list[Op], made: dict[Value, int], counted: Counter[Value]) -> bool:
    """Let the convolutions that make all terms but the first add them up; tell whether they can."""
    if len(mix.inputs) < 2 or len(set(mix.weights)) > 1 or any(mix.firsts):
        return False
    terms = sorted(mix.inputs, key=lambda one: made.get(one, -1))
    if len(set(terms)) < len(terms):
        return False
    convs: list[ops.ConvOp] = []
    for term in terms[1:]:
        maker = operations[made[term]] if term in made else None
        if not isinstance(maker, ops.ConvOp) or maker.output != term or counted[term] != 1:
            return False
        if maker.scale != 1.0 or len(maker.inputs) > _RESIDUALS or maker.channels != mix.channels:
            return False
        convs.append(maker)
    total = terms[0]
    for conv in convs:
        conv.inputs = (*conv.inputs, total)
        counted[conv.output] = 1
        total = conv.output
    last = convs[-1]
    last.scale, last.output = mix.weights[0], mix.output
    return True


def _with_rectifiers(operations: list[Op]) -> list[Op]:
    """Let rectifiers be computed along with what they rectify."""
    makers: dict[Value, Op] = {}
    kept: list[Op] = []
    for op in operations:
        if isinstance(op, ops.RectifyOp) and 0.0 <= op.by <= 1.0:  # there it is max(x, by * x)
            maker = makers.get(op.inputs[0])
            if maker is not None and maker.active is None:
                maker.active, maker.slope = op.output, op.by
                continue
        if isinstance(op, _WITH_RECTIFIER):
            makers[op.output] = op
        kept.append(op)
    return kept
