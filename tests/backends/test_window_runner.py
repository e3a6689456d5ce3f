"""Played through a window, native code gives what torch gives, the same bits in any chunking."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import FeatureError
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.noise import TEMPERATURE
from synthhost.streaming.timing import burst_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.window import Window

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.runners import make_runner
from synthhost.backends.torch_runner import TorchRunner
from synthhost.backends.window_runner import WindowRunner

BOUND = 1e-5  # of the peak
NAMES = ("wavegrad", "diffwave")

Tiny = Callable[[str], tuple[ModelSpec, AnyBlock]]


def windowed(tiny: Tiny, name: str, ahead: int) -> tuple[ModelSpec, Window]:
    """Return a tiny diffusion that looks so many frames ahead."""
    spec, body = tiny(name)
    block = Window(body, ahead)
    timed = replace(
        spec,
        look_ahead_samples=look_ahead_samples(block),
        receptive_frames=receptive_frames(block),
        burst_samples=burst_samples(block),
    )
    return timed, block.eval()


def played(runner: Runner, frames: Features, cuts: list[int], state: Any = None) -> Audio:
    """Play `[batch, bands, frames]` in pieces of these lengths, again and again; `[batch, samples]`."""
    spec, batch = runner.spec, frames.shape[0]
    state = runner.new_state(batch, SeededDraws.of(7, batch)) if state is None else state
    out = np.zeros((batch, frames.shape[2] * spec.hop_samples + (1 << 14)), np.float32)
    sent, written, turn = 0, 0, 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        written += runner.step(piece, state, out[:, written:])
    return out[:, : written + runner.flush(state, out[:, written:])]


def frames_of(spec: ModelSpec, count: int = 19, batch: int = 1) -> Features:
    return np.random.default_rng(0).standard_normal((batch, spec.bands, count)).astype(np.float32)


@pytest.mark.parametrize(("name", "ahead"), [("wavegrad", 0), ("wavegrad", 2), ("diffwave", 0)])
def test_a_native_window_gives_what_torch_gives(tiny: Tiny, name: str, ahead: int) -> None:
    spec, block = windowed(tiny, name, ahead)
    runner = make_runner(spec, block)
    assert isinstance(runner, WindowRunner)
    frames = frames_of(spec, batch=2)
    heard, truth = played(runner, frames, [2]), played(TorchRunner(spec, block), frames, [2])
    assert heard.shape == truth.shape
    assert np.abs(heard - truth).max() < BOUND * np.abs(truth).max()


@pytest.mark.parametrize("name", NAMES)
def test_any_chunking_gives_the_same_bits(tiny: Tiny, name: str) -> None:
    spec, block = windowed(tiny, name, 0)
    runner, frames = WindowRunner(spec, block), frames_of(spec)
    whole = played(runner, frames, [frames.shape[2]])
    for cuts in ([1], [0, 3], [2, 5, 1]):
        np.testing.assert_array_equal(played(runner, frames, cuts), whole)


@pytest.mark.parametrize("name", NAMES)
def test_a_copied_stream_goes_on_alike(tiny: Tiny, name: str) -> None:
    spec, block = windowed(tiny, name, 0)
    runner, frames = WindowRunner(spec, block), frames_of(spec)
    state, out = runner.new_state(1, SeededDraws.of(3)), np.zeros((1, 1 << 14), np.float32)
    runner.set_control(state, TEMPERATURE, 0.5)
    runner.step(frames[:, :, :7], state, out)
    copied = state.copy()
    first = played(runner, frames[:, :, 7:], [2], state)
    np.testing.assert_array_equal(played(runner, frames[:, :, 7:], [3], copied), first)


def test_an_ended_stream_and_too_little_room_are_refused(tiny: Tiny) -> None:
    spec, block = windowed(tiny, "wavegrad", 1)
    runner = WindowRunner(spec, block)
    frames, state = frames_of(spec), runner.new_state()
    with pytest.raises(FeatureError, match="room for"):
        runner.step(frames, state, np.zeros((1, 1), np.float32))
    played(runner, frames, [4], state)
    with pytest.raises(FeatureError, match="flushed"):
        runner.step(frames, state, np.zeros((1, 1 << 14), np.float32))
