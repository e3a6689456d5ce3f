"""MelGAN as descriptinc/melgan-neurips and seungwonpark/melgan write it sounds as their torch modules do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.library.shelves import load_model

BANDS, SCALES, STACKS = 6, (4, 3), 2
HP = """data:
  train: ''
---
audio:
  n_mel_channels: 6
  filter_length: 64
  hop_length: 12
  win_length: 48
  sampling_rate: 8000
  mel_fmin: 0.0
  mel_fmax: 3000.0
---
log:
  chkpt_dir: 'chkpt'
"""
ARGS = """!!python/object:argparse.Namespace
n_mel_channels: 6
ngf: 4
n_residual_layers: 2
data_path: !!python/object/apply:pathlib.PosixPath
- data
"""


def block(channels: int, dilation: int) -> nn.Sequential:
    rectifiers = nn.LeakyReLU(0.2), nn.LeakyReLU(0.2)
    conv = nn.Conv1d(channels, channels, 3, dilation=dilation)
    mix = nn.Conv1d(channels, channels, 1)
    return nn.Sequential(rectifiers[0], nn.ReflectionPad1d(dilation), conv, rectifiers[1], mix)


class OneBlock(nn.Module):
    """descriptinc's residual stack."""

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.block = block(channels, dilation)
        self.shortcut = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.shortcut(x) + self.block(x)


