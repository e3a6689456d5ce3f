"""Every family that streams, in shapes so small that a test costs nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from synthhost.core.specs import ModelSpec
from synthhost.families.registry import family
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples, receptive_frames

MELGAN = {"bands": 6, "kernel_size": 7, "stack_kernel_size": 3, "bias": True, "slope": 0.2, "silence": -5.0}
TINY: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "hifigan": (
        "hifigan",
        {
            "resblock": "1",
            "upsample_rates": [4, 2],
            "upsample_kernel_sizes": [8, 4],
            "upsample_initial_channel": 16,
            "resblock_kernel_sizes": [3, 5],
            "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
            "bands": 6,
        },
        {},
    ),
    "melgan": (
        "melgan",
        {**MELGAN, "edge": "reflect", "channels": 8, "upsample_scales": [4, 2], "stacks": 2},
        {},
    ),
    "multi-band melgan": (
        "melgan",
        {
            **MELGAN,
            "edge": "reflect",
            "channels": 8,
            "upsample_scales": [2, 2],
            "stacks": 1,
            "subbands": 4,
        },
        {},
    ),
    "parallel wavegan": (
        "parallel-wavegan",
        {
            "causal": False,
            "statistics": False,
            "bands": 6,
            "layers": 4,
            "stacks": 2,
            "kernel_size": 3,
            "residual_channels": 8,
            "gate_channels": 16,
            "skip_channels": 8,
            "bias": True,
            "conv_in": True,
            "context_frames": 2,
            "upsample_scales": [2, 4],
            "neighbours": 1,
            "upsample_slope": 1.0,
        },
        {},
    ),
    "wavegrad": (
        "wavegrad",
        {
            "variant": "lmnt",
            "bands": 6,
            "factors": [3, 2],
            "mel_channels": 12,
            "up_channels": [8, 6],
            "up_dilations": [[1, 2, 1, 2], [1, 2, 4, 8]],
            "down_channels": [4, 6],
            "down_dilations": [[1, 2, 4]],
            "training_betas": {"first": 1e-4, "last": 0.05, "count": 20},
        },
        {"steps": 2},
    ),
    "diffwave": (
        "diffwave",
        {
            "variant": "lmnt",
            "bands": 6,
            "hop_samples": 256,
            "residual_layers": 3,
            "dilation_cycle_length": 3,
            "step_channels": [8, 12, 12],
            "training_betas": {"first": 1e-4, "last": 0.05, "count": 20},
            "fast_betas": [1e-3, 0.1],
            "residual_channels": 6,
            "skip_channels": 6,
        },
        {"steps": 2},
    ),
    "wavegan": (
        "wavegan",
        {
            "latent": 5,
            "positions": 4,
            "channels": [8, 6, 1],
            "kernels": [9, 9],
            "strides": [4, 4],
            "crops": [2, 2],
            "filter_taps": 0,
            "prior": "uniform",
        },
        {},
    ),
}


@pytest.fixture(scope="session")
def tiny() -> Callable[[str], tuple[ModelSpec, AnyBlock]]:
    """Give a family's network by one of the names of `TINY`, the same weights every time, with its spec."""

    def built(name: str) -> tuple[ModelSpec, AnyBlock]:
        kind_name, plain, wanted = TINY[name]
        kind = family(kind_name)
        torch.manual_seed(5)
        hyper = kind.hyper_from_json(plain)
        options = {one.name: wanted.get(one.name, one.default) for one in kind.options}
        block: Any = kind.play(kind.build(hyper), options)
        facts = (hop_samples(block), hyper.bands, look_ahead_samples(block), receptive_frames(block))
        return ModelSpec(
            *(name, kind_name, 8000, *facts, None, ""),
            burst_samples=burst_samples(block),
            clip_frames=kind.clip_frames(hyper),
        ), block

    return built


@pytest.fixture(scope="session")
def tiny_names() -> tuple[str, ...]:
    """Give the names that `tiny` takes."""
    return tuple(TINY)
