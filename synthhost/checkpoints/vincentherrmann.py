"""WaveNets of vincentherrmann/pytorch-wavenet: state dicts of its present form and of its 2017 form.

The present form hears ids one-hot and has `filter_convs` and `gate_convs`; the 2017 form hears amplitudes and
has `dilated_convs`, whose outputs are a tanh's and a sigmoid's, or, in the oldest files, a rectifier's.

How many layers a block has, and so the dilations, is in no shape. A JSON file of the model's arguments tells
it (`params.json` beside the file, or named with --config), or the file's name as the author writes them,
`NAME_LAYERS-BLOCKS-CLASSES-DILATION-RESIDUAL-SKIP-KERNEL`; its other numbers do not always match the shapes.
Where neither does, blocks are taken to be as long as they can be up to 12, which holds for every network the
author published, and the model says so. Nothing but that JSON file tells the sample rate; otherwise it is the
trainer's 16 kHz, or what a person says.
"""

from __future__ import annotations

import re
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
from synthhost.families.registry import family
from synthhost.families.wavenet_parts import UNCONDITIONAL

DEFAULT_SAMPLE_RATE = 16000  # Hz, the default of the trainer's data set

_NAME = "vincentherrmann/pytorch-wavenet"
_CONFIG = "params.json"
_MARKS = ("start_conv.weight", "residual_convs.0.weight", "skip_convs.0.weight")
_CONDITIONED = "conditioning"  # in the names of a branch that conditions, whose arithmetic is not known here
_SHAPE_IN_NAME = re.compile(r"_(\d{1,2})-\d{1,2}-\d")
_MAX_LAYERS = 17  # of a block: the last one reaches back 65536 samples
_USUAL_LAYERS = 12  # the longest block the author published


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a WaveNet of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name) for name in content]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names.

    Args:
        path: Of the checkpoint; its name may tell the layers of a block.
        content: Of the checkpoint.
        config_path: A JSON file of the model's arguments.

    Raises:
        CheckpointError: Nothing tells the layers of a block, or shapes or configuration do not fit together.
    """
    published = plain_tensors(content)
    config = _config(path, config_path)
    layers = layer_count(path, published, "residual_convs.{}.weight")
    conditioned = next((name for name in published if _CONDITIONED in name), None)
    if conditioned is not None:
        raise CheckpointError(f"{path}: {conditioned} conditions the network; only free ones are read here.")
    tensors = _renamed(path, published, layers)
    block, assumed = _layers_of_a_block(path, config, layers)
    hyper = _hyper(path, tensors, layers, block)
    kind = family("wavenet")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    rate = DEFAULT_SAMPLE_RATE
    if config is not None and "sample_rate" in config:
        rate = config.whole("sample_rate", 1000, 384_000)
    return ReadModel(_NAME, "wavenet", hyper, None, tensors, rate, about=assumed)


LAYOUT = Layout(_NAME, recognise, read)


def _config(path: Path, named: Path | None) -> JsonConfig | None:
    beside = path.parent / _CONFIG
    if named is None and not beside.is_file():
        return None
    return JsonConfig(named or beside)


def _layers_of_a_block(path: Path, config: JsonConfig | None, layers: int) -> tuple[int, str]:
    """Return after how many layers the dilations begin anew with 1, and what was assumed, if anything."""
    if config is not None:
        block = config.whole("layers", 1, _MAX_LAYERS)
        if layers % block:
            raise config.error(
                "layers", f"is {block}, but the weights have {layers} layers, no multiple of it."
            )
        return block, ""
    found = _SHAPE_IN_NAME.search(path.name)
    named = int(found[1]) if found else 0
    if 1 <= named <= _MAX_LAYERS and layers % named == 0:
        return named, ""
    likely = [length for length in range(2, _USUAL_LAYERS + 1) if layers % length == 0 and layers > length]
    if not likely:
        raise CheckpointError(
            f"{path}: neither the weights nor the file's name say how many of {layers} layers a block has. "
            f'Put {_CONFIG} beside it, such as {{"layers": 10}}, or name such a file with --config.'
        )
    return likely[-1], (
        f"No file tells how many of its {layers} layers a block has; {likely[-1]} were assumed. "
        f'If that is wrong, import it with --config and a file of {{"layers": N}}.'
    )


def _renamed(path: Path, published: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Return the tensors under the family's names, filters above gates; biases are 0 where there are none."""
    left = dict(published)
    tensors: dict[str, Tensor] = {}
    fused = "dilated_convs.0.weight" in left
    for layer in range(layers):
        name = f"conv_layers.{layer}"
        parts = ("dilated_convs",) if fused else ("filter_convs", "gate_convs")
        _take(path, left, tensors, [f"{part}.{layer}" for part in parts], f"{name}.conv")
        _take(path, left, tensors, [f"residual_convs.{layer}"], f"{name}.conv1x1_out")
        _take(path, left, tensors, [f"skip_convs.{layer}"], f"{name}.conv1x1_skip")
    _take(path, left, tensors, ["start_conv"], "first_conv")
    for place, name in enumerate(["end_conv"] if "end_conv.weight" in left else ["end_conv_1", "end_conv_2"]):
        _take(path, left, tensors, [name], f"last_conv_layers.{2 * place + 1}")
    return {**left, **tensors}


