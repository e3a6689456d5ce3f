"""A network as a flat list of operations over values: between streaming blocks and a native plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NewType, TypeAlias

import numpy as np
from numpy.typing import NDArray

Value = NewType("Value", int)
"""A stream: 0 is the network's input."""

Weights: TypeAlias = NDArray[np.float32]
Edge = Literal["zeros", "reflect", "replicate"]

INPUT = Value(0)


@dataclass(eq=False, slots=True)
class Op:
    """One operation; it makes `output`, and `active` where a rectifier is computed along with it.

    Attributes:
        inputs: What it reads.
        output: The value it makes.
        channels: Of that.
        active: The value `max(y, slope * y)`, if anyone wants it.
        slope: Of that, 0 to 1.
    """

    inputs: tuple[Value, ...]
    output: Value
    channels: int
    active: Value | None = field(default=None, kw_only=True)
    slope: float = field(default=0.0, kw_only=True)


@dataclass(eq=False, slots=True)
class ConvOp(Op):
    """A convolution of `inputs[0]`; further inputs are added to its sums, then all is scaled.

    Attributes:
        weight: `[out, in, taps]`.
        bias: `[out]`.
        dilation: In moments.
        left: Padding before the start.
        right: Padding after the end.
        layers: Of 8-bit integers that `inputs[0]` is quantised to; 0: all is float32.
    """

    weight: Weights
    bias: Weights
    dilation: int
    left: int
    right: int
    scale: float = 1.0
    layers: int = 0


@dataclass(eq=False, slots=True)
class TransposedOp(Op):
    """A transposed convolution: n inputs become `n * stride - padding + longer` outputs.

    Attributes:
        weight: `[in, out, taps]`.
        bias: `[out]`.
        layers: As of a convolution.
    """

    weight: Weights
    bias: Weights
    stride: int
    padding: int
    longer: int
    scale: float = 1.0
    layers: int = 0


@dataclass(eq=False, slots=True)
class MixOp(Op):
    """The sum of inputs, each times a weight, from a first channel on."""

    weights: tuple[float, ...]
    firsts: tuple[int, ...]


@dataclass(eq=False, slots=True)
class RectifyOp(Op):
    """x where it is positive, else `by * x`; most of these are computed along with what makes x."""

    by: float


@dataclass(eq=False, slots=True)
class QuantiseOp(Op):
    """The same stream in 8-bit integers, with a scale for every moment; `channels` counts floats."""

    layers: int


@dataclass(eq=False, slots=True)
class TransposeOp(Op):
    """The same stream in the other layout."""


@dataclass(eq=False, slots=True)
class TanhOp(Op):
    """The hyperbolic tangent."""


@dataclass(eq=False, slots=True)
class ClampOp(Op):
    """Values kept within bounds."""

    lowest: float
    highest: float


@dataclass(eq=False, slots=True)
class AffineOp(Op):
    """`x * weight + bias`, one of each for every channel."""

    weight: Weights
    bias: Weights


@dataclass(eq=False, slots=True)
class GateOp(Op):
    """`tanh(a) * sigmoid(b)` of the halves."""

    tanh_first: bool


@dataclass(eq=False, slots=True)
class ModulateOp(Op):
    """`shift + scale * x`; the second input holds shifts, then scales."""


@dataclass(eq=False, slots=True)
class ConcatOp(Op):
    """The channels of all inputs, in order."""


@dataclass(eq=False, slots=True)
class RepeatOp(Op):
    """Every moment `factor` times; the first channels only where there are fewer."""

    factor: int


@dataclass(eq=False, slots=True)
class DecimateOp(Op):
    """Of every `factor` moments the mean of two."""

    factor: int
    first: int
    second: int


@dataclass(eq=False, slots=True)
class InterpolateOp(Op):
    """`factor` moments on the line between each two."""

    factor: int


@dataclass(eq=False, slots=True)
class LeadOp(Op):
    """The first moment `count` times more."""

    count: int


@dataclass(eq=False, slots=True)
class ExtendOp(Op):
    """`count` moments of one value after the end."""

    count: int
    value: float


@dataclass(eq=False, slots=True)
class CropOp(Op):
    """What belongs to the n moments of the second input, once it has ended: `n * rate + offset`."""

    rate: int
    offset: int


@dataclass(eq=False, slots=True)
class BandOp(Op):
    """A transposed convolution of every band by itself and its neighbours, `weight` `[neighbours, taps]`."""

    weight: Weights
    bias: float
    stride: int
    padding: int
    longer: int


@dataclass(eq=False, slots=True)
class PositionsOp(Op):
    """A linear map by position: `weight` `[positions, out, in]`, `bias` `[positions, out]`."""

    weight: Weights
    bias: Weights


@dataclass(eq=False, slots=True)
class OscillatorsOp(Op):
    """Harmonics and noise bands of frames: `noise` `[bands, samples]`, of which `lengths` repeat."""

    sample_rate: int
    hop: int
    harmonics: int
    noise: Weights
    lengths: tuple[int, ...]
    middles: tuple[float, ...]


@dataclass(eq=False, slots=True)
class TurnsOp(Op):
    """Pitches into the frames that oscillators follow."""

    sample_rate: int
    hop: int
    lowest_hz: float
    highest_hz: float


@dataclass(eq=False, slots=True)
class CentroidOp(Op):
    """Scores of places into the mean place around the highest."""

    first: float
    apart: float
    reach: int


@dataclass(eq=False, slots=True)
class StackOp(Op):
    """Samples as rows of a hop each."""

    hop: int


@dataclass(eq=False, slots=True)
class UnstackOp(Op):
    """The first channels of rows, a hop of them, as samples."""

    hop: int


@dataclass(eq=False, slots=True)
class MelFitOp(Op):
    """Sound brought near to frames: `bank` `[bands, bins]`, `between` `[bins, bands]`, a window a row."""

    hop: int
    floor: float
    rounds: int
    bank: Weights
    between: Weights
    windows: Weights
    lacking: Weights
    fade: Weights


@dataclass(eq=False, slots=True)
class NoiseOp(Op):
    """Noise beside the input, from a row of what a run is given."""

    row: int
