"""Which convolutions of a plan are computed in 8-bit integers, and where their inputs are quantised."""

from __future__ import annotations

from collections.abc import Sequence

from synthhost.backends import plan_ops as ops
from synthhost.backends.fusing import Layouts
from synthhost.backends.lowering import NotInPlanError
from synthhost.backends.plan_ops import Op, Value

_FEWEST_INPUTS = 32  # of a convolution that gains more than quantising its inputs costs
_FEWEST_OUTPUTS = 16
_FINE_INPUTS = 256


def quantised(operations: Sequence[Op], layouts: Layouts) -> list[Op]:
    """Return the operations with wide convolutions in 8-bit integers; every input is quantised once.

    What reads the network's own input stays as it was: features span many orders of magnitude, and the first
    layer is a small part of the work.

    Raises:
        NotInPlanError: No convolution is wide enough.
    """
    made: dict[tuple[Value, int], Value] = {}
    kept: list[Op] = []
    features = {ops.INPUT}
    for op in operations:
        if isinstance(op, ops.AffineOp | ops.MixOp | ops.LeadOp) and features.issuperset(op.inputs):
            features.add(op.output)
        if isinstance(op, ops.ConvOp | ops.TransposedOp) and _is_wide(op, layouts):
            key = (op.inputs[0], _layers(op, layouts))
            if key[0] not in features:
                if key not in made:
                    kept.append(_quantise(*key, layouts))
                    made[key] = kept[-1].output
                op.inputs, op.layers = (made[key], *op.inputs[1:]), key[1]
        kept.append(op)
    if not made:
        raise NotInPlanError("no convolution in it is wide enough for 8-bit integers")
    return kept


def _is_wide(op: ops.ConvOp | ops.TransposedOp, layouts: Layouts) -> bool:
    """Tell whether a convolution runs over channels and has enough of them."""
    inputs = layouts.channels_of(op.inputs[0])
    rows = not layouts.channel_major[op.output]
    return rows and inputs >= _FEWEST_INPUTS and op.channels >= _FEWEST_OUTPUTS


def _layers(op: ops.ConvOp | ops.TransposedOp, layouts: Layouts) -> int:
    """Return how finely a convolution's input is quantised."""
    fine = isinstance(op, ops.TransposedOp) or layouts.channels_of(op.inputs[0]) >= _FINE_INPUTS
    return 2 if fine else 1


def _quantise(x: Value, layers: int, layouts: Layouts) -> Op:
    """Return the operation that quantises a value."""
    width = layers * ((layouts.channels_of(x) + 3) // 4 + 2)
    return layouts.new(ops.QuantiseOp, width, x, layers=layers)
