"""DiffWave checkpoints as lmnt-com/diffwave writes them: `weights.pt`, `weights-STEP.pt`.

Weights, and the parameters of training under `params`. Widths and layers come from the shapes; dilations,
schedules and mel front end from `params`, from a JSON file of them, or else from the program's defaults. The
table of steps is not in the file: the family computes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.gathering import count_of, step_channels
from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.lmnt_mel import mel_spec, sample_rate_of
from synthhost.checkpoints.renaming import shape_of
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.diffwave_hyper import CONDITIONAL_HOP_SAMPLES, free_hop_samples
from synthhost.families.noise_schedule import MAX_STEPS
from synthhost.families.registry import family

_NAME = "lmnt-com/diffwave"
_MARKS = ("diffusion_embedding.projection1.weight", "residual_layers.0.dilated_conv.weight")
_TOLD = ("diffusion_embedding.projection1", "diffusion_embedding.projection2")
_LONGEST_CLIP = 1 << 30

# What the program takes where nothing else is said.
_CYCLE = 10
_N_FFT = 1024
_CLIP_SAMPLES = 22050 * 5
_FIRST_BETA, _LAST_BETA, _TRAINING_STEPS = 1e-4, 0.05, 50


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a network of this layout."""
    names = [str(name) for name in _state(content)]
    return all(any(name.endswith(mark) for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names, which are its own.

    Args:
        path: Of the checkpoint.
        content: Of the checkpoint.
        config_path: A JSON file of the program's parameters, instead of those in the checkpoint.

    Raises:
        CheckpointError: If the parameters do not fit the weights, or cannot be used.
    """
    tensors = plain_tensors(_state(content))
    params = _params(path, content, config_path)
    hyper = _hyper(path, tensors, params)
    kind = family("diffwave")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    rate, bands = sample_rate_of(params), hyper["bands"]
    if not bands:
        return ReadModel(_NAME, "diffwave", hyper, None, tensors, rate)
    n_fft = params.whole("n_fft", 4 * CONDITIONAL_HOP_SAMPLES, 65536) if "n_fft" in params else _N_FFT
    return ReadModel(_NAME, "diffwave", hyper, mel_spec(bands, CONDITIONAL_HOP_SAMPLES, n_fft, rate), tensors)


LAYOUT = Layout(_NAME, recognise, read)


def _state(content: Any) -> Mapping[str, Any]:
    inner = content.get("model", content) if isinstance(content, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _params(path: Path, content: Mapping[str, Any], named: Path | None) -> Settings:
    if named is not None:
        return JsonConfig(named)
    inner = content.get("params")
    return Settings(f"{path}: params", inner if isinstance(inner, Mapping) else {})


def _hyper(path: Path, tensors: Mapping[str, Tensor], params: Settings) -> dict[str, Any]:
    """Return the family's hyper-parameters, those the shapes show taken from the shapes."""
    place = str(path)
    width = shape_of(place, tensors, "input_projection.weight")[0]
    layers = count_of(tensors, "residual_layers.#.dilated_conv.weight")
    bands = 0
    if "spectrogram_upsampler.conv1.weight" in tensors:  # whatever `unconditional` says
        bands = shape_of(place, tensors, "residual_layers.0.conditioner_projection.weight")[1]
        params.expect("n_mels", bands)
        params.expect("hop_samples", CONDITIONAL_HOP_SAMPLES)
    params.expect("residual_channels", width)
    params.expect("residual_layers", layers)
    return {
        "variant": "lmnt",
        "bands": bands,
        "hop_samples": CONDITIONAL_HOP_SAMPLES if bands else _free_hop(params),
        "residual_channels": width,
        "skip_channels": shape_of(place, tensors, "skip_projection.weight")[0],
        "residual_layers": layers,
        "dilation_cycle_length": _cycle(params),
        "step_channels": step_channels(place, tensors, _TOLD),
        "training_betas": _betas(params, "noise_schedule", _default_training()),
        "fast_betas": _betas(params, "inference_noise_schedule", []),
    }


def _cycle(params: Settings) -> int:
    key = "dilation_cycle_length"
    return params.whole(key, 1, 64) if key in params else _CYCLE


def _free_hop(params: Settings) -> int:
    clip = params.whole("audio_len", 1, _LONGEST_CLIP) if "audio_len" in params else _CLIP_SAMPLES
    return free_hop_samples(clip)


def _betas(params: Settings, key: str, default: Any) -> Any:
    return params.listed(key, MAX_STEPS) if key in params else default


def _default_training() -> dict[str, Any]:
    return {"first": _FIRST_BETA, "last": _LAST_BETA, "count": _TRAINING_STEPS}
