"""WaveNet checkpoints as r9y9/wavenet_vocoder writes them, `checkpoint_stepN[_ema].pth`.

The `_ema` file holds averaged weights and sounds better; both read alike. In the later generation
`hparams.json` lies beside them; of the earlier one (2018, whose upsampling is a transposed convolution) the
preset's JSON is named with --config. What shapes say is taken from shapes and the configuration must agree.

The later generation was trained on mel frames standardised by statistics that are not in the checkpoint. A
`meanvar.npy` beside it, `[2, bands]`, means above standard deviations, is taken into the model; without, the
model takes frames already standardised. The earlier one takes its own kind of frames, 0 to 1, from elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

from torch import Tensor

from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel, check_tensors
from synthhost.checkpoints.r9y9_conditioning import (
    STATISTICS,
    conditioning_of,
    reshape_upsampling,
    statistics_beside,
)
from synthhost.checkpoints.wavenet_shapes import layer_count, shape_of
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

_NAME = "r9y9/wavenet_vocoder"
_CONFIG = "hparams.json"
_MARKS = ("first_conv.", "conv_layers.0.conv1x1_skip.", "conv_layers.0.conv1x1_out.", "last_conv_layers.3.")
_RELATIVES = ("conv1x1_aux",)  # of Parallel WaveGAN, which names its layers alike
_ABOUT = (
    f"Takes mel frames standardised by the statistics of its training set; no {STATISTICS} lay beside it. "
    "Other frames sound wrong."
)
_PRE_EMPHASIS = 0.85  # not in the configuration
_MEL_FLOOR = 1e-10
_MAX_STACKS = 64


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a WaveNet of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name) for name in _state(content)]
    marked = all(any(mark in name for name in names) for mark in _MARKS)
    return marked and not any(other in name for name in names for other in _RELATIVES)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names.

    Raises:
        CheckpointError: The configuration is missing or does not fit the weights.
    """
    config = JsonConfig(_config_path(path, config_path))
    tensors = plain_tensors(_state(content))
    earlier = any(name.startswith("upsample_conv.") for name in tensors) or "builder" in config
    conditioning = conditioning_of(path, tensors, config)
    statistics = statistics_beside(path, conditioning["channels"])
    tensors.update(statistics)
    conditioning["statistics"] = bool(statistics)
    hyper = _hyper(path, tensors, config, conditioning, earlier)
    reshape_upsampling(tensors)
    kind = family("wavenet")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    check_tensors(str(path), tensors, expected)
    rate = config.whole("sample_rate", 1000, 384_000)
    mel = _mel(config, hyper) if conditioning["channels"] and not earlier else None
    unstandardised = mel is not None and not statistics
    return ReadModel(_NAME, "wavenet", hyper, mel, tensors, rate, about=_ABOUT if unstandardised else "")


LAYOUT = Layout(_NAME, recognise, read)


def _state(content: Mapping[str, Any]) -> Mapping[str, Any]:
    inner = content.get("state_dict", content)
    return inner if isinstance(inner, Mapping) else {}


def _config_path(path: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    beside = path.parent / _CONFIG
    if not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no {_CONFIG} beside it, and the weights do not show dilations, the kind of "
            "input and the mel front end. Put it there, or name the preset's JSON with --config."
        )
    return beside


