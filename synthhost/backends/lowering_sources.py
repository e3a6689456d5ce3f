"""Blocks taken apart that sound by themselves, oscillators and noise, and what fits sound to frames."""

from __future__ import annotations

import numpy as np

from synthhost.backends import plan_ops as ops
from synthhost.backends.lowering import Lowering, NotInPlanError, lower, weights_of
from synthhost.backends.plan_ops import Value
from synthhost.streaming.centroid import Centroid
from synthhost.streaming.excitation import FixedLevels
from synthhost.streaming.mel_fit import MelFit
from synthhost.streaming.noise import Noise
from synthhost.streaming.oscillators import Oscillators
from synthhost.streaming.stacking import Stack, Unstack
from synthhost.streaming.turns import Turns


@lower.register
def _(block: Oscillators, x: Value, to: Lowering) -> Value:
    size = {"sample_rate": block.sample_rate, "hop": block.hop_samples, "harmonics": block.harmonics}
    noise = {"noise": weights_of(block.noise), "lengths": block.lengths, "middles": block.middles_hz}
    return to.add(ops.OscillatorsOp, 1, x, **size, **noise)


@lower.register
def _(block: Turns, x: Value, to: Lowering) -> Value:
    numbers = {"lowest_hz": block.lowest_hz, "highest_hz": block.highest_hz}
    size = {"sample_rate": block.sample_rate, "hop": block.hop_samples}
    return to.add(ops.TurnsOp, block.out_channels or 0, x, **size, **numbers)


@lower.register
def _(block: Centroid, x: Value, to: Lowering) -> Value:
    return to.add(ops.CentroidOp, 1, x, first=block.first, apart=block.apart, reach=block.reach)


@lower.register
def _(block: FixedLevels, x: Value, to: Lowering) -> Value:
    own = to.add(
        ops.AffineOp, to.channels[x], x, weight=weights_of(block.weight), bias=weights_of(block.bias)
    )
    count = block.levels.shape[0]
    nothing = np.zeros((count, to.channels[x], 1), np.float32)
    bias = weights_of(block.levels)
    levels = to.add(ops.ConvOp, count, own, weight=nothing, bias=bias, dilation=1, left=0, right=0)
    return to.add(ops.ConcatOp, to.channels[x] + count, own, levels)


@lower.register
def _(block: Noise, x: Value, to: Lowering) -> Value:
    to.noise_streams.append(block.stream)
    return to.add(ops.NoiseOp, 1, x, row=len(to.noise_streams) - 1)


@lower.register
def _(block: Stack, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.StackOp, block.hop, x, hop=block.hop)


@lower.register
def _(block: Unstack, x: Value, to: Lowering) -> Value:
    return to.add_once(ops.UnstackOp, 1, x, hop=block.hop)


@lower.register
def _(block: MelFit, x: Value, to: Lowering) -> Value:
    if block.n_fft & (block.n_fft - 1):
        raise NotInPlanError(f"a fit over {block.n_fft} samples, no power of two,")
    numbers = {"hop": block.hop, "floor": block.floor, "rounds": block.rounds}
    parts = {
        name: weights_of(getattr(block, name)) for name in ("bank", "between", "windows", "lacking", "fade")
    }
    return to.add(ops.MelFitOp, block.made_channels, x, **numbers, **parts)
