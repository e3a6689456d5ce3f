"""Claims about mostafaelaraby/wavegan-pytorch checkpoints: what is folded sounds as what was trained."""

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
from synthhost.families.registry import family

LATENT, SIZE = 6, 2
Tensors = dict[str, Tensor]


def weights(window: int, *, repeats: bool = True, normalised: bool = False) -> Tensors:
    """Return a generator's random state in the published names."""
    torch.manual_seed(window)
    times = 16 if window == 16384 else 32
    widths = [times * SIZE >> layer for layer in range(5 if window == 16384 else 6)]
    state = {
        "fc1.weight": torch.randn(16 * widths[0], LATENT) / LATENT**0.5,
        "fc1.bias": torch.randn(16 * widths[0]),
    }
    state |= norm("bn1", widths[0])
    for layer, (inputs, outputs) in enumerate(zip(widths, [*widths[1:], 1], strict=True)):
        base = f"deconv_list.{layer}.transpose_ops"
        shape = (outputs, inputs, 25) if repeats else (inputs, outputs, 25)
        state[f"{base}.{int(repeats)}.weight"] = torch.randn(shape) / (6 * inputs) ** 0.5
        state[f"{base}.{int(repeats)}.bias"] = 0.1 * torch.randn(outputs)
        if normalised and outputs > 1:
            state |= norm(f"{base}.{1 + repeats}", outputs)
    return state


def norm(base: str, channels: int) -> Tensors:
    return {
        f"{base}.weight": torch.rand(channels) + 0.5,
        f"{base}.bias": 0.1 * torch.randn(channels),
        f"{base}.running_mean": 0.3 * torch.randn(channels),
        f"{base}.running_var": torch.rand(channels) + 1.5,
        f"{base}.num_batches_tracked": torch.tensor(7),
    }


def as_trained(state: Tensors, window: int, z: Tensor) -> Tensor:
    """Run the network as it is published, `[batch, latent]` to `[batch, samples]`."""
    layers = 5 if window == 16384 else 6
    repeats = "deconv_list.0.transpose_ops.0.weight" not in state
    normalised = f"deconv_list.0.transpose_ops.{1 + repeats}.running_mean" in state
    x = F.linear(z, state["fc1.weight"], state["fc1.bias"]).view(z.shape[0], -1, 16)
    x = F.relu(standardised(x, state, "bn1") if normalised else x)
    for layer in range(layers):
        base = f"deconv_list.{layer}.transpose_ops"
        weight, bias = (state[f"{base}.{int(repeats)}.{leaf}"] for leaf in ("weight", "bias"))
        last = layer == layers - 1
        stride = 2 if last and window == 32768 else 4
        if repeats:
            wide = F.pad(torch.repeat_interleave(x, 4, dim=2), (12, 12))
            x = F.conv1d(wide, weight, bias, stride=4 // stride)
        else:
            x = F.conv_transpose1d(x, weight, bias, stride, padding=11, output_padding=1)
        if normalised and not last:
            x = standardised(x, state, f"{base}.{1 + repeats}")
        x = torch.tanh(x) if last else F.relu(x)
    return x[:, 0]


def standardised(x: Tensor, state: Tensors, base: str) -> Tensor:
    mean, variance, gamma, beta = (
        state[f"{base}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")
    )
    return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-5)


def checkpoint(folder: Path, state: dict[str, Any], **params: Any) -> Path:
    """Write a checkpoint, with settings beside it where there are any."""
    torch.save({"generator": state, "discriminator": {}, "n_iterations": 3}, folder / "gan_exp1.tar")
    if params:
        (folder / "params.json").write_text(json.dumps(params))
    return folder / "gan_exp1.tar"


