"""The published HiFi-GAN sizes with random weights: what they cost depends on the shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.errors import ConfigError, suggestion
from synthhost.families.registry import family
from synthhost.features.mel import CONVENTIONS

_THREE_UNITS = {"resblock": "1", "resblock_dilation_sizes": [[1, 3, 5]] * 3, "bands": 80}
_TWO_UNITS = {"resblock": "2", "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]], "bands": 80}
_RATES_1 = {"upsample_rates": [8, 8, 2, 2], "upsample_kernel_sizes": [16, 16, 4, 4]}
_RATES_3 = {"upsample_rates": [8, 8, 4], "upsample_kernel_sizes": [16, 16, 8]}

HYPER: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "v1": {
            **_THREE_UNITS,
            **_RATES_1,
            "upsample_initial_channel": 512,
            "resblock_kernel_sizes": [3, 7, 11],
        },
        "v2": {
            **_THREE_UNITS,
            **_RATES_1,
            "upsample_initial_channel": 128,
            "resblock_kernel_sizes": [3, 7, 11],
        },
        "v3": {
            **_TWO_UNITS,
            **_RATES_3,
            "upsample_initial_channel": 256,
            "resblock_kernel_sizes": [3, 5, 7],
        },
        "tiny": {
            **_TWO_UNITS,
            **_RATES_3,
            "upsample_initial_channel": 16,
            "resblock_kernel_sizes": [3, 5, 7],
        },
    }
)
"""Hyper-parameters by size: config_v1, v2 and v3 of jik876/hifi-gan, and a tiny one to try a bench with."""


def random_model(size: str, seed: int = 0) -> ReadModel:
    """Return a model of a published size with random weights, as if it had been read from a checkpoint.

    Raises:
        ConfigError: There is no such size.
    """
    if size not in HYPER:
        raise ConfigError(
            f"No published size is called {size!r}.{suggestion(size, HYPER)} There are {', '.join(HYPER)}."
        )
    kind = family("hifigan")
    hyper = kind.hyper_from_json(HYPER[size])
    draw = torch.Generator().manual_seed(seed)
    tensors = {name: _drawn(name, shape, draw) for name, shape in kind.tensor_names(hyper).items()}
    return ReadModel("random", kind.name, hyper.as_json(), CONVENTIONS["jik876"], tensors)


def random_origin(size: str) -> Origin:
    """Return what the manifest of a random model says of itself."""
    return Origin(f"random-{size}", "CC0-1.0", "random weights, made by the benchmarks")


def random_package(size: str, seed: int = 0) -> Package:
    """Return a random model in memory; raises as `random_model` does."""
    model = random_model(size, seed)
    return Package(manifest_for(model, random_origin(size), "0" * 64), model.tensors)


def _drawn(name: str, shape: tuple[int, ...], draw: torch.Generator) -> torch.Tensor:
    """Return weights that keep the signal's size from layer to layer, so that there is a sound."""
    if name.endswith("bias"):
        return torch.zeros(shape)
    upsampling = name.startswith("ups.")  # [inputs, outputs, taps]; the others are [outputs, inputs, taps]
    summed = shape[0] * 2 if upsampling else shape[1] * shape[2]
    branch = 0.3 if name.startswith("resblocks.") else 1.0  # added to what passes by
    if name.startswith(("conv_pre", "conv_post")):
        branch = 0.1  # log-mel frames are large; the last layer must leave tanh its straight part
    drawn: torch.Tensor = branch * torch.randn(shape, generator=draw) / summed**0.5
    return drawn
