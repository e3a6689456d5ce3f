"""HiFi-GAN as kan-bayashi/ParallelWaveGAN writes it, its causal form included."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from synthhost.checkpoints.renaming import renamed, shape_of, unusual
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.toolkit_settings import slope_of
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

_SLOPE = 0.1
_MAX_SCALE = 64
_MAX_DILATION = 1024
_MISSPELT = "upsample_kernal_sizes"  # the toolkit's own name until version 0.5.4


def read_generator(
    place: str, tensors: Mapping[str, Tensor], config: Settings
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return hyper-parameters and tensors of the family `hifigan`; statistics are to be added.

    Raises:
        CheckpointError: The configuration and the weights say different things, or what they say cannot be
            built.
    """
    hyper = _hyper(place, tensors, config.section("generator_params"))
    kind = family("hifigan")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{place}: {error}") from error
    layers = {layer: _published(layer, hyper) for layer in _layers(expected)}
    return hyper, renamed(place, tensors, layers, expected)


def _hyper(place: str, tensors: Mapping[str, Tensor], params: Settings) -> dict[str, Any]:
    causal = "input_conv.conv.weight" in tensors
    nested, deep = (".conv", ".deconv") if causal else ("", "")
    width, bands, end_kernel = shape_of(place, tensors, f"input_conv{nested}.weight")
    if shape_of(place, tensors, f"output_conv.1{nested}.weight")[0] != 1:
        raise unusual(place, "several channels of sound come out of it")
    stages = _count(tensors, f"upsamples.{{}}.1{deep}.weight")
    ups = [shape_of(place, tensors, f"upsamples.{stage}.1{deep}.weight")[2] for stage in range(stages)]
    blocks = _count(tensors, f"blocks.{{}}.convs1.0.1{nested}.weight")
    if not stages or not blocks or blocks % stages:
        raise unusual(place, f"{blocks} residual blocks over {stages} upsampling stages is no HiFi-GAN")
    branches = range(blocks // stages)
    kernels = [shape_of(place, tensors, f"blocks.{j}.convs1.0.1{nested}.weight")[2] for j in branches]
    units = [_count(tensors, f"blocks.{j}.convs1.{{}}.1{nested}.weight") for j in branches]
    paired = f"blocks.0.convs2.0.1{nested}.weight" in tensors
    bias = f"input_conv{nested}.bias" in tensors
    found = {
        "in_channels": bands,
        "out_channels": 1,
        "channels": width,
        "kernel_size": end_kernel,
        "upsample_kernel_sizes": ups,
        _MISSPELT: ups,
        "resblock_kernel_sizes": kernels,
        "use_additional_convs": paired,
        "use_causal_conv": causal,
        "bias": bias,
    }
    for key, value in found.items():
        params.expect(key, value)
    rows = params.rows("resblock_dilations", len(kernels), 1, _MAX_DILATION)
    if [len(row) for row in rows] != units:
        raise params.error("resblock_dilations", f"must hold {units} numbers, like the weights.")
    return {
        "resblock": "1" if paired else "2",
        "upsample_rates": params.wholes("upsample_scales", stages, 1, _MAX_SCALE),
        "upsample_kernel_sizes": ups,
        "upsample_initial_channel": width,
        "resblock_kernel_sizes": kernels,
        "resblock_dilation_sizes": rows,
        "bands": bands,
        "dialect": "parallel-wavegan",
        "end_kernel": end_kernel,
        "slope": slope_of(params, _SLOPE),
        "bias": bias,
        "causal": causal,
        "statistics": True,
    }


def _count(tensors: Mapping[str, Tensor], name: str) -> int:
    count = 0
    while name.format(count) in tensors:
        count += 1
    return count


def _layers(expected: Mapping[str, Any]) -> set[str]:
    return {name.rpartition(".")[0] for name in expected} - {"stats"}


def _published(layer: str, hyper: Mapping[str, Any]) -> str:
    """Return the toolkit's name of a layer that jik876 calls `resblocks.4.convs1.2`."""
    nested, deep = (".conv", ".deconv") if hyper["causal"] else ("", "")
    kind, _, rest = layer.partition(".")
    if kind == "conv_pre":
        return f"input_conv{nested}"
    if kind == "conv_post":
        return f"output_conv.1{nested}"
    if kind == "ups":
        return f"upsamples.{rest}.1{deep}"
    block, convs, unit = rest.split(".")
    return f"blocks.{block}.{'convs1' if convs == 'convs' else convs}.{unit}.1{nested}"
