"""MelGAN checkpoints as seungwonpark/melgan writes them: `NAME_GITHASH_EPOCH.pt`, its configuration inside.

Its network maps frames to `(mel + 5) / 5` before anything else; the model keeps that as statistics. Its
inference appends ten frames of silence and drops what they become: the option `tail_frames`.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import Any

import torch

from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.melgan_layers import SEUNGWONPARK, family_tensors, shapes_say
from synthhost.checkpoints.renaming import unusual
from synthhost.checkpoints.settings import Settings, config_text
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.checkpoints.yaml_config import merged, yaml_documents
from synthhost.core.errors import CheckpointError
from synthhost.core.specs import MelSpec

_NAME = "seungwonpark/melgan"
_MEAN, _SCALE = -5.0, 5.0
_SILENCE = -11.5129  # as its inference has it: the natural logarithm of the floor, to four places
_FLOOR = 1e-5


def recognise(content: Any) -> bool:
    """Tell by the keys whether a file's content is of this layout."""
    if not isinstance(content, Mapping) or not isinstance(content.get("model_g"), Mapping):
        return False
    names = [str(name) for name in content["model_g"]]
    marks = ("generator.1.", ".blocks.0.", ".shortcuts.0.")
    return all(any(mark in name for name in names) for mark in marks)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the generator in the family's own names.

    Raises:
        CheckpointError: It is another network, or there is no configuration, or it does not fit.
    """
    place = str(path)
    tensors = plain_tensors(content["model_g"])
    shapes = shapes_say(place, tensors, SEUNGWONPARK)
    if shapes["subbands"] != 1:
        raise unusual(place, f"{shapes['subbands']} channels of sound come out of it")
    hyper = {**shapes, "silence": _SILENCE, "statistics": True}
    mel = _mel(_audio_settings(path, content, config_path), hyper)
    named = family_tensors(place, tensors, SEUNGWONPARK, hyper)
    named["stats.mean"] = torch.full((hyper["bands"],), _MEAN)
    named["stats.scale"] = torch.full((hyper["bands"],), _SCALE)
    return ReadModel(_NAME, "melgan", hyper, mel, named)


LAYOUT = Layout(_NAME, recognise, read)


def _audio_settings(path: Path, content: Mapping[str, Any], named: Path | None) -> Settings:
    """Return the section on sound of the configuration that was named, or of the one in the file."""
    inside = content.get("hp_str")
    if named is not None:
        place, text = str(named), config_text(named)
    elif isinstance(inside, str):
        place, text = f"{path}: hp_str", inside
    else:
        raise CheckpointError(
            f"{path}: holds no configuration (hp_str), and the weights do not show the mel front end. "
            "Name its config.yaml with --config."
        )
    return Settings(place, merged(yaml_documents(text, place), place)).section("audio")


def _mel(audio: Settings, hyper: Mapping[str, Any]) -> MelSpec:
    audio.expect("n_mel_channels", hyper["bands"])
    hop = prod(hyper["upsample_scales"])
    audio.expect("hop_length", hop)
    sample_rate = audio.whole("sampling_rate", 1000, 384_000)
    n_fft = audio.whole("filter_length", max(hop, 16), 65536)
    fmin = audio.number("mel_fmin", 0.0, sample_rate / 2) if "mel_fmin" in audio else 0.0
    highest = sample_rate / 2
    return MelSpec(
        convention="seungwonpark",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop,
        win_samples=audio.whole("win_length", 1, n_fft),
        bands=hyper["bands"],
        fmin_hz=fmin,
        fmax_hz=audio.number("mel_fmax", fmin + 1.0, highest) if "mel_fmax" in audio else highest,
        log="ln",
        floor=_FLOOR,
    )
