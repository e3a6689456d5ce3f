"""Claims about nv-wavenet's networks, re-saved as state dicts: they give what its trainer computes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.wavenet import WavenetVoice
from synthhost.library.shelves import load_model

LAYERS, RESIDUAL, SKIP, CLASSES, BANDS, WINDOW, HOP = 5, 4, 6, 256, 3, 20, 8
CONFIG: dict[str, Any] = {
    "train_config": {"seed": 1},
    "data_config": {"sampling_rate": 16000, "filter_length": 32, "hop_length": HOP, "win_length": 32},
    "wavenet_config": {"n_layers": LAYERS, "max_dilation": 4, "upsamp_window": WINDOW, "upsamp_stride": HOP},
}


def weights() -> dict[str, Tensor]:
    """Return a small network's state."""
    shapes: dict[str, tuple[int, ...]] = {
        "upsample.weight": (BANDS, BANDS, WINDOW),
        "upsample.bias": (BANDS,),
        "cond_layers.conv.weight": (2 * RESIDUAL * LAYERS, BANDS, 1),
        "cond_layers.conv.bias": (2 * RESIDUAL * LAYERS,),
        "embed.weight": (CLASSES, RESIDUAL),
        "conv_out.conv.weight": (CLASSES, SKIP, 1),
        "conv_end.conv.weight": (CLASSES, CLASSES, 1),
    }
    for layer in range(LAYERS):
        shapes[f"dilate_layers.{layer}.conv.weight"] = (2 * RESIDUAL, RESIDUAL, 2)
        shapes[f"dilate_layers.{layer}.conv.bias"] = (2 * RESIDUAL,)
        shapes[f"skip_layers.{layer}.conv.weight"] = (SKIP, RESIDUAL, 1)
        shapes[f"skip_layers.{layer}.conv.bias"] = (SKIP,)
        if layer < LAYERS - 1:
            shapes[f"res_layers.{layer}.conv.weight"] = (RESIDUAL, RESIDUAL, 1)
            shapes[f"res_layers.{layer}.conv.bias"] = (RESIDUAL,)
    torch.manual_seed(6)
    return {name: 0.4 * torch.randn(shape) for name, shape in shapes.items()}


def checkpoint(folder: Path, section: str = "", change: dict[str, Any] | None = None) -> Path:
    """Write a state dict with its configuration, `change` applied to one section."""
    config = {**CONFIG, section: {**CONFIG.get(section, {}), **(change or {})}}
    (folder / "config.json").write_text(json.dumps(config))
    torch.save(weights(), folder / "wavenet_1000")
    return folder / "wavenet_1000"


def plainly(t: dict[str, Tensor], mel: Tensor, ids: Tensor) -> Tensor:
    """Return logits, computed layer by layer: mel `[1, bands, frames]`, ids `[1, samples]`."""
    up = F.conv_transpose1d(mel, t["upsample.weight"], t["upsample.bias"], HOP)[:, :, : HOP - WINDOW]
    conditions = F.conv1d(up, t["cond_layers.conv.weight"], t["cond_layers.conv.bias"]).chunk(LAYERS, 1)
    x, total = t["embed.weight"][ids].transpose(1, 2), torch.zeros(())
    for layer, condition in enumerate(conditions):
        dilation, name = 2 ** (layer % 3), f"dilate_layers.{layer}.conv"
        z = F.conv1d(F.pad(x, (dilation, 0)), t[f"{name}.weight"], t[f"{name}.bias"], dilation=dilation)
        a, b = (z + condition).chunk(2, 1)
        gated = a.tanh() * b.sigmoid()
        if layer < LAYERS - 1:
            x = x + F.conv1d(gated, t[f"res_layers.{layer}.conv.weight"], t[f"res_layers.{layer}.conv.bias"])
        skip = F.conv1d(gated, t[f"skip_layers.{layer}.conv.weight"], t[f"skip_layers.{layer}.conv.bias"])
        total = total + skip
    return F.conv1d(F.relu(F.conv1d(F.relu(total), t["conv_out.conv.weight"])), t["conv_end.conv.weight"])


def test_the_network_gives_what_its_trainer_computes(tmp_path: Path) -> None:
    model = load_model(checkpoint(tmp_path))
    assert isinstance(model.playable, WavenetVoice)
    network = model.playable.network
    torch.manual_seed(7)
    mel, ids = torch.randn(1, BANDS, 6), torch.randint(CLASSES, (1, 6 * HOP))
    with torch.inference_mode():
        logits = network(ids, network.conditioner(mel))
        assert (logits - plainly(weights(), mel, ids)).abs().max() <= 1e-4
    assert model.spec.look_ahead_samples == 0
    assert network.hyper.output.start == 128
    sound = model.render(mel[0].numpy(), temperature=0.0)
    level = np.abs(2.0 * np.arange(CLASSES) / 255.0 - 1.0)
    assert np.abs(sound).max() <= ((256.0**level - 1.0) / 255.0).max()


def test_frames_are_those_of_tacotron_2(tmp_path: Path) -> None:
    mel = read_model(checkpoint(tmp_path)).mel
    assert mel is not None
    assert (mel.convention, mel.sample_rate, mel.hop_samples, mel.n_fft) == ("tacotron2", 16000, HOP, 32)
    assert (mel.fmin_hz, mel.fmax_hz, mel.bands) == (0.0, 8000.0, BANDS)


def test_without_a_configuration_it_says_what_to_do(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    (tmp_path / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json beside it.*--config"):
        read_model(path)


@pytest.mark.parametrize(
    ("section", "change", "words"),
    [
        ("wavenet_config", {"n_layers": 16}, "'n_layers' is 16, but the weights have 5"),
        ("wavenet_config", {"upsamp_window": 800}, "'upsamp_window' is 800"),
        ("wavenet_config", {"upsamp_stride": 0}, "'upsamp_stride' must lie in"),
        ("wavenet_config", {"max_dilation": None}, "'max_dilation' is missing"),
        ("wavenet_config", {"max_dilation": 10**9}, "'max_dilation' must lie in"),
        ("data_config", {"hop_length": 4}, "'hop_length' is 4, but the weights have 8"),
        ("data_config", {"sampling_rate": 1}, "'sampling_rate' must lie in"),
        ("data_config", {"win_length": 64}, "'win_length' must lie in"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, section: str, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, section, change))


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("embed.weight"), r"first_conv\.weight has shape \[0, 0, 1\]"),
        (lambda t: t.pop("cond_layers.conv.bias"), "do not condition 5 layers"),
        (lambda t: t.pop("res_layers.1.conv.bias"), r"missing conv_layers\.1\.conv1x1_out\.bias"),
        (lambda t: t.update({"extra": torch.ones(1)}), "left over extra"),
        (lambda t: t.update({"conv_end.conv.weight": torch.ones(4, 4)}), r"conv_end.* has shape \[4, 4\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    path, tensors = checkpoint(tmp_path), weights()
    change(tensors)
    torch.save(tensors, path)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)
