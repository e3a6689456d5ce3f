"""Parallel WaveGAN as kan-bayashi/ParallelWaveGAN writes it, its causal form included."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from synthhost.checkpoints.renaming import renamed, shape_of, unusual
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.toolkit_settings import slope_of
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

_CONV_IN = "upsample_net.conv_in.weight"
_SMOOTHING = re.compile(r"(upsample_net\.(?:upsample\.)?up_layers\.(\d{1,4}))\.weight")
_STACKS = 3
_TORCH_SLOPE = 0.01


def read_generator(
    place: str, tensors: Mapping[str, Tensor], config: Settings
) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return hyper-parameters and tensors of the family `parallel-wavegan`; statistics are to be added.

    Raises:
        CheckpointError: The configuration and the weights say different things, or what they say cannot be
            built.
    """
    smoothings = _smoothings(place, tensors)
    hyper = _hyper(place, tensors, config.section("generator_params"), smoothings)
    flat = {**tensors, **{f"{layer}.weight": tensors[f"{layer}.weight"][0] for layer in smoothings}}
    kind = family("parallel-wavegan")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{place}: {error}") from error
    _drop_last_way_on(place, flat, hyper)
    theirs = {f"upsample_net.smooth.{n}": layer for n, layer in enumerate(smoothings)}
    layers = {name.rpartition(".")[0] for name in expected} - {"stats"}
    return hyper, renamed(place, flat, {layer: theirs.get(layer, layer) for layer in layers}, expected)


def _hyper(
    place: str, tensors: Mapping[str, Tensor], params: Settings, smoothings: Mapping[str, tuple[int, int]]
) -> dict[str, Any]:
    residual, inputs, _ = shape_of(place, tensors, "first_conv.weight")
    skips = shape_of(place, tensors, "last_conv_layers.1.weight")[0]
    outputs = shape_of(place, tensors, "last_conv_layers.3.weight")[0]
    gates, _, kernel = shape_of(place, tensors, "conv_layers.0.conv.weight")
    found = {
        "in_channels": inputs,
        "out_channels": outputs,
        "layers": _count(tensors),
        "kernel_size": kernel,
        "residual_channels": residual,
        "gate_channels": gates,
        "skip_channels": skips,
        "aux_channels": shape_of(place, tensors, "conv_layers.0.conv1x1_aux.weight")[1],
        "bias": "conv_layers.0.conv.bias" in tensors,
    }
    for key, value in found.items():
        params.expect(key, value)
    if (inputs, outputs) != (1, 1):
        raise unusual(place, f"{inputs} channels of noise become {outputs} of sound")
    kept = {key: found[key] for key in found if key not in ("in_channels", "out_channels", "aux_channels")}
    return {
        **kept,
        "bands": found["aux_channels"],
        "stacks": params.whole("stacks", 1, 128) if "stacks" in params else _STACKS,
        "causal": params.flag("use_causal_conv", False),
        "statistics": True,
        **_context(place, tensors, params),
        **_upsampling(place, params, smoothings),
    }


def _context(place: str, tensors: Mapping[str, Tensor], params: Settings) -> dict[str, Any]:
    """Return how many frames around one the first convolution of the frames sees, if there is one."""
    params.known("upsample_conditional_features", True)
    params.known("upsample_net", "ConvInUpsampleNetwork", "UpsampleNetwork")
    if _CONV_IN not in tensors:
        params.expect("aux_context_window", 0)
        return {"conv_in": False, "context_frames": 0}
    others = shape_of(place, tensors, _CONV_IN)[2] - 1
    frames = others if params.flag("use_causal_conv", False) else others // 2
    params.expect("aux_context_window", frames)
    return {"conv_in": True, "context_frames": frames}


def _smoothings(place: str, tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, int]]:
    """Return the smoothing layers in order, each with how many bands and how many samples it sees."""
    found = {}
    for name, tensor in tensors.items():
        match = _SMOOTHING.fullmatch(name)
        if match is not None:
            shape = list(tensor.shape)
            if len(shape) != 4 or shape[:2] != [1, 1] or not shape[3] % 2:
                raise unusual(place, f"{name} has shape {shape}, where one picture is smoothed")
            found[int(match[2])] = (match[1], (shape[2], shape[3]))
    return dict(found[number] for number in sorted(found))


def _upsampling(place: str, params: Settings, smoothings: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    given = params.section("upsample_params")
    given.known("interpolate_mode", "nearest")
    scales = [samples // 2 for _, samples in smoothings.values()]  # 2 * scale + 1 samples are seen
    neighbours = {bands for bands, _ in smoothings.values()}
    if len(neighbours) != 1:
        raise unusual(place, f"its smoothings see {sorted(neighbours)} bands")
    given.expect("upsample_scales", scales)
    given.expect("freq_axis_kernel_size", min(neighbours))
    rectified = "nonlinear_activation" in given
    return {
        "upsample_scales": scales,
        "neighbours": min(neighbours),
        "upsample_slope": slope_of(given, _TORCH_SLOPE) if rectified else 1.0,
    }


def _drop_last_way_on(place: str, tensors: dict[str, Tensor], hyper: Mapping[str, Any]) -> None:
    """Take out what the last layer would hand on to a next one: nothing trained it, it is heard nowhere."""
    name = f"conv_layers.{hyper['layers'] - 1}.conv1x1_out"
    expected = (hyper["residual_channels"], hyper["gate_channels"] // 2, 1)
    if shape_of(place, tensors, f"{name}.weight") != expected:
        raise unusual(place, f"{name}.weight is not {list(expected)}")
    del tensors[f"{name}.weight"]
    if hyper["bias"]:
        tensors.pop(f"{name}.bias", None)


def _count(tensors: Mapping[str, Tensor]) -> int:
    count = 0
    while f"conv_layers.{count}.conv.weight" in tensors:
        count += 1
    return count
