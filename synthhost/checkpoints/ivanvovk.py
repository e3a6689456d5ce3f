"""WaveGrad checkpoints as ivanvovk/WaveGrad writes them: `checkpoint_ITERATION.pt`, `config.json` beside it.

The network lies under `nn.`; beside it lie buffers of the training schedule, which sampling never used and
which are left aside. Widths are taken from the shapes; factors, dilations, the range of the training schedule
and the mel front end from the configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

from torch import Tensor

from synthhost.checkpoints.gathering import Parts, count_of, gathered
from synthhost.checkpoints.json_config import JsonConfig
from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.renaming import shape_of, unusual
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

_NAME = "ivanvovk/WaveGrad"
_NETWORK = "nn."
_MARKS = ("nn.ublock_preconv.conv1d.weight", "nn.dblock_preconv.conv1d.weight", "nn.films.0.")
_MAX_DILATION = 1024
_SCHEDULE = ("alphas", "betas", "posterior_")  # parts of the names of its buffers
_UP: Mapping[str, str] = MappingProxyType(
    {
        "block1": "first_block_residual_branch.0",
        "block2.0": "first_block_main_branch.upsampling.2",
        "block2.1": "first_block_main_branch.modulation.convolution",
        "block3.0": "second_block_main_branch.modulation_0.convolution",
        "block3.1": "second_block_main_branch.modulation_1.convolution",
    }
)
_TRAINING = (1e-6, 0.01, 1000)  # first and last beta, and how many, where the configuration does not tell


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a network of this layout."""
    names = [str(name) for name in _state(content)]
    return all(any(mark in name for name in names) for mark in _MARKS)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the network in the family's own names.

    Raises:
        CheckpointError: If the configuration is missing or does not fit.
    """
    tensors = _network(content)
    config = JsonConfig(_config_path(path, config_path))
    hyper = _hyper(str(path), tensors, config)
    kind = family("wavegrad")
    try:
        expected = kind.tensor_names(kind.hyper_from_json(hyper))
    except ConfigError as error:
        raise CheckpointError(f"{path}: {error}") from error
    mel = _mel(config.section("data_config"), hyper)
    renamed = gathered(str(path), tensors, _layers(hyper), expected)
    return ReadModel(_NAME, "wavegrad", hyper, mel, renamed)


LAYOUT = Layout(_NAME, recognise, read)


def _state(content: Any) -> Mapping[str, Any]:
    inner = content.get("model", content) if isinstance(content, Mapping) else {}
    return inner if isinstance(inner, Mapping) else {}


def _network(content: Any) -> dict[str, Tensor]:
    """Return the network's tensors; what is neither its own nor the schedule's is left over."""
    tensors = plain_tensors(_state(content))
    return {
        name.removeprefix(_NETWORK): tensor
        for name, tensor in tensors.items()
        if name.startswith(_NETWORK) or not any(mark in name for mark in _SCHEDULE)
    }


def _config_path(path: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    beside = path.parent / "config.json"
    if not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no config.json beside it, and the weights do not show factors, dilations and "
            "the mel front end. Put the checkpoint's config.json beside it or name it with --config."
        )
    return beside


def _hyper(place: str, tensors: Mapping[str, Tensor], config: Settings) -> dict[str, Any]:
    """Return the family's hyper-parameters, those the shapes show taken from the shapes."""
    model = config.section("model_config")
    mel_channels, bands, _ = shape_of(place, tensors, "ublock_preconv.conv1d.weight")
    stages = count_of(tensors, "ublocks.#.first_block_residual_branch.0.conv1d.weight")
    if not stages:
        raise unusual(place, "it has no stages up")
    first = _width(place, tensors, "dblock_preconv")
    up = [_width(place, tensors, f"ublocks.{index}.first_block_residual_branch.0") for index in range(stages)]
    down = [_width(place, tensors, f"dblocks.{index}.residual_branch.0") for index in range(stages - 1)]
    model.expect("upsampling_preconv_out_channels", mel_channels)
    model.expect("upsampling_out_channels", up)
    model.expect("downsampling_preconv_out_channels", first)
    model.expect("downsampling_out_channels", down)
    return {
        "variant": "ivanvovk",
        "bands": bands,
        "factors": model.wholes("factors", stages, 1, 64),
        "mel_channels": mel_channels,
        "up_channels": up,
        "up_dilations": model.rows("upsampling_dilations", stages, 1, _MAX_DILATION),
        "down_channels": [first, *down],
        "down_dilations": model.rows("downsampling_dilations", stages - 1, 1, _MAX_DILATION),
        "training_betas": _training(config.section("training_config").section("training_noise_schedule")),
    }


def _width(place: str, tensors: Mapping[str, Tensor], layer: str) -> int:
    return shape_of(place, tensors, f"{layer}.conv1d.weight")[0]


def _training(schedule: Settings) -> dict[str, Any]:
    first, last, count = _TRAINING
    if "betas_range" in schedule:
        first, last = schedule.numbers("betas_range", 2, 0.0, 1.0)
    if "n_iter" in schedule:
        count = schedule.whole("n_iter", 1, 1000)
    return {"first": first, "last": last, "count": count}


def _mel(front_end: Settings, hyper: Mapping[str, Any]) -> MelSpec:
    published = MEL_CONVENTIONS["ivanvovk"].published
    hop = prod(hyper["factors"])
    front_end.expect("n_mels", hyper["bands"])
    front_end.expect("hop_length", hop)
    sample_rate = front_end.whole("sample_rate", 1000, 384_000)
    n_fft = front_end.whole("n_fft", max(hop, 16), 65536)
    fmin = front_end.number("f_min", 0.0, sample_rate / 2)
    return MelSpec(
        convention="ivanvovk",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop,
        win_samples=front_end.whole("win_length", 1, n_fft),
        bands=hyper["bands"],
        fmin_hz=fmin,
        fmax_hz=front_end.number("f_max", fmin + 1.0, sample_rate / 2),
        log=published.log,
        floor=published.floor,
    )


def _layers(hyper: Mapping[str, Any]) -> dict[str, Parts]:
    """Return what each of the family's layers is made of; shifts stand before scales there."""
    up, down = hyper["up_channels"], hyper["down_channels"]
    layers: dict[str, Parts] = {
        "first_conv": (("ublock_preconv.conv1d", hyper["mel_channels"]),),
        "last_conv": (("ublock_postconv.conv1d", 1),),
        "downsample.0": (("dblock_preconv.conv1d", down[0]),),
    }
    for index, width in enumerate(up):
        for ours, theirs in _UP.items():
            layers[f"upsample.{index}.{ours}"] = ((f"ublocks.{index}.{theirs}.conv1d", width),)
    for index, (width, modulated) in enumerate(zip(down, reversed(up), strict=True)):
        film = f"films.{index}"
        layers[f"film.{index}.input_conv"] = ((f"{film}.signal_conv.0.conv1d", width),)
        both = (f"{film}.shift_conv.conv1d", modulated), (f"{film}.scale_conv.conv1d", modulated)
        layers[f"film.{index}.output_conv"] = both
    for index, (width, dilations) in enumerate(zip(down[1:], hyper["down_dilations"], strict=True)):
        ours, theirs = f"downsample.{index + 1}", f"dblocks.{index}"
        layers[f"{ours}.residual_dense"] = ((f"{theirs}.residual_branch.0.conv1d", width),)
        for number in range(len(dilations)):
            convolution = f"{theirs}.main_branch.{number + 1}.convolution.conv1d"
            layers[f"{ours}.conv.{number}"] = ((convolution, width),)
    return layers
