"""The torch runner behind the Runner seam."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.backends.cost import cost_per_step
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.seams import Runner
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.parallel import Residual
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.transposed import ConvTranspose

BANDS = 3
MEL = MelSpec("none", 8000, 8, 4, 8, BANDS, 0.0, 4000.0, "ln", 1e-5)


def small_network() -> Sequence:
    """Return a network of hop 4 with edges everywhere."""
    torch.manual_seed(0)
    return Sequence(
        {
            "pre": Conv(BANDS, 4, 3, padding=(1, 1)),
            "up": ConvTranspose(4, 4, 8, 4, padding=2),
            "unit": Residual(Sequence({"bend": LeakyReLU(0.1), "conv": Conv(4, 4, 5, padding=(2, 2))})),
            "post": Conv(4, 1, 3, padding=(1, 1)),
        }
    )


def spec_of(block: AnyBlock) -> ModelSpec:
    """Say of a network what it derives."""
    hop, ahead = hop_samples(block), look_ahead_samples(block)
    return ModelSpec("small", "none", 8000, hop, BANDS, ahead, receptive_frames(block), MEL, "")


@pytest.fixture(scope="module")
def runner() -> TorchRunner:
    """The small network on torch."""
    block = small_network()
    return TorchRunner(spec_of(block), block)


def noise(frames: int, batch: int = 1) -> Features:
    """Return reproducible frames `[batch, BANDS, frames]`."""
    return np.random.default_rng(frames).standard_normal((batch, BANDS, frames)).astype(np.float32)


def played(runner: Runner, frames: Features, cuts: list[int]) -> Audio:
    """Play frames in pieces, the rest, then flush; `[batch, samples]`."""
    batch, _, total = frames.shape
    out = np.zeros((batch, total * 4 + 64), np.float32)
    state, sent, written = runner.new_state(batch), 0, 0
    for length in [*cuts, total]:
        piece = frames[:, :, sent : sent + length]
        sent += piece.shape[2]
        written += runner.step(piece, state, out[:, written:])
    written += runner.flush(state, out[:, written:])
    return out[:, :written]


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(0, 4), max_size=10), batch=st.integers(1, 3))
def test_playing_in_any_pieces_is_the_offline_pass(runner: TorchRunner, cuts: list[int], batch: int) -> None:
    frames = noise(15, batch)
    with torch.inference_mode():
        expected = small_network()(torch.from_numpy(frames))[:, 0].numpy()
    audio = played(runner, frames, cuts)
    assert audio.shape == (batch, 60)
    np.testing.assert_allclose(audio, expected, atol=1e-5)


def test_a_step_writes_only_what_it_returns(runner: TorchRunner) -> None:
    out = np.full((1, 20), 9.0, np.float32)
    written = runner.step(noise(3), runner.new_state(), out)
    assert written == 12 - runner.spec.look_ahead_samples
    assert not (out[:, :written] == 9.0).any()
    assert (out[:, written:] == 9.0).all()


def test_frames_are_read_and_not_kept(runner: TorchRunner) -> None:
    frames = noise(12)
    expected = played(runner, frames, [])
    state, out = runner.new_state(), np.zeros((1, 200), np.float32)
    first = frames[:, :, :7].copy()
    written = runner.step(first, state, out)
    first[:] = 1e6  # the caller uses its array again
    written += runner.step(frames[:, :, 7:], state, out[:, written:])
    written += runner.flush(state, out[:, written:])
    np.testing.assert_allclose(out[:, :written], expected, atol=1e-5)


def test_read_only_frames_are_taken(runner: TorchRunner) -> None:
    frames = noise(1)
    frames.flags.writeable = False
    runner.step(frames, runner.new_state(), np.zeros((1, 4), np.float32))


def test_a_copied_state_has_the_same_future(runner: TorchRunner) -> None:
    state = runner.new_state()
    room = [np.zeros((1, 80), np.float32) for _ in range(2)]
    runner.step(noise(6), state, room[0])
    for stream, out in zip((state.copy(), state), room, strict=True):
        runner.step(noise(9), stream, out)
        runner.flush(stream, out[:, 40:])
    assert np.array_equal(*room)


def test_an_ended_stream_takes_no_more(runner: TorchRunner) -> None:
    state, out = runner.new_state(), np.zeros((1, 80), np.float32)
    runner.step(noise(2), state, out)
    runner.flush(state, out)
    with pytest.raises(FeatureError, match="take a new state"):
        runner.step(noise(2), state, out)
    with pytest.raises(FeatureError, match="take a new state"):
        runner.flush(state, out)


@pytest.mark.parametrize(("batch", "room"), [(1, (1, 7)), (2, (2, 8)), (1, (2, 8))])
def test_a_wrong_room_or_batch_is_refused_before_the_stream_moves(
    runner: TorchRunner, batch: int, room: tuple[int, int]
) -> None:
    state = runner.new_state()
    with pytest.raises(FeatureError, match="give the stream's voices and room"):
        runner.step(noise(2, batch), state, np.zeros(room, np.float32))
    audio = np.zeros((1, 40), np.float32)
    written = runner.step(noise(8), state, audio)
    assert written == 32 - runner.spec.look_ahead_samples


def test_flush_refuses_a_room_smaller_than_the_look_ahead(runner: TorchRunner) -> None:
    state = runner.new_state()
    with pytest.raises(FeatureError, match="room"):
        runner.flush(state, np.zeros((1, runner.spec.look_ahead_samples - 1), np.float32))


@pytest.mark.parametrize("field", ["bands", "hop_samples", "look_ahead_samples"])
def test_a_manifest_that_contradicts_the_network_is_refused(field: str) -> None:
    block = small_network()
    spec = spec_of(block)
    wrong = dataclasses.replace(spec, **{field: getattr(spec, field) + 1})
    with pytest.raises(ConfigError, match=f"{field} is"):
        TorchRunner(wrong, block)


def test_a_network_that_starts_with_a_burst_needs_room_for_it() -> None:
    block = Sequence({"mirror": Conv(BANDS, 1, 7, padding=(6, 0), edge="reflect")})
    with pytest.raises(ConfigError, match="6 samples more than its hop"):
        TorchRunner(spec_of(block), block)
    runner = TorchRunner(dataclasses.replace(spec_of(block), burst_samples=6), block)
    state, audio = runner.new_state(), np.zeros((1, 7), np.float32)
    assert [runner.step(noise(1), state, audio) for _ in range(8)] == [0, 0, 0, 0, 0, 0, 7, 1]


def test_a_stream_that_ends_at_its_start_may_hold_back_more_than_its_look_ahead() -> None:
    parts = {
        "ahead": Conv(BANDS, 2, 5, padding=(2, 2)),
        "mirror": Conv(2, 1, 7, padding=(6, 0), edge="reflect"),
    }
    block = Sequence(parts)
    runner = TorchRunner(dataclasses.replace(spec_of(block), burst_samples=6), block)
    with pytest.raises(FeatureError, match="room for"):
        runner.flush(runner.new_state(), np.zeros((1, runner.spec.look_ahead_samples), np.float32))
    state, audio = runner.new_state(), np.zeros((1, 8), np.float32)
    assert runner.step(noise(7)[:, :, :7], state, np.zeros((1, 13), np.float32)) == 0
    assert runner.flush(state, audio) == 7


def test_cost_is_measured_against_the_sound_a_step_makes(runner: TorchRunner) -> None:
    cost = cost_per_step(runner, chunk_frames=2, repeats=5)
    assert cost.chunk_seconds == 8 / 8000
    assert 0 < cost.median_seconds <= cost.p99_seconds
