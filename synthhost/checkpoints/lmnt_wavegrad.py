"""WaveGrad checkpoints as lmnt-com/wavegrad writes them: `weights.pt`, `weights-STEP.pt`.

Widths are taken from the shapes. Factors, dilations and the training schedule are the program's own: it reads
none of the `params` in the file, and of them only the sample rate is taken here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.lmnt_mel import mel_spec, sample_rate_of
from synthhost.checkpoints.renaming import shape_of
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

_NAME = "lmnt-com/wavegrad"
_MARKS = ("downsample.0.weight", "film.0.input_conv.weight", "upsample.0.block1.weight", "first_conv.weight")
_FACTORS = (5, 5, 3, 2, 2)
_UP_DILATIONS = ((1, 2, 1, 2), (1, 2, 1, 2), (1, 2, 4, 8), (1, 2, 4, 8), (1, 2, 4, 8))
_DOWN_DILATIONS = ((1, 2, 4),) * 4
_TRAINING = (1e-6, 0.01, 1000)  # first and last beta, and how many
_HOP_SAMPLES = 300
_N_FFT = 2048  # the next power of two above its window of four hops


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a network of this layout."""
    names = [str(name) for name in _state(content)]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names, which are its own.

    Args:
        path: Of the checkpoint.
        content: Of the checkpoint.
        config_path: A JSON file with the `sample_rate`, instead of the checkpoint's `params`.

    Raises:
        CheckpointError: If the weights are not those of the program's network.
    """
    tensors = plain_tensors(_state(content))
    hyper = _hyper(str(path), tensors)
    kind = family("wavegrad")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    rate = sample_rate_of(_params(path, content, config_path))
    mel = mel_spec(hyper["bands"], _HOP_SAMPLES, _N_FFT, rate)
    return ReadModel(_NAME, "wavegrad", hyper, mel, tensors)


LAYOUT = Layout(_NAME, recognise, read)


def _state(content: Any) -> Mapping[str, Any]:
    inner = content.get("model", content) if isinstance(content, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _params(path: Path, content: Mapping[str, Any], named: Path | None) -> Settings:
    if named is not None:
        return JsonConfig(named)
    inner = content.get("params")
    return Settings(f"{path}: params", inner if isinstance(inner, Mapping) else {})


def _hyper(place: str, tensors: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the family's hyper-parameters: widths from the shapes, the rest the program's."""
    mel_channels, bands, _ = shape_of(place, tensors, "first_conv.weight")
    stages = range(len(_FACTORS))
    up = [shape_of(place, tensors, f"upsample.{index}.block1.weight")[0] for index in stages]
    down = [shape_of(place, tensors, f"film.{index}.input_conv.weight")[0] for index in stages]
    first, last, count = _TRAINING
    return {
        "variant": "lmnt",
        "bands": bands,
        "factors": list(_FACTORS),
        "mel_channels": mel_channels,
        "up_channels": up,
        "up_dilations": [list(row) for row in _UP_DILATIONS],
        "down_channels": down,
        "down_dilations": [list(row) for row in _DOWN_DILATIONS],
        "training_betas": {"first": first, "last": last, "count": count},
    }