@pytest.mark.parametrize("window", [16384, 32768, 65536])
@pytest.mark.parametrize("repeats", [True, False])
@pytest.mark.parametrize("normalised", [True, False])
def test_every_form_sounds_as_it_was_trained(
    tmp_path: Path, window: int, repeats: bool, normalised: bool
) -> None:
    state = weights(window, repeats=repeats, normalised=normalised)
    model = read_model(checkpoint(tmp_path, state, window_length=window, sampling_rate=22050))
    kind = family(model.family)
    network = kind.build(kind.hyper_from_json(model.hyper))
    kind.load_weights(network, model.tensors)
    z = torch.randn(1, LATENT, dtype=torch.float64)  # so that no processor's rounding counts
    with torch.inference_mode():
        heard = network.double()(z[:, :, None].expand(-1, -1, 16))[:, 0]
        trained = as_trained({name: tensor.double() for name, tensor in state.items()}, window, z)
    assert heard.shape == (1, window)
    extra = 2 if window == 32768 and not repeats else 0  # which the published network has and is left out
    assert trained.shape[1] == window + extra
    assert (heard - trained[:, :window]).abs().max() <= 5e-6  # merged weights are float32
    assert heard.std() > 0.01
    assert (model.sample_rate, model.hyper["prior"], model.mel) == (22050, "normal", None)


def test_settings_are_read_from_the_trainers_python_file_without_running_it(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, weights(65536))
    (tmp_path / "params.py").write_text(
        "import os\nos._exit(1)\nwindow_length = 65536 #[16384, 65536]\nsampling_rate=8000\nlr = 1e-4\n"
    )
    model = read_model(path)
    assert (model.sample_rate, model.hyper["strides"]) == (8000, [4] * 6)


def test_five_layers_need_no_settings(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path, weights(16384)))
    assert (model.sample_rate, np.prod(model.hyper["strides"])) == (16000, 1024)


def test_six_layers_without_settings_ask_for_them(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"clips of 32768 or 65536 samples.*params\.py.*--config"):
        read_model(checkpoint(tmp_path, weights(65536)))


Change = Callable[[Tensors], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: s.pop("fc1.bias"), r"fc1\.bias is missing"),
        (lambda s: s.pop("bn1.running_var"), r"bn1\.running_var is missing"),
        (
            lambda s: s.update({"extra.weight": torch.ones(1)}),
            r"no mostafaelaraby.* has extra\.weight",
        ),
        (
            lambda s: s.update({"fc1.weight": torch.ones(30, LATENT)}),
            r"fc1\.weight of shape \[30, 6\] fits",
        ),
        (lambda s: s["fc1.bias"].fill_(torch.nan), r"not finite"),
        (
            lambda s: s.update({"deconv_list.2.transpose_ops.1.weight": torch.ones(4, 8, 24)}),
            r"deconv_list\.2\.transpose_ops\.1\.weight of shape \[4, 8, 24\]",
        ),
        (lambda s: s.update({"deconv_list.6.transpose_ops.1.weight": torch.ones(1)}), r"6 layers"),
        (
            lambda s: s.update(
                {
                    "deconv_list.4.transpose_ops.1.weight": torch.ones(2, 2, 25),
                    "deconv_list.4.transpose_ops.1.bias": torch.ones(2),
                }
            ),
            r"one of channels|the last of them 1",
        ),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    state = weights(16384)
    change(state)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, state))


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ({"window_length": 65536}, r"'window_length' is 65536, but the weights have 5 layers"),
        ({"window_length": 10**9}, r"'window_length' must lie in"),
        ({"sampling_rate": 0}, r"'sampling_rate' must lie in"),
        ({"noise_latent_dim": 100}, r"'noise_latent_dim' is 100, but the weights have 6"),
        ({"num_channels": 2}, r"'num_channels' is 2"),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, params: dict[str, Any], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, weights(16384), **params))


@pytest.mark.parametrize("text", ["x = (", "\0", "(" * 10_000])
def test_a_settings_file_that_is_no_python_is_refused(tmp_path: Path, text: str) -> None:
    path = checkpoint(tmp_path, weights(16384))
    (tmp_path / "params.py").write_text(text)
    with pytest.raises(CheckpointError, match="not readable as Python"):
        read_model(path)