def _take(path: Path, left: dict[str, Tensor], tensors: dict[str, Tensor], names: list[str], to: str) -> None:
    """Move the weights of layers beside each other, and their biases, under one name."""
    for name in names:
        shape_of(path, left, f"{name}.weight", 3)
    weights = [left.pop(f"{name}.weight") for name in names]
    biases = [
        left.pop(f"{name}.bias", torch.zeros(weight.shape[0]))
        for name, weight in zip(names, weights, strict=True)
    ]
    if len({weight.shape for weight in weights}) > 1:
        raise CheckpointError(f"{path}: {' and '.join(names)} differ in shape; they gate each other.")
    tensors[f"{to}.weight"] = torch.cat(weights)
    tensors[f"{to}.bias"] = torch.cat(biases)


def _hyper(path: Path, tensors: Mapping[str, Tensor], layers: int, block: int) -> dict[str, Any]:
    gates, residual, kernel = shape_of(path, tensors, "conv_layers.0.conv.weight", 3)
    gated = shape_of(path, tensors, "conv_layers.0.conv1x1_out.weight", 3)[1]
    head = "last_conv_layers.3.weight" in tensors
    classes = shape_of(path, tensors, f"last_conv_layers.{3 if head else 1}.weight", 3)[0]
    heard = shape_of(path, tensors, "first_conv.weight", 3)[1]
    if head == (heard == 1):
        form = "two last layers hears ids one-hot" if head else "end_conv hears amplitudes"
        raise CheckpointError(f"{path}: start_conv takes {heard} channels; the form with {form}.")
    return {
        "dilations": [2 ** (layer % block) for layer in range(layers)],
        "kernel_size": kernel,
        "residual_channels": residual,
        "gate_channels": gates,
        "skip_channels": shape_of(path, tensors, "conv_layers.0.conv1x1_skip.weight", 3)[0],
        "head_channels": shape_of(path, tensors, "last_conv_layers.1.weight", 3)[0] if head else 0,
        "out_channels": classes,
        "scalar_input": not head,
        "gate": "relu" if gates == gated else "tanh-sigmoid",
        "residual_scale": 1.0,
        "skip": "sum",
        "condition_bias": False,
        "gin_channels": 0,
        "n_speakers": 0,
        "conditioning": UNCONDITIONAL.as_json(),
        "output": {
            "distribution": "softmax",
            "levels": float(classes),  # the last id stands for less than 1, and mu is not one less: kept
            "companding": float(classes),
            "de_emphasis": 0.0,
            "gain": 1.0,
            "start": float(classes // 2) if head else 0.0,
        },
    }
