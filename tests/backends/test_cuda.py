"""A GPU computes what the processor computes; skipped where torch finds none.

It was run on an NVIDIA H100 80GB HBM3 with torch 2.11.0+cu130, and on no other GPU.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.graph_runner import GraphRunner
from synthhost.backends.runners import make_runner
from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.seams import Runner

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU")
NAMES = ("hifigan", "melgan", "multi-band melgan", "parallel wavegan", "wavegrad", "diffwave", "wavegan")
BOUND = 1e-4  # of the peak


def played(runner: Runner, frames: Features, cuts: list[int]) -> Audio:
    """Play `[1, bands, frames]` in pieces of these lengths, again and again; `[1, samples]`."""
    spec = runner.spec
    room = frames.shape[2] * spec.hop_samples + spec.look_ahead_samples + 2 * spec.burst_samples
    out = np.zeros((1, room + max(cuts) * spec.hop_samples), np.float32)
    state, sent, written, turn = runner.new_state(1, SeededDraws.of(7)), 0, 0, 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        written += runner.step(piece, state, out[:, written:])
    return out[:, : written + runner.flush(state, out[:, written:])]


def frames_of(runner: Runner) -> Features:
    spec = runner.spec
    count = spec.clip_frames or 3 * spec.receptive_frames + 20
    return np.random.default_rng(0).standard_normal((1, spec.bands, count)).astype(np.float32)


def share_of_peak(one: Audio, other: Audio) -> float:
    assert one.shape == other.shape
    return float(np.abs(one - other).max() / np.abs(other).max())


@pytest.fixture(params=NAMES)
def runners(request: Any, tiny: Any) -> tuple[Runner, Runner]:
    """Give each family on the processor and on the GPU."""
    spec, block = tiny(request.param)
    _, moved = tiny(request.param)
    gpu = make_runner(spec, moved, device="cuda")
    assert isinstance(gpu, GraphRunner)
    assert next(moved.parameters()).device == torch.device("cuda:0")
    return TorchRunner(spec, block), gpu


def test_a_gpu_sounds_like_the_processor(runners: tuple[Runner, Runner]) -> None:
    cpu, gpu = runners
    assert not torch.backends.cuda.matmul.allow_tf32
    frames = frames_of(cpu)
    whole = [frames.shape[2]]
    assert share_of_peak(played(gpu, frames, whole), played(cpu, frames, whole)) < BOUND


@pytest.mark.parametrize("graph", [False, True])
def test_pieces_sound_like_the_whole_on_a_gpu(runners: tuple[Runner, Runner], graph: bool) -> None:
    gpu: Any = runners[1]
    frames = frames_of(gpu)
    whole = played(gpu, frames, [frames.shape[2]])
    if graph:
        gpu.reserve(1)
        gpu.reserve(3)
    for cuts in ([1], [3], [1, 3, 3, 2]):
        assert share_of_peak(played(gpu, frames, cuts), whole) < BOUND


def test_every_family_that_streams_is_replayed_as_a_graph(runners: tuple[Runner, Runner]) -> None:
    gpu: Any = runners[1]
    said = gpu.reserve(2)
    if gpu.spec.clip_frames:
        assert "Position is not the same in every step" in said
    else:
        assert said == "steps of 2 frames are replayed as one graph"
