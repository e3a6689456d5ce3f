"""Recorded steps sound like steps.

On the processor a stand-in does the recorded work again; where torch finds a GPU, the same claims are made of
CUDA graphs.
"""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.graph_runner import GraphRunner
from synthhost.backends.lane import record_graph
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import FeatureError
from synthhost.streaming.window import Window

no_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
STREAMING = ("hifigan", "melgan", "multi-band melgan", "parallel wavegan", "wavegrad", "diffwave")
Make = Callable[..., tuple[TorchRunner, GraphRunner]]


class Counting:
    """Does the work itself in place of a replay, and counts replays; a GPU's is recorded for good."""

    def __init__(self) -> None:
        self.replays = 0

    def __call__(self, work: Callable[[], None], device: torch.device) -> Callable[[], None]:
        again = record_graph(work, device) if device.type == "cuda" else work

        def replay() -> None:
            self.replays += 1
            again()

        return replay


@pytest.fixture(params=["cpu", pytest.param("cuda:0", marks=no_gpu)])
def device(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def count() -> Counting:
    return Counting()


@pytest.fixture
def make(tiny: Any, device: str, count: Counting) -> Make:
    """Make a plain runner and a recording one of the same network."""

    def made(name: str) -> tuple[TorchRunner, GraphRunner]:
        spec, block = tiny(name)
        block = block.to(device)
        return TorchRunner(spec, block), GraphRunner(spec, block, record=count)

    return made


def noise(runner: TorchRunner, frames: int, batch: int = 1) -> Features:
    shape = (batch, runner.spec.bands, frames)
    return np.random.default_rng(frames).standard_normal(shape).astype(np.float32)


def played(
    runner: TorchRunner, frames: Features, cuts: list[int], state: Any = None, **controls: float
) -> Audio:
    """Play frames in pieces of these lengths again and again, then flush; `[batch, samples]`."""
    spec, batch = runner.spec, frames.shape[0]
    room = frames.shape[2] * spec.hop_samples + spec.look_ahead_samples + 2 * spec.burst_samples
    out = np.zeros((batch, room + spec.hop_samples * max(cuts)), np.float32)
    state = state or runner.new_state(batch, SeededDraws.of(7, batch))
    for name, value in controls.items():
        runner.set_control(state, name, value)
    sent = written = turn = 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        written += runner.step(piece, state, out[:, written:])
    return out[:, : written + runner.flush(state, out[:, written:])]


def assert_same(one: Audio, other: Audio, share: float = 1e-6) -> None:
    assert one.shape == other.shape
    np.testing.assert_allclose(one, other, atol=share * float(np.abs(other).max()), rtol=0)


def length(runner: TorchRunner, frames: int) -> int:
    """Return how many frames a stream has that runs for twelve steps once it has begun."""
    return runner.spec.receptive_frames * 2 + 12 * frames + 1


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("name", STREAMING)
def test_a_replayed_stream_is_the_stepped_one(make: Make, count: Counting, name: str, frames: int) -> None:
    plain, graphed = make(name)
    given = noise(plain, length(plain, frames))
    expected = played(plain, given, [frames])
    assert graphed.reserve(frames) == f"steps of {frames} frames are replayed as one graph"
    before = count.replays
    assert_same(played(graphed, given, [frames]), expected)
    assert count.replays - before >= 12


@pytest.mark.parametrize("name", ["hifigan", "wavegrad"])
def test_a_stream_goes_from_size_to_size(make: Make, count: Counting, name: str) -> None:
    plain, graphed = make(name)
    for frames in (1, 3):
        graphed.reserve(frames)
    before = count.replays
    given = noise(plain, length(plain, 4))
    sizes = [1, 1, 3, 0, 3, 2, 1, 3]
    assert_same(played(graphed, given, sizes), played(plain, given, sizes))
    assert count.replays > before


def test_a_copy_taken_anywhere_has_the_same_future(make: Make) -> None:
    plain, graphed = make("parallel wavegan")
    graphed.reserve(1)
    graphed.reserve(1)
    given = noise(plain, length(plain, 1))
    expected = played(plain, given, [1])
    head = given.shape[2] - 9
    for ahead in (head, head + 4):
        state, out = graphed.new_state(1, SeededDraws.of(7)), np.zeros((1, 4096), np.float32)
        written = sum(graphed.step(given[:, :, at : at + 1], state, out) for at in range(ahead))
        assert state.hold is not None
        for stream in (state.copy(), state.copy().copy(), state):
            assert_same(played(graphed, given[:, :, ahead:], [1], stream), expected[:, written:])


def test_streams_that_play_by_turns_do_not_hear_each_other(make: Make, count: Counting) -> None:
    plain, graphed = make("multi-band melgan")
    total = length(plain, 1)
    several = [np.roll(noise(plain, total), turn, axis=2) for turn in range(3)]
    expected = [played(plain, one, [1]) for one in several]
    graphed.reserve(1)
    graphed.reserve(1)  # the third stream goes without
    states = [graphed.new_state(1, SeededDraws.of(7)) for _ in several]
    outs, written = np.zeros((3, 1, expected[0].shape[1] + 1024), np.float32), [0, 0, 0]
    for at in range(total):
        for n, state in enumerate(states):
            written[n] += graphed.step(several[n][:, :, at : at + 1], state, outs[n][:, written[n] :])
    assert [state.hold is not None for state in states] == [True, True, False]
    for n, state in enumerate(states):
        written[n] += graphed.flush(state, outs[n][:, written[n] :])
        assert_same(outs[n][:, : written[n]], expected[n])


def test_a_lane_is_free_again_when_its_stream_is_gone(make: Make, count: Counting) -> None:
    plain, graphed = make("hifigan")
    graphed.reserve(1)
    given = noise(plain, length(plain, 1))
    for _ in range(3):
        before = count.replays
        played(graphed, given, [1])
        gc.collect()
        assert count.replays > before


def test_voices_in_step_are_replayed_together(make: Make, count: Counting) -> None:
    plain, graphed = make("melgan")
    graphed.reserve(2, batch=3)
    given = noise(plain, length(plain, 2), batch=3)
    before = count.replays
    assert_same(played(graphed, given, [2]), played(plain, given, [2]))
    assert count.replays > before


def test_temperature_and_seed_reach_a_replay(make: Make) -> None:
    plain, graphed = make("parallel wavegan")
    graphed.reserve(1)
    given = noise(plain, length(plain, 1))
    controls = {"temperature": 0.3, "seed": 4.0}
    sound = played(graphed, given, [1], **controls)
    assert_same(sound, played(plain, given, [1], **controls))
    assert np.abs(sound - played(plain, given, [1])).max() > 1e-3


def test_what_differs_from_step_to_step_is_not_recorded_and_says_so(make: Make, count: Counting) -> None:
    plain, graphed = make("wavegan")
    said = graphed.reserve(1)
    assert said == "steps are launched one by one, as its part Position is not the same in every step"
    given = noise(plain, 4)
    assert_same(played(graphed, given, [1]), played(plain, given, [1]))
    assert count.replays == 0


def test_a_window_is_not_recorded(tiny: Any, count: Counting) -> None:
    spec, block = tiny("hifigan")
    spec = type(spec)(*(spec.name, "none", 8000, 8, 6, 8, spec.receptive_frames, None, ""))
    assert "its part Window" in GraphRunner(spec, Window(block, 1), record=count).reserve(1)


def test_a_recording_that_fails_or_sounds_otherwise_is_not_used(tiny: Any) -> None:
    spec, block = tiny("hifigan")

    def fails(work: Any, device: Any) -> Any:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    runner = GraphRunner(spec, block, record=fails)
    assert "recording failed: operation not permitted when stream is capturing" in runner.reserve(1)
    given = noise(runner, 40)
    assert_same(played(runner, given, [1]), played(TorchRunner(spec, block), given, [1]))
    deaf = GraphRunner(spec, block, record=lambda work, device: lambda: None)
    assert deaf.reserve(1) == "steps are launched one by one, as its replay does not sound like its steps"


def test_a_replay_checks_room_and_end_as_a_step_does(make: Make) -> None:
    _, graphed = make("hifigan")
    graphed.reserve(1)
    state, out = graphed.new_state(), np.zeros((1, 900), np.float32)
    for _ in range(60):
        graphed.step(noise(graphed, 1), state, out)
    assert state.hold is not None
    with pytest.raises(FeatureError, match="give the stream's voices and room"):
        graphed.step(noise(graphed, 1), state, np.zeros((1, 7), np.float32))
    graphed.flush(state, out)
    with pytest.raises(FeatureError, match="take a new state"):
        graphed.step(noise(graphed, 1), state, out)
