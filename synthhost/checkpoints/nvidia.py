"""WaveNets of NVIDIA/nv-wavenet's PyTorch trainer, as state dicts.

Its checkpoints are whole pickled objects, which are not opened; where one was made,
`torch.save(torch.load(FILE)["model"].state_dict(), NEW)` writes what is read here. The `config.json` it was
trained with lies beside it: the weights show neither the hop nor where the dilations begin anew. Frames are
Tacotron 2's. Once stretched they lose their tail, so that a sample hears none but past and present ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.wavenet_shapes import layer_count, shape_of
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

_NAME = "NVIDIA/nv-wavenet"
_MARKS = ("cond_layers.conv.weight", "dilate_layers.0.conv.weight", "skip_layers.0.conv.weight")
_START_ID = 128  # what its kernels put in place of the samples before the first
_MAX_DILATION = 1 << 16


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a WaveNet of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name) for name in content]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names.

    Raises:
        CheckpointError: The configuration is missing or does not fit the weights.
    """
    config = JsonConfig(_config_path(path, config_path))
    published = plain_tensors(content)
    layers = layer_count(path, published, "dilate_layers.{}.conv.weight")
    hyper = _hyper(path, published, config, layers)
    tensors = _renamed(path, published, layers)
    kind = family("wavenet")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    return ReadModel(_NAME, "wavenet", hyper, _mel(config, hyper), tensors)


LAYOUT = Layout(_NAME, recognise, read)


def _config_path(path: Path, named: Path | None) -> Path:
    beside = path.parent / "config.json"
    if named is None and not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no config.json beside it, and the weights do not show dilations, the hop and "
            "the mel front end. Put the trainer's there or name it with --config."
        )
    return named or beside


def _hyper(path: Path, tensors: Mapping[str, Tensor], config: JsonConfig, layers: int) -> dict[str, Any]:
    gates, residual, kernel = shape_of(path, tensors, "dilate_layers.0.conv.weight", 3)
    bands, _, window = shape_of(path, tensors, "upsample.weight", 3)
    classes, head, _ = shape_of(path, tensors, "conv_end.conv.weight", 3)
    shape = config.section("wavenet_config")
    shape.expect("n_layers", layers)
    shape.expect("upsamp_window", window)
    restart = int(math.log2(shape.whole("max_dilation", 1, _MAX_DILATION))) + 1
    hop = shape.whole("upsamp_stride", 1, window)
    conditioning = {"kind": "window", "channels": bands, "scales": [hop], "window": window}
    return {
        "dilations": [2 ** (layer % restart) for layer in range(layers)],
        "kernel_size": kernel,
        "residual_channels": residual,
        "gate_channels": gates,
        "skip_channels": shape_of(path, tensors, "skip_layers.0.conv.weight", 3)[0],
        "head_channels": head,
        "out_channels": classes,
        "scalar_input": False,
        "gate": "tanh-sigmoid",
        "residual_scale": 1.0,
        "skip": "sum",
        "condition_bias": True,
        "gin_channels": 0,
        "n_speakers": 0,
        "conditioning": {**conditioning, "kernel_in": 0, "neighbours": 1, "slope": 1.0, "statistics": False},
        "output": {
            "distribution": "softmax",
            "levels": float(classes - 1),
            "companding": float(classes - 1),
            "de_emphasis": 0.0,
            "gain": 1.0,
            "start": float(_START_ID),
        },
    }


def _renamed(path: Path, published: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return the tensors under the family's names; the last layer hands on nothing, so it gets zeros."""
    left = dict(published)
    residual = shape_of(path, left, "dilate_layers.0.conv.weight", 3)[1]
    classes = shape_of(path, left, "conv_end.conv.weight", 3)[0]
    tensors: dict[str, Tensor] = {}
    condition, bias = left.pop("cond_layers.conv.weight"), left.pop("cond_layers.conv.bias", torch.zeros(0))
    if condition.shape[0] % layers or bias.shape != condition.shape[:1]:
        raise CheckpointError(
            f"{path}: cond_layers {list(condition.shape)} do not condition {layers} layers."
        )
    rows = zip(condition.chunk(layers), bias.chunk(layers), strict=True)
    for layer, (weight, offset) in enumerate(rows):
        name = f"conv_layers.{layer}"
        tensors |= {f"{name}.conv1x1c.weight": weight.clone(), f"{name}.conv1x1c.bias": offset.clone()}
        parts = {"dilate_layers": "conv", "res_layers": "conv1x1_out", "skip_layers": "conv1x1_skip"}
        for old, new in parts.items():
            for leaf in ("weight", "bias"):
                if f"{old}.{layer}.conv.{leaf}" in left:
                    tensors[f"{name}.{new}.{leaf}"] = left.pop(f"{old}.{layer}.conv.{leaf}")
    last = f"conv_layers.{layers - 1}.conv1x1_out"
    tensors.setdefault(f"{last}.weight", torch.zeros(residual, residual, 1))
    tensors.setdefault(f"{last}.bias", torch.zeros(residual))
    embedding = left.pop("embed.weight", torch.zeros(0, 0))
    tensors |= {
        "first_conv.weight": embedding.T[:, :, None].contiguous(),
        "first_conv.bias": torch.zeros(residual),
    }
    for place, name in ((1, "conv_out"), (3, "conv_end")):
        tensors[f"last_conv_layers.{place}.weight"] = left.pop(f"{name}.conv.weight", torch.zeros(0))
        tensors[f"last_conv_layers.{place}.bias"] = torch.zeros(classes)
    return {**left, **tensors}


def _mel(config: JsonConfig, hyper: Mapping[str, Any]) -> MelSpec:
    sound = config.section("data_config")
    hop = hyper["conditioning"]["scales"][0]
    sound.expect("hop_length", hop)
    sample_rate = sound.whole("sampling_rate", 1000, 384_000)
    n_fft = sound.whole("filter_length", max(hop, 16), 65536)
    fmin = sound.number("mel_fmin", 0.0, sample_rate / 2) if "mel_fmin" in sound else 0.0
    fmax = min(8000.0, sample_rate / 2)
    return MelSpec(
        convention="tacotron2",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop,
        win_samples=sound.whole("win_length", 1, n_fft),
        bands=hyper["conditioning"]["channels"],
        fmin_hz=fmin,
        fmax_hz=sound.number("mel_fmax", fmin + 1.0, sample_rate / 2) if "mel_fmax" in sound else fmax,
        log="ln",
        floor=1e-5,
    )
