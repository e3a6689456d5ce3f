"""Streams that have nothing to do with each other take their steps together, each with its own bits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.seams import Joining, Runner
from synthhost.core.specs import ModelSpec
from synthhost.families.registry import family
from synthhost.native.compiled import why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples, receptive_frames

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.loop_runner import LoopRunner
from synthhost.backends.native_runner import NativeRunner

WAVENET = {
    "dilations": [1, 2, 4],
    "kernel_size": 2,
    "residual_channels": 8,
    "gate_channels": 16,
    "skip_channels": 16,
    "head_channels": 16,
    "out_channels": 32,
    "scalar_input": False,
    "gate": "tanh-sigmoid",
    "residual_scale": 0.5,
    "skip": "sum",
    "condition_bias": False,
    "gin_channels": 0,
    "n_speakers": 0,
    "conditioning": {"kind": "none", "channels": 0, "scales": [16]},
    "output": {
        "distribution": "softmax",
        "levels": 31.0,
        "companding": 31.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 15.0,
    },
}
SAMPLERNN = {"frame_sizes": [4, 2], "n_rnn": 1, "dim": 12, "q_levels": 16}
LOOPS = {"wavenet": WAVENET, "samplernn": SAMPLERNN}
BLOCKS = ("hifigan", "melgan", "multi-band melgan", "parallel wavegan", "wavegrad", "diffwave")
STREAMS = 3
STEPS = 12

Tiny = Callable[[str], tuple[ModelSpec, AnyBlock]]


def stream_frames(runner: Runner, stream: int, step: int) -> Features:
    """Return the frames of one step of one stream."""
    shape = (1, runner.spec.bands, 3)
    return np.random.default_rng(100 * stream + step).standard_normal(shape).astype(np.float32)


def streams(runner: Runner) -> list[Any]:
    """Return fresh states, each with its own chance and temperature; the last has begun earlier."""
    states = [runner.new_state(1, SeededDraws.of(stream)) for stream in range(STREAMS)]
    if runner.controls:
        runner.set_control(states[1], "temperature", 0.5)
    for step in range(4):
        runner.step(stream_frames(runner, 9, step), states[-1], room(runner))
    return states


def room(runner: Runner) -> Audio:
    return np.zeros((1, 3 * runner.spec.hop_samples + runner.spec.burst_samples), np.float32)


def assert_joined_is_alone(runner: Runner) -> None:
    assert isinstance(runner, Joining)
    alone, joined = streams(runner), streams(runner)
    heard = 0
    for step in range(STEPS):
        frames = [stream_frames(runner, stream, step) for stream in range(STREAMS)]
        expected, outs = [room(runner) for _ in frames], [room(runner) for _ in frames]
        counts = [runner.step(*one) for one in zip(frames, alone, expected, strict=True)]
        assert runner.step_each(frames, joined, outs) == counts
        for out, truth in zip(outs, expected, strict=True):
            np.testing.assert_array_equal(out, truth)
            heard += np.count_nonzero(truth)
    assert heard > 0


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("threads", [1, 2])
def test_joined_streams_of_blocks_sound_as_alone(tiny: Tiny, name: str, threads: int) -> None:
    spec, block = tiny(name)
    assert_joined_is_alone(NativeRunner(spec, block, threads=threads))


@pytest.mark.parametrize("name", LOOPS)
def test_joined_sample_loops_sound_as_alone(name: str) -> None:
    torch.manual_seed(3)
    kind = family(name)
    hyper = kind.hyper_from_json(LOOPS[name])
    network: Any = kind.play(kind.build(hyper), {one.name: one.default for one in kind.options})
    timed = network.timed
    facts = (hop_samples(timed), hyper.bands, look_ahead_samples(timed), receptive_frames(timed))
    spec = ModelSpec(name, name, 8000, *facts, None, "", burst_samples=burst_samples(timed))
    assert_joined_is_alone(LoopRunner(spec, network, kind.controls))
