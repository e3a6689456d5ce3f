"""How a checkpoint of r9y9/wavenet_vocoder turns mel frames into conditions, in its two generations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.wavenet_shapes import shape_of
from synthhost.core.errors import CheckpointError
from synthhost.families.wavenet_parts import UNCONDITIONAL

STATISTICS = "meanvar.npy"  # beside a checkpoint: means above standard deviations, [2, bands]

_SLOPES = MappingProxyType({"none": 1.0, "ReLU": 0.0, "LeakyReLU": 0.01})


def conditioning_of(path: Path, tensors: Mapping[str, Tensor], config: JsonConfig) -> dict[str, Any]:
    """Return how frames become conditions, as the family's hyper-parameters say it.

    Raises:
        CheckpointError: The configuration says something else.
    """
    if "conv_layers.0.conv1x1c.weight" not in tensors:
        return UNCONDITIONAL.as_json()
    bands = shape_of(path, tensors, "conv_layers.0.conv1x1c.weight", 3)[1]
    config.expect("cin_channels", bands)
    common = {"channels": bands, "slope": 1.0}
    if "upsample_net.conv_in.weight" in tensors:
        return {**common, "kind": "stretch", **_stretch(path, tensors, config)}
    if "upsample_conv.0.weight" in tensors:
        return {**common, "kind": "transposed", "slope": 0.0, **_transposed(path, tensors)}
    config.expect("upsample_conditional_features", False)
    return {**common, "kind": "repeat", "scales": [config.whole("hop_size", 1, 8192)]}


def _stretch(path: Path, tensors: Mapping[str, Tensor], config: JsonConfig) -> dict[str, Any]:
    kernel = shape_of(path, tensors, "upsample_net.conv_in.weight", 3)[2]
    config.expect("cin_pad", (kernel - 1) // 2)
    places = _places(tensors, "upsample_net.upsample.up_layers.")
    shapes = [shape_of(path, tensors, f"upsample_net.upsample.up_layers.{n}.weight", 4) for n in places]
    params = config.section("upsample_params")
    params.known("mode", "nearest")
    params.known("upsample_activation", "none", "ReLU", "LeakyReLU")
    activation = params.text("upsample_activation") or "none"
    slope = _SLOPES[activation]
    if "negative_slope" in params.section("upsample_activation_params"):
        slope = params.section("upsample_activation_params").number("negative_slope", 0.0, 1.0)
    scales = [(shape[3] - 1) // 2 for shape in shapes]
    params.expect("upsample_scales", scales)
    return {"scales": scales, "kernel_in": kernel, "neighbours": _bands_seen(path, shapes), "slope": slope}


def _transposed(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    shapes = [
        shape_of(path, tensors, f"upsample_conv.{n}.weight", 4) for n in _places(tensors, "upsample_conv.")
    ]
    return {"scales": [shape[3] for shape in shapes], "neighbours": _bands_seen(path, shapes)}


def _bands_seen(path: Path, shapes: list[list[int]]) -> int:
    seen = {shape[2] for shape in shapes}
    if len(seen) != 1:
        raise CheckpointError(
            f"{path}: upsampling layers see {sorted(seen)} bands; this layout gives all one."
        )
    return seen.pop()


def _places(tensors: Mapping[str, Tensor], stem: str) -> list[int]:
    places = (name.removeprefix(stem).partition(".")[0] for name in tensors if name.startswith(stem))
    return sorted({int(place) for place in places if place.isdecimal() and len(place) < 4})


def reshape_upsampling(tensors: dict[str, Tensor]) -> None:
    """Bring upsampling layers into the family's names and shapes, in place.

    Layers with an activation between them count in threes. A two-dimensional transposed convolution meets
    neighbouring bands in reverse.
    """
    stem = "upsample_net.upsample.up_layers."
    for index, place in enumerate(_places(tensors, stem)):
        weight = tensors.pop(f"{stem}{place}.weight")
        tensors[f"{stem}{2 * index + 1}.weight"] = weight[:, 0].contiguous()
    for place in _places(tensors, "upsample_conv."):
        name = f"upsample_conv.{place}.weight"
        tensors[name] = tensors[name][0].transpose(0, 1).flip(0).contiguous()


def statistics_beside(path: Path, bands: int) -> dict[str, Tensor]:
    """Return the training set's means and deviations by tensor name, where they lie beside the checkpoint.

    Raises:
        CheckpointError: What lies there is none.
    """
    beside = path.parent / STATISTICS
    if not bands or not beside.is_file():
        return {}
    try:
        rows = np.load(beside, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{beside}: is no array that can be read ({error}). Save it anew.") from error
    if rows.shape != (2, bands) or rows.dtype.kind != "f" or not (rows[1] > 0).all():
        raise CheckpointError(
            f"{beside}: shape {list(rows.shape)}; give [2, {bands}], means above standard deviations, the "
            "latter above 0."
        )
    mean, scale = torch.from_numpy(rows.astype(np.float32))
    return {"scaler.mean": mean.contiguous(), "scaler.scale": scale.contiguous()}
