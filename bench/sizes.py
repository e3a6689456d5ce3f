"""Every family in its published sizes, with random weights: what they cost depends on the shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import torch

from bench.published import HYPER as HIFIGAN
from bench.published import random_package
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.errors import ConfigError, suggestion
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family
from synthhost.features.mel import CONVENTIONS


@dataclass(frozen=True, slots=True)
class Size:
    """One published shape: family, hyper-parameters, mel convention or sample rate, options to play with."""

    family: str
    hyper: Mapping[str, Any]
    mel: str | None = None
    sample_rate: int = 16000
    options: Mapping[str, Any] = field(default_factory=dict)


_MELGAN = {
    "bands": 80,
    "kernel_size": 7,
    "stack_kernel_size": 3,
    "bias": True,
    "slope": 0.2,
    "edge": "reflect",
    "silence": -5.0,
}
_MU_LAW_OUTPUT = {
    "distribution": "softmax",
    "levels": 255.0,
    "companding": 255.0,
    "de_emphasis": 0.0,
    "gain": 1.0,
    "start": 127.0,
}
_R9Y9 = {
    "kernel_size": 3,
    "residual_channels": 128,
    "gate_channels": 256,
    "skip_channels": 128,
    "head_channels": 128,
    "gate": "tanh-sigmoid",
    "residual_scale": 0.5**0.5,
    "skip": "root",
    "condition_bias": False,
    "gin_channels": 0,
    "n_speakers": 0,
    "conditioning": {
        "kind": "stretch",
        "channels": 80,
        "scales": [4, 4, 4, 4],
        "kernel_in": 5,
        "neighbours": 1,
    },
}
_SMALL_WAVENET = {
    **_R9Y9,
    "dilations": [1 << layer % 8 for layer in range(24)],
    "kernel_size": 2,
    "residual_channels": 32,
    "gate_channels": 64,
    "skip_channels": 32,
    "head_channels": 32,
    "out_channels": 256,
    "scalar_input": False,
    "conditioning": {"kind": "none", "channels": 0, "scales": [64]},
    "output": _MU_LAW_OUTPUT,
}
_MIXTURE = {
    "dilations": [1 << layer % 6 for layer in range(24)],
    "out_channels": 30,
    "scalar_input": True,
    "output": {
        **_MU_LAW_OUTPUT,
        "distribution": "logistics",
        "levels": 65535.0,
        "companding": 0.0,
        "start": 0.0,
    },
}
_MU_LAW = {
    "dilations": [1 << layer % 10 for layer in range(30)],
    "out_channels": 256,
    "scalar_input": False,
    "output": _MU_LAW_OUTPUT,
}
_DIFFWAVE = {
    "variant": "lmnt",
    "bands": 80,
    "hop_samples": 256,
    "residual_layers": 30,
    "dilation_cycle_length": 10,
    "step_channels": [128, 512, 512],
    "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
    "fast_betas": [1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5],
}
_DIFFWAVE_BASE = {**_DIFFWAVE, "residual_channels": 64, "skip_channels": 64}
_WAVEGRAD = {
    "variant": "lmnt",
    "bands": 128,
    "factors": [5, 5, 3, 2, 2],
    "mel_channels": 768,
    "up_channels": [512, 512, 256, 128, 128],
    "up_dilations": [[1, 2, 1, 2]] * 2 + [[1, 2, 4, 8]] * 3,
    "down_channels": [32, 128, 128, 256, 512],
    "down_dilations": [[1, 2, 4]] * 4,
    "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
}
_WAVEGAN = {
    "latent": 100,
    "positions": 16,
    "channels": [1024, 512, 256, 128, 64, 1],
    "kernels": [25] * 5,
    "strides": [4] * 5,
    "crops": [10] * 5,
    "filter_taps": 0,
    "prior": "uniform",
}
_TOOLKIT = {"causal": False, "statistics": False}

SIZES: Mapping[str, Size] = MappingProxyType(
    {
        **{f"hifigan-{size}": Size("hifigan", HIFIGAN[size], "jik876") for size in ("v1", "v2", "v3")},
        "melgan": Size(
            "melgan",
            {**_MELGAN, "channels": 512, "upsample_scales": [8, 8, 2, 2], "stacks": 3},
            "descriptinc",
        ),
        "mb-melgan": Size(
            "melgan",
            {**_MELGAN, "channels": 384, "upsample_scales": [8, 4, 2], "stacks": 4, "subbands": 4},
            "kan-bayashi",
        ),
        "parallel-wavegan": Size(
            "parallel-wavegan",
            {
                **_TOOLKIT,
                "bands": 80,
                "layers": 30,
                "stacks": 3,
                "kernel_size": 3,
                "residual_channels": 64,
                "gate_channels": 128,
                "skip_channels": 64,
                "bias": True,
                "conv_in": True,
                "context_frames": 2,
                "upsample_scales": [4, 4, 4, 4],
                "neighbours": 1,
                "upsample_slope": 1.0,
            },
            "kan-bayashi",
        ),
        "wavegrad-6-steps": Size("wavegrad", _WAVEGRAD, "lmnt", options={"steps": 6}),
        "diffwave-base-6-steps": Size("diffwave", _DIFFWAVE_BASE, "lmnt"),
        "diffwave-large-6-steps": Size(
            "diffwave", {**_DIFFWAVE, "residual_channels": 128, "skip_channels": 128}, "lmnt"
        ),
        "wavenet-mixture": Size("wavenet", {**_R9Y9, **_MIXTURE}, "r9y9"),
        "wavenet-mu-law": Size("wavenet", {**_R9Y9, **_MU_LAW}, "r9y9"),
        "wavenet-small": Size("wavenet", _SMALL_WAVENET),
        "samplernn-3-tier": Size(
            "samplernn", {"frame_sizes": [16, 4], "n_rnn": 2, "dim": 1024, "q_levels": 256}
        ),
        "wavegan-16384": Size("wavegan", _WAVEGAN),
    }
)
"""Shapes by name, as the authors' configurations have them; `wavenet-small` is one that plays on a core."""