def _hyper(
    path: Path, tensors: Mapping[str, Tensor], config: JsonConfig, conditioning: dict[str, Any], earlier: bool
) -> dict[str, Any]:
    layers = layer_count(path, tensors, "conv_layers.{}.conv.weight")
    gates, residual, kernel = shape_of(path, tensors, "conv_layers.0.conv.weight", 3)
    skip, _, _ = shape_of(path, tensors, "conv_layers.0.conv1x1_skip.weight", 3)
    outputs, head, _ = shape_of(path, tensors, "last_conv_layers.3.weight", 3)
    _, inputs, _ = shape_of(path, tensors, "first_conv.weight", 3)
    named = {"layers": layers, "residual_channels": residual, "gate_channels": gates}
    for key, found in (named | {"skip_out_channels": skip, "out_channels": outputs}).items():
        config.expect(key, found)
    config.expect("kernel_size", kernel)
    stacks = config.whole("stacks", 1, _MAX_STACKS)
    if layers % stacks:
        raise config.error("stacks", f"is {stacks}, but the weights have {layers} layers, no multiple of it.")
    speakers, width = 0, 0
    if "embed_speakers.weight" in tensors:
        speakers, width = shape_of(path, tensors, "embed_speakers.weight", 2)
    return {
        "dilations": [2 ** (layer % (layers // stacks)) for layer in range(layers)],
        "kernel_size": kernel,
        "residual_channels": residual,
        "gate_channels": gates,
        "skip_channels": skip,
        "head_channels": head,
        "out_channels": outputs,
        "scalar_input": inputs == 1,
        "gate": "tanh-sigmoid",
        "residual_scale": 0.5**0.5,
        "skip": _skip(config, earlier),
        "condition_bias": any(f"conv_layers.0.conv1x1{x}.bias" in tensors for x in "cg"),
        "gin_channels": width,
        "n_speakers": speakers,
        "conditioning": conditioning,
        "output": _output(config, outputs, inputs == 1, earlier),
    }


def _skip(config: JsonConfig, earlier: bool) -> str:
    """Return how skips add up: the earlier generation halves the power at every addition by default."""
    if not earlier:
        return "root"
    return "halving" if config.flag("legacy", default=True) else "sum"


def _output(config: JsonConfig, outputs: int, scalar: bool, earlier: bool) -> dict[str, Any]:
    """Return how what is drawn becomes sound.

    The later generation's batch program counts mu from 0 to levels - 1, the earlier one's to levels.
    """
    kind = config.text("input_type")
    if kind not in ("raw", "mulaw", "mulaw-quantize"):
        raise config.error("input_type", f"is {kind!r}; raw, mulaw and mulaw-quantize are read here.")
    if scalar == (kind == "mulaw-quantize"):
        raise config.error(
            "input_type", f"is {kind!r}, but the weights hear {1 if scalar else outputs} values."
        )
    config.known("postprocess", "", "inv_preemphasis")
    levels = config.whole("quantize_channels", 2, 1 << 16) - (0 if earlier else 1)
    if kind == "mulaw-quantize":
        config.expect("quantize_channels", outputs)
    return {
        "distribution": "softmax" if not scalar else "normal" if outputs == 2 else "logistics",
        "levels": float(levels),
        "companding": 0.0 if kind == "raw" else float(levels),
        "de_emphasis": _PRE_EMPHASIS if config.text("postprocess") == "inv_preemphasis" else 0.0,
        "gain": 1.0 / config.number("global_gain_scale", 1e-6, 1e6) if "global_gain_scale" in config else 1.0,
        "start": 0.0 if scalar else float(levels // 2),
    }


def _mel(config: JsonConfig, hyper: Mapping[str, Any]) -> MelSpec:
    hop = config.whole("hop_size", 1, 65536)
    made = prod(hyper["conditioning"]["scales"])
    if hop != made:
        raise config.error("hop_size", f"is {hop}, but the upsampling layers make {made} samples of a frame.")
    sample_rate = config.whole("sample_rate", 1000, 384_000)
    n_fft = config.whole("fft_size", max(hop, 16), 65536)
    config.known("window", "hann")
    config.expect("num_mels", hyper["conditioning"]["channels"])
    fmin = config.number("fmin", 0.0, sample_rate / 2) if "fmin" in config else 0.0
    return MelSpec(
        convention="r9y9",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop,
        win_samples=config.whole("win_length", 1, n_fft) if "win_length" in config else n_fft,
        bands=hyper["conditioning"]["channels"],
        fmin_hz=fmin,
        fmax_hz=config.number("fmax", fmin + 1.0, sample_rate / 2) if "fmax" in config else sample_rate / 2,
        log="log10",
        floor=_MEL_FLOOR,
    )