class AllBlocks(nn.Module):
    """seungwonpark's residual stacks of one stage."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(block(channels, 3**k) for k in range(STACKS))
        self.shortcuts = nn.ModuleList(nn.Conv1d(channels, channels, 1) for _ in range(STACKS))

    def forward(self, x: Tensor) -> Tensor:
        for one, shortcut in zip(self.blocks, self.shortcuts, strict=True):
            x = shortcut(x) + one(x)
        return x


def layers(together: bool) -> nn.Sequential:
    """Return the numbered list both write, residual stacks one by one or a stage together."""
    torch.manual_seed(6)
    channels = 16
    made: list[nn.Module] = [nn.ReflectionPad1d(3), nn.Conv1d(BANDS, channels, 7)]
    for scale in SCALES:
        odd = scale % 2
        edge = {"padding": scale // 2 + odd, "output_padding": odd}
        made += [nn.LeakyReLU(0.2), nn.ConvTranspose1d(channels, channels // 2, 2 * scale, scale, **edge)]
        channels //= 2
        made += [AllBlocks(channels)] if together else [OneBlock(channels, 3**k) for k in range(STACKS)]
    made += [nn.LeakyReLU(0.2), nn.ReflectionPad1d(3), nn.Conv1d(channels, 1, 7), nn.Tanh()]
    network = nn.Sequential(*made)
    for layer in list(network.modules()):
        if isinstance(layer, nn.Conv1d | nn.ConvTranspose1d):
            parametrizations.weight_norm(layer)
    return network.eval()


def named(network: nn.Module, prefix: str) -> dict[str, Tensor]:
    return {f"{prefix}{name}": tensor for name, tensor in network.state_dict().items()}


def descriptinc(folder: Path, args: str | None = ARGS) -> tuple[nn.Module, Path]:
    network = layers(together=False)
    torch.save(named(network, "model."), folder / "netG.pt", _use_new_zipfile_serialization=False)
    if args is not None:
        (folder / "args.yml").write_text(args)
    return network, folder / "netG.pt"


def seungwonpark(folder: Path, hp: str | None = HP) -> tuple[nn.Module, Path]:
    network = layers(together=True)
    content: dict[str, Any] = {"model_g": named(network, "generator."), "model_d": {}, "optim_g": {}}
    content |= {"step": 1, "epoch": 1, "githash": "aca5990", **({} if hp is None else {"hp_str": hp})}
    torch.save(content, folder / "small_aca5990_0001.pt")
    return network, folder / "small_aca5990_0001.pt"


def mels(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).normal(-4.0, 2.0, (BANDS, frames)).astype(np.float32)


def offline(network: nn.Module, mel: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(mel)[None])[0, 0].numpy()


@pytest.mark.parametrize("frames", [4, 15])
def test_descriptinc_sounds_as_its_modules(tmp_path: Path, frames: int) -> None:
    network, path = descriptinc(tmp_path)
    model = load_model(path)
    mel = mels(frames)
    for chunk_frames in (1, 4, 100):
        sound = model.render(mel, chunk_frames=chunk_frames)
        np.testing.assert_allclose(sound, offline(network, mel), atol=2e-6)


@pytest.mark.parametrize("frames", [4, 15])
def test_seungwonpark_sounds_as_its_modules_on_frames_mapped_as_its_network_maps_them(
    tmp_path: Path, frames: int
) -> None:
    network, path = seungwonpark(tmp_path)
    model = load_model(path)
    mel = mels(frames)
    for chunk_frames in (1, 4, 100):
        sound = model.render(mel, chunk_frames=chunk_frames)
        np.testing.assert_allclose(sound, offline(network, (mel + 5.0) / 5.0), atol=2e-6)


def test_silence_after_the_end_is_an_option_as_its_inference_has_it(tmp_path: Path) -> None:
    network, path = seungwonpark(tmp_path)
    mel = mels(9)
    longer = np.pad(mel, ((0, 0), (0, 10)), constant_values=-11.5129)
    expected = offline(network, (longer + 5.0) / 5.0)[: 9 * 12]
    model = load_model(f"{path}?tail_frames=10")
    for chunk_frames in (1, 100):
        np.testing.assert_allclose(model.render(mel, chunk_frames=chunk_frames), expected, atol=2e-6)
    assert np.abs(model.render(mel) - load_model(path).render(mel)).max() > 1e-3


def test_descriptinc_needs_no_args(tmp_path: Path) -> None:
    _, path = descriptinc(tmp_path, None)
    model = read_model(path)
    assert (model.hyper["bands"], model.hyper["channels"], model.hyper["stacks"]) == (6, 16, 2)
    assert (model.mel.convention, model.mel.bands, model.mel.fmax_hz) == ("descriptinc", 6, 11025.0)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("ngf: 32", r"'ngf' is 32, but the weights have 4"),
        ("n_mel_channels: 80", r"'n_mel_channels' is 80"),
        ("n_residual_layers: 3", r"'n_residual_layers' is 3"),
    ],
)
def test_args_of_another_network_are_refused(tmp_path: Path, line: str, words: str) -> None:
    _, path = descriptinc(tmp_path, f"!!python/object:argparse.Namespace\n{line}\n")
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_seungwonparks_front_end_is_in_the_file(tmp_path: Path) -> None:
    _, path = seungwonpark(tmp_path)
    mel = read_model(path).mel
    assert (mel.convention, mel.sample_rate, mel.win_samples, mel.fmax_hz) == (
        "seungwonpark",
        8000,
        48,
        3000.0,
    )
    other = tmp_path / "other.yaml"
    other.write_text(HP.replace("3000.0", "2000.0"))
    assert read_model(path, other).mel.fmax_hz == 2000.0


@pytest.mark.parametrize(
    ("hp", "words"),
    [
        (None, r"holds no configuration \(hp_str\).*--config"),
        ("just text", "holds no named values"),
        (HP.replace("hop_length: 12", "hop_length: 256"), r"'hop_length' is 256, but the weights have 12"),
        (HP.replace("channels: 6", "channels: 80"), r"'n_mel_channels' is 80, but the weights have 6"),
        (HP.replace("8000", "1e12"), r"audio: 'sampling_rate' must"),
        (HP.replace("filter_length: 64", "filter_length: 4"), r"'filter_length' must lie in"),
        (HP.replace("audio:", "sound:"), r"audio: 'sampling_rate' is missing"),
    ],
)
def test_a_front_end_that_does_not_fit_is_refused(tmp_path: Path, hp: str | None, words: str) -> None:
    _, path = seungwonpark(tmp_path, hp)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_another_network_under_these_names_is_refused(tmp_path: Path) -> None:
    network, path = descriptinc(tmp_path)
    state = named(network, "model.")
    torch.save({**state, "model.77.weight": torch.zeros(2, 3, 5)}, path)
    with pytest.raises(CheckpointError, match=r"is no MelGAN|is of another network"):
        read_model(path)
    torch.save({**state, "model.3.more": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match=r"left over model\.3\.more"):
        read_model(path)
