"""HiFi-GAN checkpoints as jik876/hifi-gan writes them: `g_NNNNNNNN` with `config.json` beside it.

What the shapes say is taken from the shapes and the configuration must agree; strides, dilations and the mel
front end are taken from the configuration, since the weights do not show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

_NAME = "jik876/hifi-gan"
_FLOOR = 1e-5
_MAX_STRIDE = 1024
_MAX_DILATION = 1024
_MAX_HOP = 65536
_MARKS = ("conv_pre.", "conv_post.", "resblocks.0.conv")
_DILATIONS_USED = MappingProxyType({"1": 3, "2": 2})  # the public code reads no more of a longer row


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a generator, or training state, of this layout."""
    if not isinstance(content, Mapping):
        return False
    if "generator" not in content and {"mpd", "msd"} <= set(content):
        return True
    names = [str(name) for name in _generator(content)]
    flat_upsamplers = any(name.endswith("ups.0.bias") for name in names)  # relatives nest them as ups.0.0
    return flat_upsamplers and all(any(part in name for name in names) for part in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the generator in the family's own names.

    Raises:
        CheckpointError: If the file is training state, or the configuration is missing or does not fit.
    """
    if "generator" not in content and "mpd" in content:
        partner = path.name.replace("do_", "g_", 1) if path.name.startswith("do_") else "g_NNNNNNNN"
        raise CheckpointError(
            f"{path}: this holds the discriminator, not the generator; load {partner} beside it."
        )
    config = JsonConfig(_config_path(path, config_path))
    tensors = plain_tensors(_generator(content))
    hyper = _hyper(path, tensors, config)
    kind = family("hifigan")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    return ReadModel(_NAME, "hifigan", hyper, _mel(config, hyper), tensors)


LAYOUT = Layout(_NAME, recognise, read)


def _generator(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = content.get("generator", content)
    return inner if isinstance(inner, Mapping) else {}


def _config_path(path: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    beside = path.parent / "config.json"
    if not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no config.json beside it, and the weights do not show strides, dilations and "
            "the mel front end. Put the checkpoint's config.json beside it or name it with --config."
        )
    return beside


def _hyper(path: Path, tensors: Mapping[str, Tensor], config: JsonConfig) -> dict[str, Any]:
    """Return the family's hyper-parameters, those the shapes show taken from the shapes."""
    shapes = {name: list(tensor.shape) for name, tensor in tensors.items() if name.endswith(".weight")}
    pre = _shape(path, shapes, "conv_pre.weight")
    kernels = _upsample_kernels(path, shapes)
    kind, block_kernels = _blocks(path, shapes, len(kernels))
    dilations = config.rows("resblock_dilation_sizes", len(block_kernels), 1, _MAX_DILATION)
    config.expect("num_mels", pre[1])
    config.expect("upsample_initial_channel", pre[0])
    config.expect("upsample_kernel_sizes", kernels)
    config.expect("resblock_kernel_sizes", block_kernels)
    named = config.text("resblock")  # a string; anything but "1" means type 2
    if named is not None and (named == "1") != (kind == "1"):
        raise config.error("resblock", f"is {named[:40]!r}, but the weights are of type {kind!r}.")
    return {
        "resblock": kind,
        "upsample_rates": config.wholes("upsample_rates", len(kernels), 1, _MAX_STRIDE),
        "upsample_kernel_sizes": kernels,
        "upsample_initial_channel": pre[0],
        "resblock_kernel_sizes": block_kernels,
        "resblock_dilation_sizes": [row[: _DILATIONS_USED[kind]] for row in dilations],
        "bands": pre[1],
    }


def _upsample_kernels(path: Path, shapes: Mapping[str, list[int]]) -> list[int]:
    count = 0
    while f"ups.{count}.weight" in shapes:
        count += 1
    return [_shape(path, shapes, f"ups.{stage}.weight")[2] for stage in range(count)]


def _blocks(path: Path, shapes: Mapping[str, list[int]], stages: int) -> tuple[str, list[int]]:
    """Return the residual blocks' type and the kernel sizes of one stage's parallel blocks."""
    kind, first = ("1", "convs1.0") if "resblocks.0.convs1.0.weight" in shapes else ("2", "convs.0")
    blocks = 0
    while f"resblocks.{blocks}.{first}.weight" in shapes:
        blocks += 1
    if not stages or not blocks or blocks % stages:
        raise CheckpointError(
            f"{path}: {blocks} residual blocks over {stages} upsampling stages is no {_NAME} generator."
        )
    names = [f"resblocks.{block}.{first}.weight" for block in range(blocks // stages)]
    return kind, [_shape(path, shapes, name)[2] for name in names]


def _shape(path: Path, shapes: Mapping[str, list[int]], name: str) -> list[int]:
    shape = shapes.get(name, [])
    if len(shape) != 3 or not all(shape):
        raise CheckpointError(
            f"{path}: {name} has shape {shape}; a one-dimensional convolution has three axes."
        )
    return shape


def _mel(config: JsonConfig, hyper: Mapping[str, Any]) -> MelSpec:
    hop = config.whole("hop_size", 1, _MAX_HOP)
    made = prod(hyper["upsample_rates"])
    if hop != made:
        raise config.error("hop_size", f"is {hop}, but the upsampling rates make {made} samples of a frame.")
    sample_rate = config.whole("sampling_rate", 1000, 384_000)
    nyquist = sample_rate / 2
    n_fft = config.whole("n_fft", max(hop, 16), 65536)
    fmin = config.number("fmin", 0.0, nyquist) if "fmin" in config else 0.0
    return MelSpec(
        convention="jik876",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop,
        win_samples=config.whole("win_size", 1, n_fft),
        bands=hyper["bands"],
        fmin_hz=fmin,
        fmax_hz=config.number("fmax", fmin + 1.0, nyquist) if "fmax" in config else nyquist,
        log="ln",
        floor=_FLOOR,
    )
