"""MelGAN and multi-band MelGAN of kan-bayashi/ParallelWaveGAN sound as their torch modules do, edges too."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.library.shelves import load_model
from synthhost.streaming.pqmf import synthesis_filters

KIND = "MelGANGenerator"
PARAMS: dict[str, Any] = {
    "in_channels": 6,
    "out_channels": 1,
    "kernel_size": 5,
    "channels": 16,
    "upsample_scales": [4, 3],
    "stack_kernel_size": 3,
    "stacks": 2,
    "nonlinear_activation_params": {"negative_slope": 0.3},
    "use_causal_conv": False,
}


class Stack(nn.Module):
    """A residual stack with a layer beside it."""

    def __init__(self, stack: nn.Sequential, channels: int) -> None:
        super().__init__()
        self.stack = stack
        self.skip_layer = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.stack(x) + self.skip_layer(x)


class Melgan(nn.Module):
    """The toolkit's generator: one numbered list of layers."""

    def __init__(self, params: dict[str, Any], past_conv: Any, make_up: Any) -> None:
        super().__init__()
        self.causal = params.get("use_causal_conv", False)
        self.past_conv = past_conv
        self.slope = params["nonlinear_activation_params"]["negative_slope"]
        self.pad = getattr(nn, params.get("pad", "ReflectionPad1d"))
        self.pad_params = params.get("pad_params", {})
        channels, kernel = params["channels"], params["kernel_size"]
        layers = self.conv(params["in_channels"], channels, kernel)
        for scale in params["upsample_scales"]:
            layers += [self.rectifier(), make_up(channels, channels // 2, scale, self.causal)]
            channels //= 2
            for j in range(params["stacks"]):
                width = params["stack_kernel_size"]
                inner = [self.rectifier(), *self.conv(channels, channels, width, width**j)]
                inner += [self.rectifier(), nn.Conv1d(channels, channels, 1)]
                layers.append(Stack(nn.Sequential(*inner), channels))
        layers += [self.rectifier(), *self.conv(channels, params["out_channels"], kernel)]
        if params.get("use_final_nonlinear_activation", True):
            layers.append(nn.Tanh())
        self.melgan = nn.Sequential(*layers)

    def rectifier(self) -> nn.Module:
        return nn.LeakyReLU(self.slope)

    def conv(self, inputs: int, outputs: int, kernel: int, dilation: int = 1) -> list[nn.Module]:
        reach = (kernel - 1) * dilation
        if self.causal:
            return [self.past_conv(inputs, outputs, kernel, dilation, self.pad(reach, **self.pad_params))]
        pad = self.pad(reach // 2, **self.pad_params)
        return [pad, nn.Conv1d(inputs, outputs, kernel, dilation=dilation)]

    def forward(self, x: Tensor) -> Tensor:
        return self.melgan(x)


@pytest.fixture
def make(past_conv: Any, make_up: Any, with_weight_norm: Any) -> Callable[..., nn.Module]:
    def network(params: dict[str, Any]) -> nn.Module:
        torch.manual_seed(3)
        return with_weight_norm(Melgan(params, past_conv, make_up))

    return network


def joined(bands: Tensor, cutoff: float) -> Tensor:
    """Join bands of sound as the toolkit does: stuffed with zeros, padded, filtered."""
    count = bands.shape[1]
    filters = torch.from_numpy(synthesis_filters(count, 62, cutoff, 9.0)).float()[None]
    stuffed = torch.zeros(1, count, bands.shape[2] * count)
    stuffed[:, :, ::count] = count * bands
    return nn.functional.conv1d(nn.functional.pad(stuffed, (31, 31)), filters)


VARIANTS: dict[str, dict[str, Any]] = {
    "as published": {},
    "replicated edges": {"pad": "ReplicationPad1d"},
    "silent edges": {"pad": "ConstantPad1d", "pad_params": {"value": 0.0}},
    "without tanh": {"use_final_nonlinear_activation": False},
    "causal, mirrored": {"use_causal_conv": True},
    "causal, silent, even kernel": {
        "use_causal_conv": True,
        "pad": "ConstantPad1d",
        "pad_params": {"value": 0.0},
        "kernel_size": 6,
    },
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frames", [6, 17])
def test_every_form_sounds_as_its_modules_from_the_first_sample_to_the_last(
    tmp_path: Path, toolkit: Any, make: Any, raw_and_normal: Any, variant: str, frames: int
) -> None:
    params = {**PARAMS, **VARIANTS[variant]}
    network = make(params)
    model = load_model(toolkit(tmp_path, network, params, KIND, 12))
    raw, normal = raw_and_normal(frames)
    with torch.inference_mode():
        expected = network(normal)[0, 0].numpy()
    for chunk_frames in (1, 5, 100):
        np.testing.assert_allclose(model.render(raw, chunk_frames=chunk_frames), expected, atol=2e-6)
    if params.get("use_causal_conv"):
        assert model.spec.look_ahead_samples == 0
        assert (model.spec.burst_samples > 0) == ("mirrored" in variant)


@pytest.mark.parametrize(
    ("more", "cutoff"),
    [
        ({}, 0.142),
        ({"version": "0.4.3"}, 0.142),
        ({"version": "0.4.2a"}, 0.142),
        ({"version": "0.4.2"}, 0.15),
        ({"version": 0.4}, 0.15),
        ({"version": None}, 0.15),
        ({"version": "0.4.2", "pqmf_params": {"taps": 62, "cutoff_ratio": 0.13}}, 0.13),
        ({"version": "0.4.2", "pqmf_params": {"taps": 62}}, 0.142),
    ],
)
def test_bands_are_joined_by_the_filters_of_the_version(
    tmp_path: Path, toolkit: Any, make: Any, raw_and_normal: Any, more: dict[str, Any], cutoff: float
) -> None:
    params = {**PARAMS, "out_channels": 4}
    network = make(params)
    model = load_model(toolkit(tmp_path, network, params, KIND, 48, **more))
    raw, normal = raw_and_normal(9)
    with torch.inference_mode():
        expected = joined(network(normal), cutoff)[0, 0].numpy()
    assert model.spec.hop_samples == 48
    np.testing.assert_allclose(model.render(raw, chunk_frames=2), expected, atol=2e-6)


def test_what_the_shapes_say_needs_no_configuration(tmp_path: Path, toolkit: Any, make: Any) -> None:
    kept = {"nonlinear_activation_params": PARAMS["nonlinear_activation_params"]}
    model = read_model(toolkit(tmp_path, make(PARAMS), kept, KIND, 12))
    assert model.family == "melgan"
    found = {key: model.hyper[key] for key in ("channels", "upsample_scales", "stacks", "kernel_size")}
    assert found == {"channels": 16, "upsample_scales": [4, 3], "stacks": 2, "kernel_size": 5}
    assert (model.mel.convention, model.mel.log, model.mel.fmax_hz) == ("kan-bayashi", "log10", 4000.0)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"channels": 10**9}, r"'channels' is 1000000000, but the weights have 16"),
        ({"upsample_scales": [3, 4]}, r"'upsample_scales' is \[3, 4\], but the weights have \[4, 3\]"),
        ({"upsample_scales": "4,3"}, r"'upsample_scales' is \"4,3\""),
        ({"use_causal_conv": True}, r"'use_causal_conv' is true"),
        ({"stacks": 3}, r"'stacks' is 3"),
        ({"nonlinear_activation": "ELU"}, r"'nonlinear_activation' is \"ELU\"; only .*LeakyReLU"),
        ({"nonlinear_activation_params": {"negative_slope": 5}}, r"'negative_slope' must lie in 0\.\.1"),
        ({"nonlinear_activation_params": [1]}, r"must hold named values"),
        ({"pad": "CircularPad1d"}, r"'pad' is \"CircularPad1d\"; only"),
        ({"pad": "ConstantPad1d", "pad_params": {"value": 1.0}}, r"'value' is 1\.0; only 0\.0"),
        ({"use_final_nonlinear_activation": "no"}, r"must be true or false"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    tmp_path: Path, toolkit: Any, make: Any, change: dict[str, Any], words: str
) -> None:
    path = toolkit(tmp_path, make(PARAMS), {**PARAMS, **change}, KIND, 12)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"hop_size": 13}, r"'hop_size' is 13, but the weights have 12"),
        ({"num_mels": 80}, r"'num_mels' is 80, but the weights have 6"),
        ({"sampling_rate": 10**9}, r"'sampling_rate' must lie in"),
        ({"sampling_rate_for_feats": 16000}, r"'sampling_rate_for_feats' is 16000; only 8000"),
        ({"fft_size": 4}, r"'fft_size' must lie in 16"),
        ({"win_length": 128}, r"'win_length' must lie in 1\.\.64"),
        ({"window": "hamming"}, r"'window' is \"hamming\"; only \"hann\""),
        ({"fmin": 9000}, r"'fmin' must lie in"),
        ({"log_base": 2.0}, r"'log_base' is 2\.0; only 10\.0"),
        (
            {"generator_type": "StyleMelGANGenerator"},
            r"means StyleMelGANGenerator, but the weights are a MelGAN",
        ),
        (
            {"generator_type": None},
            r"means ParallelWaveGANGenerator, but the weights are a MelGANGenerator's",
        ),
    ],
)
def test_a_front_end_that_does_not_fit_is_refused(
    tmp_path: Path, toolkit: Any, make: Any, more: dict[str, Any], words: str
) -> None:
    path = toolkit(tmp_path, make(PARAMS), PARAMS, KIND, **{"hop": 12, **more})
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_a_natural_logarithm_is_a_null_base(tmp_path: Path, toolkit: Any, make: Any) -> None:
    model = read_model(toolkit(tmp_path, make(PARAMS), PARAMS, KIND, 12, log_base=None))
    assert model.mel.log == "ln"
    assert model.hyper["silence"] == pytest.approx(np.log(1e-10))


