"""Checkpoints of kan-bayashi/ParallelWaveGAN: `checkpoint-NNNsteps.pkl`, `config.yml` and statistics beside.

One layout for several networks: MelGAN and multi-band MelGAN, HiFi-GAN, and Parallel WaveGAN itself. Which
one it is, the names of the tensors say. Frames are raw log-mels; mean and scale become part of the model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from torch import Tensor

from synthhost.checkpoints import toolkit_hifigan, toolkit_melgan, toolkit_pwg
from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.settings import Settings
from synthhost.checkpoints.statistics import read_statistics
from synthhost.checkpoints.toolkit_settings import mel_spec
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.checkpoints.yaml_config import YamlConfig
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families.registry import family

_NAME = "kan-bayashi/ParallelWaveGAN"

ReadGenerator: TypeAlias = Callable[
    [str, Mapping[str, Tensor], Settings], tuple[dict[str, Any], dict[str, Tensor]]
]

_GENERATORS: Mapping[str, tuple[str, str, ReadGenerator]] = MappingProxyType(
    {
        "MelGANGenerator": ("melgan.", "melgan", toolkit_melgan.read_generator),
        "HiFiGANGenerator": ("input_conv.", "hifigan", toolkit_hifigan.read_generator),
        "ParallelWaveGANGenerator": ("first_conv.", "parallel-wavegan", toolkit_pwg.read_generator),
    }
)
"""By its class in the toolkit: what some tensor's name begins with, the family here, and its reader."""

_DEFAULT_TYPE = "ParallelWaveGANGenerator"  # where the configuration names none


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is a checkpoint of this layout."""
    if not isinstance(content, Mapping) or not isinstance(content.get("model"), Mapping):
        return False
    return isinstance(content["model"].get("generator"), Mapping)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the generator in its family's own names, statistics included.

    Raises:
        CheckpointError: It is a network not known here, or the configuration or the statistics are missing or
            do not fit.
    """
    place = str(path)
    tensors = plain_tensors(content["model"]["generator"])
    where = _config_path(path, config_path)
    config = YamlConfig(where)
    name, read_generator = _kind(place, tensors, config)
    hyper, named = read_generator(place, tensors, config)
    try:
        bands_and_hop = family(name).hyper_from_json(hyper)
    except ConfigError as error:
        raise CheckpointError(f"{place}: {error}") from error
    mel = mel_spec(config, bands_and_hop.bands, bands_and_hop.hop_samples)
    statistics = read_statistics((path.parent, where.parent), config.text("format"), mel.bands)
    return ReadModel(_NAME, name, hyper, mel, {**named, **statistics})


LAYOUT = Layout(_NAME, recognise, read)


def _kind(place: str, tensors: Mapping[str, Tensor], config: Settings) -> tuple[str, ReadGenerator]:
    said = config.text("generator_type") or _DEFAULT_TYPE
    for kind, (mark, name, read_generator) in _GENERATORS.items():
        if any(tensor.startswith(mark) for tensor in tensors):
            if said != kind:
                raise config.error("generator_type", f"means {said[:60]}, but the weights are a {kind}'s.")
            return name, read_generator
    raise CheckpointError(
        f"{place}: holds the generator {said[:60]}, which is not read here. "
        f"Read are: {', '.join(_GENERATORS)}."
    )


def _config_path(path: Path, named: Path | None) -> Path:
    if named is not None:
        return named
    beside = path.parent / "config.yml"
    if not beside.is_file():
        raise CheckpointError(
            f"{path}: there is no config.yml beside it, and the weights do not show everything of the "
            "network and the mel front end. Put the checkpoint's config.yml beside it or name it with "
            "--config."
        )
    return beside
