"""Threads that share a step: the same bits as one, whoever is there to help."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from synthhost.backends import choice
from synthhost.backends.choice import choose
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.core.specs import ModelSpec
from synthhost.families.registry import family
from synthhost.native.compiled import compiled_plans, why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples, receptive_frames

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.native_runner import NativeRunner

HYPER = {
    "bands": 20,
    "upsample_initial_channel": 256,
    "upsample_rates": [4, 4],
    "upsample_kernel_sizes": [8, 8],
    "resblock": "1",
    "resblock_kernel_sizes": [3, 7],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
}


@pytest.fixture(scope="module")
def block() -> AnyBlock:
    """Give a network wide enough that its layers are worth sharing."""
    torch.manual_seed(0)
    kind = family("hifigan")
    made: AnyBlock = kind.build(kind.hyper_from_json(HYPER))
    return made.eval()


def spec_of(block: AnyBlock) -> ModelSpec:
    facts = (hop_samples(block), 20, look_ahead_samples(block), receptive_frames(block))
    return ModelSpec("wide", "hifigan", 8000, *facts, None, "", burst_samples=burst_samples(block))


def frames() -> Features:
    return np.random.default_rng(0).standard_normal((1, 20, 24)).astype(np.float32)


def played(runner: NativeRunner, cut: int) -> Audio:
    state, out, written, x = runner.new_state(), np.zeros((1, 1 << 14), np.float32), 0, frames()
    for first in range(0, x.shape[2], cut):
        written += runner.step(x[:, :, first : first + cut], state, out[:, written:])
    return out[0, : written + runner.flush(state, out[:, written:])]


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("cut", [1, 5, 24])
def test_the_number_of_threads_changes_no_bit(block: AnyBlock, precision: str, cut: int) -> None:
    spec = spec_of(block)
    alone = played(NativeRunner(spec, block, precision=precision), cut)
    for threads in (2, 3, 64):
        runner = NativeRunner(spec, block, threads=threads, precision=precision)
        for _ in range(5):
            assert np.array_equal(played(runner, cut), alone), threads


def test_streams_of_several_threads_get_help_or_go_without_and_sound_the_same(block: AnyBlock) -> None:
    runner = NativeRunner(spec_of(block), block, threads=2)
    alone = played(NativeRunner(spec_of(block), block), 2)
    with ThreadPoolExecutor(4) as callers:
        for heard in callers.map(lambda _: played(runner, 2), range(24)):
            assert np.array_equal(heard, alone)


def test_there_are_no_more_threads_than_cores() -> None:
    most = compiled_plans().grow_crew(1000)
    assert 1 <= most <= 1000
    assert compiled_plans().grow_crew(1) == 1
    assert compiled_plans().grow_crew(2) == min(2, most)


def test_threads_where_nothing_can_be_shared_are_refused(block: AnyBlock) -> None:
    with pytest.raises(ConfigError, match=r"threads share no steps. Ask for threads=0"):
        choose("m", block, "torch", threads=2)
    assert choose("m", block, threads=2).threads == min(2, choice.cores())
    assert choose("m", block).threads == 1


def test_more_threads_than_cores_are_told_to_be_fewer(
    block: AnyBlock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "cores", lambda: 2)
    computed = choose("m", block, threads=64)
    assert computed.threads == 2
    assert computed.reason.endswith("; 2 threads, as there are no more cores")