def test_missing_companions_are_asked_for(tmp_path: Path, toolkit: Any, make: Any) -> None:
    path = toolkit(tmp_path, make(PARAMS), PARAMS, KIND, 12)
    (tmp_path / "stats.npy").unlink()
    with pytest.raises(CheckpointError, match=r"there is no stats\.npy beside the checkpoint"):
        read_model(path)
    (tmp_path / "config.yml").unlink()
    with pytest.raises(CheckpointError, match=r"there is no config\.yml beside it.*--config"):
        read_model(path)


def test_left_over_and_missing_tensors_are_named_as_in_the_file(
    tmp_path: Path, toolkit: Any, make: Any
) -> None:
    network = make(PARAMS)
    path = toolkit(tmp_path, network, PARAMS, KIND, 12)
    content = torch.load(path, weights_only=True)
    state = content["model"]["generator"]
    state["melgan.99.extra"] = torch.zeros(1)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"left over melgan\.99\.extra"):
        read_model(path)
    del state["melgan.99.extra"], state["melgan.3.bias"]
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r"missing melgan\.3\.bias"):
        read_model(path)


def test_an_unknown_generator_is_named(tmp_path: Path, toolkit: Any) -> None:
    path = toolkit(tmp_path, nn.Linear(2, 2), {}, "StyleMelGANGenerator", 12)
    with pytest.raises(CheckpointError, match="holds the generator StyleMelGANGenerator, which is not read"):
        read_model(path)
