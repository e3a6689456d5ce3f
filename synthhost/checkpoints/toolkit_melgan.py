"""MelGAN and multi-band MelGAN as kan-bayashi/ParallelWaveGAN writes them, their causal forms included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from synthhost.checkpoints.melgan_layers import (
    PARALLEL_WAVEGAN,
    PARALLEL_WAVEGAN_CAUSAL,
    family_tensors,
    shapes_say,
)
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.toolkit_settings import pqmf_settings, silence, slope_of

_SLOPE = 0.2


def read_generator(
    place: str, tensors: Mapping[str, Tensor], config: Settings
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return hyper-parameters and tensors of the family `melgan`; statistics are to be added.

    Raises:
        CheckpointError: The configuration and the weights say different things.
    """
    causal = any(name.endswith(".deconv.weight") for name in tensors)
    numbering = PARALLEL_WAVEGAN_CAUSAL if causal else PARALLEL_WAVEGAN
    shapes = shapes_say(place, tensors, numbering)
    params = config.section("generator_params")
    _check(params, {**shapes, "causal": causal})
    hyper = {
        **shapes,
        "causal": causal,
        "slope": slope_of(params, _SLOPE),
        "edge": _edge(params),
        "final_tanh": params.flag("use_final_nonlinear_activation", True),
        "silence": silence(config),
        "statistics": True,
        **(pqmf_settings(config) if shapes["subbands"] > 1 else {}),
    }
    return hyper, family_tensors(place, tensors, numbering, hyper)


def _check(params: Settings, found: Mapping[str, Any]) -> None:
    params.expect("in_channels", found["bands"])
    params.expect("out_channels", found["subbands"])
    params.expect("use_causal_conv", found["causal"])
    for key in ("channels", "upsample_scales", "kernel_size", "stack_kernel_size", "stacks", "bias"):
        params.expect(key, found[key])


def _edge(params: Settings) -> str:
    params.known("pad", "ReflectionPad1d", "ReplicationPad1d", "ConstantPad1d", "ZeroPad1d")
    named = params.text("pad") or "ReflectionPad1d"
    if named == "ConstantPad1d":
        params.section("pad_params").known("value", 0.0)
    return {"ReflectionPad1d": "reflect", "ReplicationPad1d": "replicate"}.get(named, "zeros")
