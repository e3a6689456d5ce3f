"""SampleRNN checkpoints as deepsound-project/samplernn-pytorch writes them: `ep3-it1200`, `best-ep3-it1200`.

A bare state of the predictor without a configuration. All but the sample rate shows in the shapes; the rate,
where it is not the trainer's 16 kHz, is in the name of the results folder, `exp:NAME-...-sample_rate:22050`,
above the `checkpoints` folder that the file is in. Out of such a folder the trainer's rate is taken, unless a
file of its parameters is named, or the rate itself is said when the model is imported.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

DEFAULT_SAMPLE_RATE = 16000  # Hz, the published trainer's own default, left out of the folder's name

_NAME = "deepsound-project/samplernn-pytorch"
_PREFIX = "model."
_MARKS = ("frame_level_rnns.0.h0", "frame_level_rnns.0.rnn.weight_hh_l0", "sample_level_mlp.embedding.weight")
_TAG = re.compile(r"(?:^|-)sample_rate:(\d{1,9})(?=-|$)")
_LOWEST_RATE, _HIGHEST_RATE = 1000, 384_000
_FOLDERS_ABOVE = 3  # RESULTS/TAG/checkpoints/FILE


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a predictor of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name) for name in content]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the model in the family's own names.

    Args:
        path: Of the checkpoint; the folders above it may tell the sample rate.
        content: Of the checkpoint.
        config_path: A JSON file of the trainer's parameters, if there is one; `sample_rate` is taken from it.

    Raises:
        CheckpointError: If shapes do not fit together, or the configuration or the folder's name not them.
    """
    tensors = {name.removeprefix(_PREFIX): tensor for name, tensor in plain_tensors(content).items()}
    hyper = _hyper(path, tensors)
    kind = family("samplernn")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    rate = _folder_rate(path) if config_path is None else _config_rate(JsonConfig(config_path), hyper)
    return ReadModel(_NAME, "samplernn", hyper, None, tensors, rate)


LAYOUT = Layout(_NAME, recognise, read)


def _hyper(path: Path, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the family's hyper-parameters, all from shapes."""
    spans = _spans(path, tensors)
    layers = 0
    while f"frame_level_rnns.0.rnn.weight_hh_l{layers}" in tensors:
        layers += 1
    return {
        "frame_sizes": [span // below for span, below in zip(spans, [1, *spans], strict=False)],
        "n_rnn": layers,
        "dim": _shape(path, tensors, "frame_level_rnns.0.input_expand.weight", 3)[0],
        "q_levels": _shape(path, tensors, "sample_level_mlp.embedding.weight", 2)[0],
    }


def _spans(path: Path, tensors: Mapping[str, Tensor]) -> list[int]:
    """Return how many samples a frame of each tier covers, the lowest first; each holds whole ones below."""
    spans: list[int] = []
    while (name := f"frame_level_rnns.{len(spans)}.input_expand.weight") in tensors:
        spans.append(_shape(path, tensors, name, 3)[1])
    for below, span in pairwise(spans):
        if span % below:
            raise CheckpointError(
                f"{path}: tiers over {spans} samples; each must cover whole frames of the one below. "
                f"This is no {_NAME} model."
            )
    return spans


def _shape(path: Path, tensors: Mapping[str, Tensor], name: str, axes: int) -> list[int]:
    shape = list(tensors[name].shape) if name in tensors else []
    if len(shape) != axes or not all(shape):
        raise CheckpointError(f"{path}: {name} has shape {shape}; this layout gives it {axes} axes.")
    return shape


def _folder_rate(path: Path) -> int:
    """Return the sample rate that the results folder's name tells, in Hz, or the trainer's default."""
    for folder in path.resolve().parents[:_FOLDERS_ABOVE]:
        found = _TAG.search(folder.name)
        if found is None:
            continue
        rate = int(found[1])
        if not _LOWEST_RATE <= rate <= _HIGHEST_RATE:
            raise CheckpointError(
                f"{folder}: its name says sample_rate:{rate}; {_LOWEST_RATE} to {_HIGHEST_RATE} Hz can be "
                "played. Rename the folder."
            )
        return rate
    return DEFAULT_SAMPLE_RATE


def _config_rate(config: JsonConfig, hyper: Mapping[str, Any]) -> int:
    """Return the sample rate that the trainer's parameters tell, in Hz; the others must fit the weights."""
    for key, value in hyper.items():
        config.expect(key, value)
    if "sample_rate" not in config:
        return DEFAULT_SAMPLE_RATE
    return config.whole("sample_rate", _LOWEST_RATE, _HIGHEST_RATE)
