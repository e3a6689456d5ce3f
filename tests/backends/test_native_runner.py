"""The native executor computes what torch computes, from the same blocks, on every level of processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import FeatureError
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import compiled, why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv, Edge
from synthhost.streaming.edges import Lead
from synthhost.streaming.gates import Gate
from synthhost.streaming.graph import Add, GraphBuilder
from synthhost.streaming.interpolation import Decimate, Interpolate
from synthhost.streaming.joins import Modulate
from synthhost.streaming.noise import TEMPERATURE, Noise
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU, Scale, Tanh
from synthhost.streaming.repeat import Clock, Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.transposed import ConvTranspose
from synthhost.streaming.window import Window

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.native_runner import NativeRunner
from synthhost.backends.plan import native_refusal
from synthhost.backends.torch_runner import TorchRunner

NAMES = ("hifigan", "melgan", "multi-band melgan", "parallel wavegan", "wavegrad", "diffwave", "wavegan")
LEVELS = compiled().processor_levels()
BOUND = 1e-5  # of the peak

Tiny = Callable[[str], tuple[ModelSpec, AnyBlock]]


def played(runner: Runner, frames: Features, cuts: list[int], state: Any = None) -> Audio:
    """Play `[batch, bands, frames]` in pieces of these lengths, again and again; `[batch, samples]`."""
    spec, batch = runner.spec, frames.shape[0]
    room = (frames.shape[2] + max(cuts)) * spec.hop_samples + spec.look_ahead_samples + 2 * spec.burst_samples
    out = np.zeros((batch, room + 4096), np.float32)
    state = runner.new_state(batch, SeededDraws.of(7, batch)) if state is None else state
    sent, written, turn = 0, 0, 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        written += runner.step(piece, state, out[:, written:])
    return out[:, : written + runner.flush(state, out[:, written:])]


def frames_of(runner: Runner, count: int = 0, batch: int = 1) -> Features:
    """Return reproducible frames, long enough for everything to run for a while unless `count` says less."""
    spec = runner.spec
    count = count or spec.clip_frames or 2 * spec.receptive_frames + 9
    return np.random.default_rng(0).standard_normal((batch, spec.bands, count)).astype(np.float32)


def share_of_peak(one: Audio, other: Audio) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_native_equals_torch_in_every_family_on_every_level(tiny: Tiny, name: str, level: str) -> None:
    spec, block = tiny(name)
    torch_runner, native = TorchRunner(spec, block), NativeRunner(spec, block, level=level)
    frames = frames_of(native)
    assert share_of_peak(played(native, frames, [3]), played(torch_runner, frames, [3])) < BOUND


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", NAMES)
def test_any_chunking_gives_the_same_bits(tiny: Tiny, name: str, level: str) -> None:
    spec, block = tiny(name)
    native = NativeRunner(spec, block, level=level)
    frames = frames_of(native)
    whole = played(native, frames, [frames.shape[2]])
    for cuts in ([1], [2, 1, 5], [0, 4], [7, 1]):
        assert np.array_equal(played(native, frames, cuts), whole), cuts


@pytest.mark.parametrize("name", NAMES)
def test_short_streams_end_like_torch_or_are_refused_alike(tiny: Tiny, name: str) -> None:
    spec, block = tiny(name)
    torch_runner, native = TorchRunner(spec, block), NativeRunner(spec, block)
    for count in (1, 2, 3, 5):
        frames = frames_of(native, count)
        try:
            expected = played(torch_runner, frames, [1])
        except FeatureError as refused:
            with pytest.raises(FeatureError, match=str(refused)[:20]):
                played(native, frames, [1])
        else:
            assert share_of_peak(played(native, frames, [1]), expected) < BOUND


@pytest.mark.parametrize("name", NAMES)
def test_voices_in_step_are_voices_alone_to_the_bit(tiny: Tiny, name: str) -> None:
    spec, block = tiny(name)
    native = NativeRunner(spec, block)
    frames = frames_of(native, batch=3)
    together = played(native, frames, [2])
    for voice in range(3):
        draws = SeededDraws.of(7, 3)
        alone = played(native, frames, [2], native.new_state(3, draws))
        assert np.array_equal(alone[voice], together[voice])
    single = played(native, frames[:1], [3])
    assert np.array_equal(single[0], together[0])


@pytest.mark.parametrize("name", NAMES)
def test_a_copied_stream_goes_on_alike_and_leaves_the_first_alone(tiny: Tiny, name: str) -> None:
    spec, block = tiny(name)
    native = NativeRunner(spec, block)
    frames = frames_of(native)
    half = frames.shape[2] // 2
    state, out = native.new_state(1, SeededDraws.of(3)), np.zeros((1, 1 << 20), np.float32)
    native.step(frames[:, :, :half], state, out)
    copied = state.copy()
    first = played(native, frames[:, :, half:], [2], state)
    assert np.array_equal(played(native, frames[:, :, half:], [3], copied), first)


def test_temperature_scales_noise_like_torch(tiny: Tiny) -> None:
    spec, block = tiny("parallel wavegan")
    heard = []
    for runner in (TorchRunner(spec, block), NativeRunner(spec, block)):
        state = runner.new_state(1, SeededDraws.of(1))
        runner.set_control(state, TEMPERATURE, 0.5)
        heard.append(played(runner, frames_of(runner), [2], state))
    assert share_of_peak(heard[1], heard[0]) < BOUND


def spec_of(block: AnyBlock, bands: int) -> ModelSpec:
    """Say of a network what it derives."""
    facts = (hop_samples(block), bands, look_ahead_samples(block), receptive_frames(block))
    return ModelSpec("own", "none", 8000, *facts, None, "", burst_samples=burst_samples(block))


def test_noise_beside_a_late_stream_is_that_of_its_own_moments() -> None:
    torch.manual_seed(0)
    graph = GraphBuilder(3)
    clock = graph.add("clock", Clock(4), graph.input)
    late = graph.add("late", Conv(1, 1, 9, padding=(4, 4)), graph.add("early", Noise(0), clock))
    summed = graph.join("sum", Add(), late, graph.add("beside", Noise(1), late))
    block = graph.build(summed).eval()
    spec = spec_of(block, 3)
    runners = TorchRunner(spec, block), NativeRunner(spec, block)
    frames = frames_of(runners[0], 11)
    expected, heard = (played(runner, frames, [2, 1]) for runner in runners)
    assert share_of_peak(heard, expected) < BOUND


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("channels", [1, 5, 16, 37])
def test_a_modulated_stream_is_read_rectified_and_as_it_is(channels: int, level: str) -> None:
    torch.manual_seed(1)
    graph = GraphBuilder(4)
    x = graph.add("x", Conv(4, channels, 1), graph.input)
    film = graph.add("film", Conv(4, 2 * channels, 3, padding=(1, 1)), graph.input)
    modulated = graph.join("modulated", Modulate(), x, film)
    bent = graph.add("conv", Conv(channels, channels, 1), graph.add("bent", LeakyReLU(0.2), modulated))
    summed = graph.join("sum", Add(), modulated, bent)
    block = graph.build(graph.add("out", Conv(channels, 1, 1), summed)).eval()
    spec = spec_of(block, 4)
    torch_runner, native = TorchRunner(spec, block), NativeRunner(spec, block, level=level)
    frames = frames_of(native, 23)
    heard = played(native, frames, [3, 1])
    assert share_of_peak(heard, played(torch_runner, frames, [3])) < BOUND
    assert np.array_equal(played(native, frames, [1]), heard)


def test_more_voices_than_run_together_are_voices_alone(tiny: Tiny) -> None:
    spec, block = tiny("hifigan")
    native = NativeRunner(spec, block)
    frames = frames_of(native, 9, batch=70)
    together = played(native, frames, [4])
    for voice in (0, 63, 64, 69):
        assert np.array_equal(played(native, frames[voice : voice + 1], [4])[0], together[voice])


def test_an_ended_stream_and_too_little_room_are_refused(tiny: Tiny) -> None:
    spec, block = tiny("hifigan")
    native = NativeRunner(spec, block)
    frames, state = frames_of(native), native.new_state()
    with pytest.raises(FeatureError, match="room for"):
        native.step(frames, state, np.zeros((1, 1), np.float32))
    with pytest.raises(FeatureError, match="voices"):
        native.step(np.repeat(frames, 2, 0), state, np.zeros((2, 1 << 16), np.float32))
    played(native, frames, [4], state)
    with pytest.raises(FeatureError, match="flushed"):
        native.step(frames, state, np.zeros((1, 1 << 16), np.float32))


def test_a_window_inside_a_network_is_refused_with_its_reason(tiny: Tiny) -> None:
    _, block = tiny("hifigan")
    assert native_refusal(block) is None
    assert native_refusal(Window(block, 1)) is None
    inside = native_refusal(Sequence({"window": Window(block, 1), "end": Tanh()}))
    assert inside == "a window inside a network is not in native plans"


class Draw:
    """A random network, sizes and all, out of what hypothesis draws."""

    def __init__(self, draw: Any) -> None:
        self._draw = draw

    def number(self, low: int, high: int) -> int:
        return int(self._draw(st.integers(low, high)))

    def conv(self, inputs: int, outputs: int, keeps: bool = False) -> Conv:
        kernel, dilation = self.number(1, 5), self.number(1, 3)
        span = (kernel - 1) * dilation
        left = self.number(0, span)
        right = span - left if keeps else self.number(0, span - left)
        edge: Edge = self._draw(st.sampled_from(("zeros", "reflect", "replicate")))
        return Conv(inputs, outputs, kernel, dilation=dilation, padding=(left, right), edge=edge)

    def body(self, channels: int) -> Sequence:
        middle = self.number(1, 20)
        slope = self._draw(st.sampled_from((0.0, 0.1, 1.5)))
        parts: dict[str, AnyBlock] = {"bend": LeakyReLU(slope), "in": self.conv(channels, middle, True)}
        return Sequence({**parts, "bend2": LeakyReLU(0.2), "out": self.conv(middle, channels, True)})

    def transposed(self, inputs: int, outputs: int) -> ConvTranspose:
        stride = self.number(1, 4)
        kernel = stride + self.number(0, 5)
        longer = self.number(-1, stride - 1)
        return ConvTranspose(
            inputs, outputs, kernel, stride, padding=self.number(0, 3), output_padding=longer
        )

    def part(self, channels: int) -> tuple[AnyBlock, int]:
        after = self.number(1, 40)
        factor = self.number(1, 3)
        kinds: list[Callable[[], tuple[AnyBlock, int]]] = [
            lambda: (self.conv(channels, after), after),
            lambda: (self.transposed(channels, after), after),
            lambda: (Residual(self.body(channels)), channels),
            lambda: (
                Branches([self.body(channels), self.body(channels), self.body(channels)], "mean"),
                channels,
            ),
            lambda: (Branches([self.body(channels), Residual(self.body(channels))], "sum"), channels),
            lambda: (Sequence({"wide": Conv(channels, 2 * after, 1), "gate": Gate(after, "tanh")}), after),
            lambda: (Repeat(factor), channels),
            lambda: (Interpolate(factor), channels),
            lambda: (Sequence({"repeat": Repeat(factor), "decimate": Decimate(factor, "linear")}), channels),
            lambda: (Lead(factor), channels),
            lambda: (Tanh(), channels),
            lambda: (Scale(0.5), channels),
        ]
        return kinds[self.number(0, len(kinds) - 1)]()

    def network(self) -> Sequence:
        channels = bands = self.number(1, 20)
        parts: dict[str, AnyBlock] = {}
        for place in range(self.number(1, 5)):
            parts[f"part_{place}"], channels = self.part(channels)
        parts["end"] = self.conv(channels, 1)
        made = Sequence(parts)
        made.in_channels = bands
        return made


@settings(max_examples=120, deadline=None)
@given(draw=st.data(), cuts=st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any))
def test_random_networks_play_like_torch_in_any_chunking(draw: st.DataObject, cuts: list[int]) -> None:
    torch.manual_seed(draw.draw(st.integers(0, 1000)))
    block = Draw(draw.draw).network().eval()
    spec = spec_of(block, block.in_channels or 1)
    native, torch_runner = NativeRunner(spec, block), TorchRunner(spec, block)
    frames = frames_of(native, draw.draw(st.integers(1, 60)))
    try:
        expected = played(torch_runner, frames, cuts)
    except FeatureError:
        return
    heard = played(native, frames, cuts)
    assert heard.shape == expected.shape
    np.testing.assert_allclose(
        heard, expected, atol=BOUND * max(0.1, float(np.abs(expected).max(initial=0.0)))
    )
    assert np.array_equal(played(native, frames, [1]), heard)
