"""Wide convolutions in 8-bit integers: what they compute, under any chunking, and how far off float32."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from synthhost.backends.choice import choose
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import compiled, compiled_plans, why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.parallel import Residual
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.transposed import ConvTranspose

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.native_runner import NativeRunner

LEVELS = compiled().processor_levels()
WAYS = [(level, way) for level in LEVELS for way in compiled_plans().int8_ways(level)]
BANDS = 5


def network(channels: int = 36) -> Sequence:
    """Return a network whose parts between first and last are wide: dilated, reflecting and transposed."""
    torch.manual_seed(2)
    dilated = Conv(channels, channels, 3, dilation=3, padding=(3, 3), edge="reflect")
    body = Sequence({"bend": LeakyReLU(0.1), "dilated": dilated, "narrow": Conv(channels, channels, 1)})
    made = Sequence(
        {
            "in": Conv(BANDS, channels, 3, padding=(1, 1)),
            "residual": Residual(body),
            "up": ConvTranspose(channels, 40, 5, 2, padding=1, output_padding=-1),
            "wide": Conv(40, 32, 5, padding=(2, 2)),
            "out": Conv(32, 1, 3, padding=(1, 1)),
        }
    )
    made.in_channels = BANDS
    return made.eval()


def spec_of(block: AnyBlock) -> ModelSpec:
    facts = (hop_samples(block), BANDS, look_ahead_samples(block), receptive_frames(block))
    return ModelSpec("own", "none", 8000, *facts, None, "", burst_samples=burst_samples(block))


def frames_of(count: int) -> Features:
    return np.random.default_rng(0).standard_normal((1, BANDS, count)).astype(np.float32)


def played(runner: NativeRunner, frames: Features, cuts: list[int]) -> Audio:
    state, out = runner.new_state(), np.zeros((1, 4 * frames.shape[2] + 64), np.float32)
    sent, written, turn = 0, 0, 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        written += runner.step(piece, state, out[:, written:])
    return out[0, : written + runner.flush(state, out[:, written:])]


def int8_runner(block: AnyBlock, level: str = "", way: str = "", **options: Any) -> NativeRunner:
    return NativeRunner(spec_of(block), block, (), level, precision="int8", int8_way=way, **options)


def rounded(weight: Tensor, dims: tuple[int, ...]) -> Tensor:
    scale = weight.abs().amax(dims, keepdim=True) / 127.0
    return (weight / scale).round() * scale


def with_layers(x: Tensor, layers: int) -> Tensor:
    """Return `[batch, channels, moments]` as a quantised stream holds it."""
    scale = x.abs().amax(1, keepdim=True) / 127.0
    whole = (x / scale).round()
    return scale * (whole + (0 if layers < 2 else ((x / scale - whole) * 254.0).round() / 254.0))


def simulated(block: Sequence) -> Sequence:
    """Return the network with what is computed in 8-bit integers rounded, for torch to compute in float64."""
    made = copy.deepcopy(block).double()
    for layer in made.modules():
        if isinstance(layer, ConvTranspose):
            for phase in range(layer.stride):
                weight = layer.weight.data[:, :, phase :: layer.stride]
                layer.weight.data[:, :, phase :: layer.stride] = rounded(weight, (0, 2))
            layer.register_forward_pre_hook(lambda _, given: (with_layers(given[0], 2),))
        elif isinstance(layer, Conv) and layer.in_channels >= 32 and layer.out_channels >= 16:
            layer.weight.data = rounded(layer.weight.data, (1, 2))
            layer.register_forward_pre_hook(lambda _, given: (with_layers(given[0], 1),))
    return made


@pytest.mark.parametrize(("level", "way"), WAYS)
@pytest.mark.parametrize("channels", [32, 36, 70])
def test_the_arithmetic_is_that_of_rounded_weights_and_moments(level: str, way: str, channels: int) -> None:
    block, frames = network(channels), frames_of(50)
    heard = played(int8_runner(block, level, way), frames, [7])
    with torch.inference_mode():
        expected = simulated(block)(torch.from_numpy(frames).double())[0, 0].numpy()
    # A value that lies between two steps may be rounded to the other one: at few places, by one step.
    error = np.abs(heard - expected) / np.abs(expected).max()
    assert np.median(error) < 1e-6
    assert error.max() < 0.01


@pytest.mark.parametrize(("level", "way"), WAYS)
def test_any_chunking_gives_the_same_bits(level: str, way: str) -> None:
    runner, frames = int8_runner(network(), level, way), frames_of(60)
    whole = played(runner, frames, [60])
    for cuts in ([1], [2, 1, 5], [0, 4], [17, 1]):
        assert np.array_equal(played(runner, frames, cuts), whole), cuts


def test_every_way_of_multiplying_gives_nearly_the_same_sound() -> None:
    block, frames = network(), frames_of(60)
    first = played(int8_runner(block, *WAYS[0]), frames, [4])
    for level, way in WAYS[1:]:
        other = played(int8_runner(block, level, way), frames, [4])
        assert np.median(np.abs(other - first)) < 1e-6 * np.abs(first).max()


def test_the_sound_stays_that_of_float32() -> None:
    block, frames = network(64), frames_of(200)
    exact = played(NativeRunner(spec_of(block), block), frames, [4])
    error = played(int8_runner(block), frames, [4]) - exact
    assert 10.0 * np.log10(np.sum(exact**2) / np.sum(error**2)) > 35.0


@pytest.mark.parametrize(("level", "way"), WAYS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_not_hidden(level: str, way: str, bad: float) -> None:
    frames = frames_of(30)
    frames[0, 2, 15] = bad
    heard = played(int8_runner(network(), level, way), frames, [4])
    assert not np.isfinite(heard).all()


def test_silence_and_tiny_values_stay_finite() -> None:
    runner = int8_runner(network())
    for frames in (np.zeros((1, BANDS, 20), np.float32), np.full((1, BANDS, 20), 1e-38, np.float32)):
        assert np.isfinite(played(runner, frames, [3])).all()


def test_what_cannot_be_computed_in_8_bits_is_refused_with_the_way_out() -> None:
    narrow = Conv(4, 1, 3, padding=(1, 1))
    with pytest.raises(ConfigError, match="no convolution in it is wide enough for 8-bit integers"):
        choose("m", narrow, "native", precision="int8")
    with pytest.raises(ConfigError, match=r"native code only, not by torch .* Ask for precision=float32"):
        choose("m", network(), "torch", precision="int8")
    assert choose("m", network(), precision="int8").precision == "int8"
