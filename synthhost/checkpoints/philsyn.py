"""Unconditional DiffWave checkpoints as philsyn/DiffWave-unconditional writes them: `ITERATION.pkl`.

Widths and layers are taken from the shapes; dilations, the schedule, the clips' length and the sample rate
from the repository's `config.json`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.gathering import Parts, count_of, gathered, step_channels
from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.renaming import shape_of
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.diffwave_hyper import free_hop_samples
from synthhost.families.registry import family

_NAME = "philsyn/DiffWave-unconditional"
_BLOCKS = "residual_layer.residual_blocks"
_MARKS = ("residual_layer.fc_t1.weight", f"{_BLOCKS}.0.fc_t.weight", "final_conv.2.conv.weight")
_TOLD = ("residual_layer.fc_t1", "residual_layer.fc_t2")
_LONGEST_CLIP = 1 << 30


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a network of this layout."""
    names = [str(name) for name in _state(content)]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names.

    Raises:
        CheckpointError: If the configuration is missing or does not fit, or the network takes mel frames.
    """
    tensors = plain_tensors(_state(content))
    if any(".upsample_conv2d." in name for name in tensors):
        raise CheckpointError(
            f"{path}: this network takes mel frames in every layer; only {_NAME}'s is read."
        )
    config = JsonConfig(_config_path(path, config_path))
    hyper = _hyper(path, tensors, config)
    kind = family("diffwave")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    renamed = gathered(str(path), tensors, _layers(hyper), expected)
    rate = config.section("trainset_config").whole("sampling_rate", 1000, 384_000)
    return ReadModel(_NAME, "diffwave", hyper, None, renamed, rate)


LAYOUT = Layout(_NAME, recognise, read)


def _state(content: Any) -> Mapping[str, Any]:
    inner = content.get("model_state_dict", content) if isinstance(content, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _config_path(path: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    beside = path.parent / "config.json"
    if not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no config.json beside it, and the weights do not show dilations and the "
            "schedule. Put the repository's config.json beside it or name it with --config."
        )
    return beside


def _hyper(path: Path, tensors: Mapping[str, Tensor], config: Settings) -> dict[str, Any]:
    """Return the family's hyper-parameters, those the shapes show taken from the shapes."""
    place = str(path)
    shape, network = config.section("wavenet_config"), config.section("diffusion_config")
    width = shape_of(place, tensors, "init_conv.0.conv.weight")[0]
    skip = shape_of(place, tensors, "final_conv.0.conv.weight")[0]
    layers = count_of(tensors, f"{_BLOCKS}.#.fc_t.weight")
    shape.expect("res_channels", width)
    shape.expect("skip_channels", skip)
    shape.expect("num_res_layers", layers)
    return {
        "variant": "philsyn",
        "bands": 0,
        "hop_samples": free_hop_samples(_clip_samples(config.section("trainset_config"))),
        "residual_channels": width,
        "skip_channels": skip,
        "residual_layers": layers,
        "dilation_cycle_length": shape.whole("dilation_cycle", 1, 64),
        "step_channels": step_channels(place, tensors, _TOLD),
        "training_betas": {
            "first": network.number("beta_0", 0.0, 1.0),
            "last": network.number("beta_T", 0.0, 1.0),
            "count": network.whole("T", 1, 1000),
        },
        "fast_betas": [],
    }


def _clip_samples(trainset: Settings) -> int:
    key = "segment_length"
    return trainset.whole(key, 1, _LONGEST_CLIP) if key in trainset else 64


def _layers(hyper: Mapping[str, Any]) -> dict[str, Parts]:
    """Return what each of the family's layers is made of."""
    width, skip = hyper["residual_channels"], hyper["skip_channels"]
    _, middle, told = hyper["step_channels"]
    layers: dict[str, Parts] = {
        "input_projection": (("init_conv.0.conv", width),),
        "diffusion_embedding.projection1": (("residual_layer.fc_t1", middle),),
        "diffusion_embedding.projection2": (("residual_layer.fc_t2", told),),
        "skip_projection": (("final_conv.0.conv", skip),),
        "output_projection": (("final_conv.2.conv", 1),),
    }
    for index in range(hyper["residual_layers"]):
        ours, theirs = f"residual_layers.{index}", f"{_BLOCKS}.{index}"
        layers[f"{ours}.diffusion_projection"] = ((f"{theirs}.fc_t", width),)
        layers[f"{ours}.dilated_conv"] = ((f"{theirs}.dilated_conv_layer.conv", 2 * width),)
        layers[f"{ours}.output_projection"] = ((f"{theirs}.res_conv", width), (f"{theirs}.skip_conv", skip))
    return layers
