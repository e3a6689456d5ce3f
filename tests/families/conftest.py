"""Vectors the HiFi-GAN composition is held against: the project's own and the public implementation's."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

TESTS = Path(__file__).resolve().parents[1]
REFERENCE = Path(os.environ.get("SYNTHHOST_REFERENCE", TESTS.parents[1] / "shared" / "reference"))
GOLDEN = ["hifigan-tiny-v1", "hifigan-tiny-v3", "hifigan-tiny-uneven"]
PUBLISHED = ["hifigan-jik876-v1", "hifigan-jik876-v2", "hifigan-jik876-v3"]


@dataclass(frozen=True)
class Vector:
    """A configuration, its weights by published name, mel `[1, bands, frames]`, audio `[1, 1, samples]`."""

    config: dict[str, Any]
    weights: dict[str, Tensor]
    mel: Tensor
    audio: Tensor
    tolerance: float


def folded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return plain weights: g * v / norm of v over every axis but the first."""
    weights = {}
    for name, tensor in state.items():
        if name.endswith(".weight_v"):
            gain = state[name.removesuffix("v") + "g"]
            weights[name.removesuffix("_v")] = gain * tensor / tensor.norm(dim=(1, 2), keepdim=True)
        elif not name.endswith(".weight_g"):
            weights[name] = tensor
    return weights


def golden(name: str) -> Vector:
    """Read one of the project's own folders."""
    folder = TESTS / "golden" / name
    config = json.loads((folder / "config.json").read_text())
    weights = {key: value.float() for key, value in load_file(folder / "weights.safetensors").items()}
    mel, audio = (torch.from_numpy(np.load(folder / f"{part}.npy")) for part in ("mel", "audio"))
    return Vector(config, weights, mel[None], audio[None, None], tolerance=1e-5)


def published(name: str) -> Vector:
    """Read a folder computed with the public implementation, or skip."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    about = json.loads((folder / "about.json").read_text())
    state = torch.load(folder / "checkpoint.pth", weights_only=True, map_location="cpu")["generator"]
    mel, audio = (torch.from_numpy(np.load(folder / f"{part}.npy")) for part in ("mel", "audio"))
    config = json.loads((folder / "config.json").read_text())
    return Vector(config, folded(state), mel, audio, about["tolerance"]["audio"])


@pytest.fixture(
    scope="session",
    params=[*GOLDEN, *(pytest.param(name, marks=pytest.mark.reference) for name in PUBLISHED)],
)
def vector(request: pytest.FixtureRequest) -> Vector:
    """Each vector in turn."""
    return published(request.param) if request.param in PUBLISHED else golden(request.param)


@pytest.fixture(scope="session")
def tiny() -> Vector:
    """The smallest vector of the project's own."""
    return golden("hifigan-tiny-uneven")
