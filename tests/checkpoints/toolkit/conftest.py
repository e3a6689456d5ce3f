"""Networks as kan-bayashi/ParallelWaveGAN lays them out in torch, small and random, saved in its layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from torch import Tensor, nn
from torch.nn.utils import parametrizations

BANDS = 6
CONFIG: dict[str, Any] = {
    "sampling_rate": 8000,
    "fft_size": 64,
    "win_length": None,
    "window": "hann",
    "num_mels": BANDS,
    "fmin": 80,
    "fmax": None,
    "format": "npy",
    "version": "0.6.2a",
}
MEAN = np.linspace(-3.0, -1.0, BANDS, dtype=np.float32)
SCALE = np.linspace(0.5, 1.5, BANDS, dtype=np.float32)


class PastConv(nn.Module):
    """Pads both sides by its whole reach and keeps as many outputs as there were inputs."""

    def __init__(self, inputs: int, outputs: int, kernel: int, dilation: int, pad: nn.Module) -> None:
        super().__init__()
        self.pad = pad
        self.conv = nn.Conv1d(inputs, outputs, kernel, dilation=dilation)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(self.pad(x))[..., : x.shape[2]]


class LaterUp(nn.Module):
    """Doubles the first frame and takes one stride off both ends."""

    def __init__(self, inputs: int, outputs: int, scale: int) -> None:
        super().__init__()
        self.deconv = nn.ConvTranspose1d(inputs, outputs, 2 * scale, scale)
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        doubled = nn.functional.pad(x, (1, 0), mode="replicate")
        return self.deconv(doubled)[..., self.scale : -self.scale]


def up(inputs: int, outputs: int, scale: int, causal: bool) -> nn.Module:
    """Return an upsampling of exact length."""
    if causal:
        return LaterUp(inputs, outputs, scale)
    odd = scale % 2
    return nn.ConvTranspose1d(inputs, outputs, 2 * scale, scale, padding=scale // 2 + odd, output_padding=odd)


def normalised(network: nn.Module) -> nn.Module:
    """Put weight norm on every convolution, with lengths that are not those of the directions."""
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d):
            parametrizations.weight_norm(layer)
            with torch.no_grad():
                lengths = layer.parametrizations.weight.original0
                lengths.mul_(torch.rand_like(lengths) + 0.5)
    return network.eval()


def save(
    folder: Path, network: nn.Module, params: dict[str, Any], kind: str | None, hop: int, **more: Any
) -> Path:
    """Write a checkpoint, its configuration and statistics."""
    path = folder / "checkpoint-1000steps.pkl"
    state = {"generator": network.state_dict(), "discriminator": {}}
    torch.save({"model": state, "optimizer": {}, "scheduler": {}, "steps": 1000, "epochs": 1}, path)
    named = {} if kind is None else {"generator_type": kind}
    config = {**CONFIG, "generator_params": params, "hop_size": hop, **named, **more}
    (folder / "config.yml").write_text(yaml.dump(config))
    np.save(folder / "stats.npy", np.stack([MEAN, SCALE]))
    return path


@pytest.fixture(scope="session")
def toolkit() -> Callable[..., Path]:
    """Give what writes a network in the toolkit's layout."""
    return save


@pytest.fixture(scope="session")
def past_conv() -> type[PastConv]:
    return PastConv


@pytest.fixture(scope="session")
def make_up() -> Callable[..., nn.Module]:
    return up


@pytest.fixture(scope="session")
def with_weight_norm() -> Callable[[nn.Module], nn.Module]:
    return normalised


@pytest.fixture
def raw_and_normal() -> Callable[[int], tuple[np.ndarray, Tensor]]:
    """Give frames as they are, `[bands, frames]`, and as a network is fed, `[1, bands, frames]`."""

    def frames(count: int) -> tuple[np.ndarray, Tensor]:
        raw = np.random.default_rng(count).normal(-2.0, 1.0, (BANDS, count)).astype(np.float32)
        return raw, torch.from_numpy((raw - MEAN[:, None]) / SCALE[:, None])[None]

    return frames