def _free_wavenet(layers: int, cycle: int, channels: int, skipped: int) -> Size:
    """Return a WaveNet of 256 ids that runs by itself."""
    sizes = {
        "dilations": [1 << layer % cycle for layer in range(layers)],
        "residual_channels": channels,
        "gate_channels": 2 * channels,
        "skip_channels": skipped,
        "head_channels": skipped,
    }
    return Size("wavenet", {**_SMALL_WAVENET, **sizes})


def _three_tiers(dim: int, frame_sizes: tuple[int, int] = (16, 4)) -> Size:
    return Size("samplernn", {"frame_sizes": [*frame_sizes], "n_rnn": 2, "dim": dim, "q_levels": 256})


BESIDES: Mapping[str, Size] = MappingProxyType(
    {
        "wavenet-24x32": _free_wavenet(24, 8, 32, 64),
        "wavenet-30x64": _free_wavenet(30, 10, 64, 128),
        "wavenet-tiny": _free_wavenet(3, 3, 8, 16),
        "samplernn-256": _three_tiers(256),
        "samplernn-512": _three_tiers(512),
        "samplernn-tiny": _three_tiers(16, (4, 2)),
        "melgan-tiny": Size(
            "melgan",
            {**_MELGAN, "channels": 16, "upsample_scales": [8, 8, 2, 2], "stacks": 2},
            "descriptinc",
        ),
        "diffwave-small": Size(
            "diffwave",
            {
                **_DIFFWAVE,
                "residual_channels": 32,
                "skip_channels": 32,
                "residual_layers": 12,
                "dilation_cycle_length": 6,
            },
            "lmnt",
        ),
        "diffwave-base": Size(
            "diffwave", {**_DIFFWAVE, "residual_channels": 64, "skip_channels": 64}, "lmnt"
        ),
        "wavegrad-base": Size("wavegrad", _WAVEGRAD, "lmnt"),
        "diffwave-tiny": Size(
            "diffwave",
            {
                **_DIFFWAVE,
                "residual_channels": 8,
                "skip_channels": 8,
                "residual_layers": 2,
                "dilation_cycle_length": 2,
                "step_channels": [16, 16, 16],
            },
            "lmnt",
        ),
        "wavegrad-tiny": Size(
            "wavegrad",
            {
                **_WAVEGRAD,
                "mel_channels": 16,
                "up_channels": [8] * 5,
                "down_channels": [8] * 5,
            },
            "lmnt",
        ),
    }
)
"""Shapes to measure a bench's own way, and tiny ones that nobody published to try a bench with."""


def package_of(name: str) -> Package:
    """Return a model with random weights by any name: a size of HiFi-GAN, or one of `SIZES` or `BESIDES`.

    Raises:
        ConfigError: There is no such size.
    """
    if name in HIFIGAN:
        return random_package(name)
    if name not in SIZES and name not in BESIDES:
        known = [*HIFIGAN, *SIZES]
        raise ConfigError(
            f"No published size is called {name!r}.{suggestion(name, known)} There are {', '.join(known)}."
        )
    return random_size(name)


def random_size(name: str, seed: int = 0) -> Package:
    """Return a model of a published size with random weights.

    Raises:
        ConfigError: There is no such size.
    """
    known = {**SIZES, **BESIDES}
    if name not in known:
        raise ConfigError(
            f"No published size is called {name!r}.{suggestion(name, SIZES)} There are {', '.join(SIZES)}."
        )
    size = known[name]
    kind = family(size.family)
    hyper = kind.hyper_from_json(size.hyper)
    draw = torch.Generator().manual_seed(seed)
    tensors = {key: _drawn(shape, draw) for key, shape in kind.tensor_names(hyper).items()}
    mel = None if size.mel is None else _spec(size.mel, hyper.bands, hyper.hop_samples)
    read = ReadModel("random", size.family, hyper.as_json(), mel, tensors, size.sample_rate)
    origin = Origin(f"random-{name}", "CC0-1.0", "random weights, made by the benchmarks")
    return Package(manifest_for(read, origin, "0" * 64), tensors)


def _spec(convention: str, bands: int, hop_samples: int) -> MelSpec:
    return replace(CONVENTIONS[convention], bands=bands, hop_samples=hop_samples)


def _drawn(shape: tuple[int, ...], draw: torch.Generator) -> torch.Tensor:
    """Return weights that roughly keep the signal's size; one axis: biases, and scales that must not be 0."""
    if len(shape) < 2:
        return torch.full(shape, 0.01)
    summed = 1
    for length in shape[1:]:
        summed *= length
    drawn: torch.Tensor = torch.randn(shape, generator=draw) * (0.5 / summed**0.5)
    return drawn
