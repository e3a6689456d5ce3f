"""Parallel WaveGAN of kan-bayashi/ParallelWaveGAN, causal or not, sounds as its torch modules do."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.library.shelves import load_model

PARAMS: dict[str, Any] = {
    "in_channels": 1,
    "out_channels": 1,
    "kernel_size": 3,
    "layers": 6,
    "stacks": 2,
    "residual_channels": 4,
    "gate_channels": 6,
    "skip_channels": 5,
    "aux_channels": 6,
    "aux_context_window": 2,
    "use_causal_conv": False,
    "upsample_params": {"upsample_scales": [4, 3]},
}


class Upsampling(nn.Module):
    """Stretches a picture and smooths it, scale after scale; the stretches are counted as layers."""

    def __init__(self, params: dict[str, Any], causal: bool) -> None:
        super().__init__()
        self.causal = causal
        bands = params.get("freq_axis_kernel_size", 1)
        self.up_layers = nn.ModuleList()
        for scale in params["upsample_scales"]:
            edge = (bands // 2, 2 * scale if causal else scale)
            smooth = nn.Conv2d(1, 1, (bands, 2 * scale + 1), padding=edge, bias=False)
            self.up_layers += [nn.Upsample(scale_factor=(1, scale)), smooth]
            if "nonlinear_activation" in params:
                self.up_layers.append(nn.LeakyReLU(0.4))

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None]
        for layer in self.up_layers:
            length = x.shape[3]
            x = layer(x)
            x = x[..., :length] if self.causal and isinstance(layer, nn.Conv2d) else x
        return x[:, 0]


class WithConvIn(nn.Module):
    """A convolution over frames whose context was put around them, then the stretch."""

    def __init__(self, params: dict[str, Any], bands: int, context: int, causal: bool) -> None:
        super().__init__()
        self.surplus = context if causal else 0
        self.conv_in = nn.Conv1d(bands, bands, context + 1 if causal else 2 * context + 1, bias=False)
        self.upsample = Upsampling(params, causal)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        return self.upsample(x[..., : x.shape[2] - self.surplus])


class Layer(nn.Module):
    """One gated residual layer."""

    def __init__(self, params: dict[str, Any], dilation: int) -> None:
        super().__init__()
        residual, gates, half = (
            params["residual_channels"],
            params["gate_channels"],
            params["gate_channels"] // 2,
        )
        reach = (params["kernel_size"] - 1) * dilation
        edge = reach if params["use_causal_conv"] else reach // 2
        self.conv = nn.Conv1d(residual, gates, params["kernel_size"], dilation=dilation, padding=edge)
        self.conv1x1_aux = nn.Conv1d(params["aux_channels"], gates, 1, bias=False)
        self.conv1x1_out = nn.Conv1d(half, residual, 1)
        self.conv1x1_skip = nn.Conv1d(half, params["skip_channels"], 1)

    def forward(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        a, b = (self.conv(x)[..., : x.shape[2]] + self.conv1x1_aux(c)).chunk(2, 1)
        gate = a.tanh() * b.sigmoid()
        return (self.conv1x1_out(gate) + x) * sqrt(0.5), self.conv1x1_skip(gate)


class Pwg(nn.Module):
    """The toolkit's generator."""

    def __init__(self, params: dict[str, Any]) -> None:
        super().__init__()
        self.context, causal = params["aux_context_window"], params["use_causal_conv"]
        upsampling = params["upsample_params"]
        if params.get("upsample_net") == "UpsampleNetwork":
            self.upsample_net: nn.Module = Upsampling(upsampling, causal)
        else:
            self.upsample_net = WithConvIn(upsampling, params["aux_channels"], self.context, causal)
        self.first_conv = nn.Conv1d(1, params["residual_channels"], 1)
        cycle = params["layers"] // params["stacks"]
        self.conv_layers = nn.ModuleList(Layer(params, 2 ** (n % cycle)) for n in range(params["layers"]))
        skip = params["skip_channels"]
        self.last_conv_layers = nn.Sequential(
            nn.ReLU(), nn.Conv1d(skip, skip, 1), nn.ReLU(), nn.Conv1d(skip, 1, 1)
        )

    def forward(self, z: Tensor, c: Tensor) -> Tensor:
        c = self.upsample_net(F.pad(c, (self.context, self.context), mode="replicate"))
        x, skips = self.first_conv(z), torch.zeros(())
        for layer in self.conv_layers:
            x, skip = layer(x, c)
            skips = skips + skip
        return self.last_conv_layers(skips * sqrt(1 / len(self.conv_layers)))


@pytest.fixture
def make(with_weight_norm: Any) -> Callable[[dict[str, Any]], nn.Module]:
    def network(params: dict[str, Any]) -> nn.Module:
        torch.manual_seed(5)
        return with_weight_norm(Pwg(params))

    return network


def noise(frames: int) -> np.ndarray:
    return np.random.default_rng(frames).standard_normal(frames * 12).astype(np.float32)


VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "rectified, over three bands": {
        "upsample_params": {
            "upsample_scales": [4, 3],
            "freq_axis_kernel_size": 3,
            "nonlinear_activation": "LeakyReLU",
            "nonlinear_activation_params": {"negative_slope": 0.4},
        }
    },
    "frames stretched as they are": {"upsample_net": "UpsampleNetwork", "aux_context_window": 0},
    "kernel 5": {"kernel_size": 5},
    "causal": {"use_causal_conv": True},
    "causal, even kernel, no context": {
        "use_causal_conv": True,
        "kernel_size": 2,
        "aux_context_window": 0,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frames", [1, 9])
def test_every_form_sounds_as_its_modules_from_the_first_sample_to_the_last(
    tmp_path: Path, toolkit: Any, make: Any, raw_and_normal: Any, variant: str, frames: int
) -> None:
    params = {**PARAMS, **VARIANTS[variant]}
    network = make(params)
    model = load_model(toolkit(tmp_path, network, params, None, 12))
    raw, normal = raw_and_normal(frames)
    z = noise(frames)
    with torch.inference_mode():
        expected = network(torch.from_numpy(z)[None, None], normal)[0, 0].numpy()
    for chunk_frames in (1, 4, 100):
        sound = model.render(raw, chunk_frames=chunk_frames, noise=z)
        np.testing.assert_allclose(sound, expected, atol=2e-6)
    assert (model.spec.look_ahead_samples == 0) == params["use_causal_conv"]


def test_no_generator_type_means_parallel_wavegan(tmp_path: Path, toolkit: Any, make: Any) -> None:
    named = toolkit(tmp_path, make(PARAMS), PARAMS, "ParallelWaveGANGenerator", 12)
    hyper = read_model(named).hyper
    toolkit(tmp_path, make(PARAMS), PARAMS, None, 12)
    assert read_model(named).hyper == hyper
    assert (hyper["upsample_scales"], hyper["layers"], hyper["stacks"]) == ([4, 3], 6, 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stacks": 4}, r"6 layers cannot be shared out among 4"),
        ({"stacks": 0}, r"'stacks' must lie in 1"),
        ({"layers": 30}, r"'layers' is 30, but the weights have 6"),
        ({"aux_channels": 80}, r"'aux_channels' is 80"),
        ({"aux_context_window": 3}, r"'aux_context_window' is 3, but the weights have 2"),
        ({"use_causal_conv": True}, r"'aux_context_window' is 2, but the weights have 4"),
        ({"upsample_net": "MelGANGenerator"}, r"'upsample_net' is \"MelGANGenerator\"; only"),
        ({"upsample_conditional_features": False}, r"'upsample_conditional_features' is false; only true"),
        ({"upsample_params": {"upsample_scales": [3, 4]}}, r"'upsample_scales' is \[3, 4\]"),
        ({"upsample_params": {"interpolate_mode": "bilinear"}}, r"'interpolate_mode' is \"bilinear\"; only"),
        ({"upsample_params": {"freq_axis_kernel_size": 3}}, r"'freq_axis_kernel_size' is 3"),
        ({"upsample_params": {"nonlinear_activation": "Tanh"}}, r"'nonlinear_activation' is \"Tanh\"; only"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    tmp_path: Path, toolkit: Any, make: Any, change: dict[str, Any], words: str
) -> None:
    path = toolkit(tmp_path, make(PARAMS), {**PARAMS, **change}, None, 12)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


@pytest.mark.parametrize(
    ("name", "shape", "words"),
    [
        ("upsample_net.upsample.up_layers.1.weight", (1, 2, 1, 9), "one picture is smoothed"),
        ("upsample_net.upsample.up_layers.1.weight", (1, 1, 1, 8), "one picture is smoothed"),
        ("conv_layers.5.conv1x1_out.weight", (4, 9, 1), r"conv1x1_out\.weight is not \[4, 3, 1\]"),
        ("conv_layers.3.conv.weight", (6, 4, 5), r"conv_layers\.3\.conv\.weight has shape \[6, 4, 5\]"),
        ("first_conv.weight", (4, 2, 1), "2 channels of noise|'in_channels' is 1, but the weights have 2"),
    ],
)
def test_weights_of_another_network_are_refused(
    tmp_path: Path, toolkit: Any, make: Any, name: str, shape: tuple[int, ...], words: str
) -> None:
    path = toolkit(tmp_path, make(PARAMS), PARAMS, None, 12)
    content = torch.load(path, weights_only=True)
    state = content["model"]["generator"]
    stem = name.removesuffix(".weight")
    for half in ("original0", "original1"):
        del state[f"{stem}.parametrizations.weight.{half}"]
    state[name] = torch.zeros(shape)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_what_the_last_layer_would_hand_on_is_left_out(tmp_path: Path, toolkit: Any, make: Any) -> None:
    tensors = read_model(toolkit(tmp_path, make(PARAMS), PARAMS, None, 12)).tensors
    assert "conv_layers.4.conv1x1_out.weight" in tensors
    assert not any(name.startswith("conv_layers.5.conv1x1_out") for name in tensors)
