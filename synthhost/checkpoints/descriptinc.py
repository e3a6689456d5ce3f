"""MelGAN checkpoints as descriptinc/melgan-neurips writes them: a bare `netG.pt` or `best_netG.pt`.

The shapes say everything of the network; `args.yml` beside it, or named, has only to agree. The front end is
the one its code always has, but for its hop, which is the network's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

from synthhost.checkpoints.layout import Layout, ReadModel
from synthhost.checkpoints.melgan_layers import DESCRIPTINC, family_tensors, shapes_say
from synthhost.checkpoints.renaming import unusual
from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.checkpoints.yaml_config import YamlConfig
from synthhost.core.mel_conventions import MEL_CONVENTIONS

_NAME = "descriptinc/melgan-neurips"
_SILENCE = -5.0  # log10 of the floor, 1e-5


def recognise(content: Any) -> bool:
    """Tell by the names whether a file's content is a generator of this layout."""
    if not isinstance(content, Mapping):
        return False
    names = [str(name) for name in content]
    marks = ("model.1.", "model.4.block.2.", ".shortcut.")
    return all(any(mark in name for name in names) for mark in marks)


def read(path: Path, content: Any, config_path: Path | None) -> ReadModel:
    """Return the generator in the family's own names.

    Raises:
        CheckpointError: It is another network, or its `args.yml` says something else.
    """
    place = str(path)
    tensors = plain_tensors(content)
    shapes = shapes_say(place, tensors, DESCRIPTINC)
    if shapes["subbands"] != 1:
        raise unusual(place, f"{shapes['subbands']} channels of sound come out of it")
    hyper = {**shapes, "silence": _SILENCE}
    _check_args(path, config_path, hyper)
    hop = prod(hyper["upsample_scales"])
    mel = replace(MEL_CONVENTIONS["descriptinc"].published, bands=hyper["bands"], hop_samples=hop)
    return ReadModel(_NAME, "melgan", hyper, mel, family_tensors(place, tensors, DESCRIPTINC, hyper))


LAYOUT = Layout(_NAME, recognise, read)


def _check_args(path: Path, named: Path | None, hyper: Mapping[str, Any]) -> None:
    beside = path.parent / "args.yml"
    where = named or (beside if beside.is_file() else None)
    if where is None:
        return
    args = YamlConfig(where)
    args.expect("n_mel_channels", hyper["bands"])
    args.expect("ngf", hyper["channels"] >> len(hyper["upsample_scales"]))
    args.expect("n_residual_layers", hyper["stacks"])
