"""HiFi-GAN of kan-bayashi/ParallelWaveGAN, causal or not, sounds as its torch modules do."""

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

KIND = "HiFiGANGenerator"
PARAMS: dict[str, Any] = {
    "in_channels": 6,
    "out_channels": 1,
    "channels": 16,
    "kernel_size": 5,
    "upsample_scales": [4, 3],
    "upsample_kernel_sizes": [8, 6],
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilations": [[1, 3], [1, 2]],
    "use_additional_convs": True,
    "use_causal_conv": False,
    "nonlinear_activation_params": {"negative_slope": 0.1},
}


class Block(nn.Module):
    """A residual block: pairs of convolutions, or single ones."""

    def __init__(
        self, conv: Callable[..., nn.Module], kernel: int, dilations: list[int], pairs: bool
    ) -> None:
        super().__init__()
        self.convs1 = nn.ModuleList(self.unit(conv, kernel, dilation) for dilation in dilations)
        if pairs:
            self.convs2 = nn.ModuleList(self.unit(conv, kernel, 1) for _ in dilations)
        self.pairs = pairs

    @staticmethod
    def unit(conv: Callable[..., nn.Module], kernel: int, dilation: int) -> nn.Sequential:
        return nn.Sequential(nn.LeakyReLU(0.1), conv(kernel, dilation))

    def forward(self, x: Tensor) -> Tensor:
        for place, first in enumerate(self.convs1):
            y = first(x)
            x = x + (self.convs2[place](y) if self.pairs else y)
        return x


class Hifigan(nn.Module):
    """The toolkit's generator."""

    def __init__(self, params: dict[str, Any], past_conv: Any, make_up: Any) -> None:
        super().__init__()
        causal, channels = params["use_causal_conv"], params["channels"]

        def conv(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> nn.Module:
            reach = (kernel - 1) * dilation
            if causal:
                return past_conv(inputs, outputs, kernel, dilation, nn.ConstantPad1d(reach, 0.0))
            return nn.Conv1d(inputs, outputs, kernel, dilation=dilation, padding=reach // 2)

        self.input_conv = conv(params["in_channels"], channels, params["kernel_size"])
        self.upsamples, self.blocks = nn.ModuleList(), nn.ModuleList()
        for scale in params["upsample_scales"]:
            one = make_up(channels, channels // 2, scale, causal)
            self.upsamples.append(nn.Sequential(nn.LeakyReLU(0.1), one))
            channels //= 2
            for kernel, dilations in zip(
                params["resblock_kernel_sizes"], params["resblock_dilations"], strict=True
            ):

                def inside(taps: int, dilation: int, width: int = channels) -> nn.Module:
                    return conv(width, width, taps, dilation)

                self.blocks.append(Block(inside, kernel, dilations, params["use_additional_convs"]))
        last = conv(channels, params["out_channels"], params["kernel_size"])
        self.output_conv = nn.Sequential(nn.LeakyReLU(), last, nn.Tanh())

    def forward(self, x: Tensor) -> Tensor:
        x = self.input_conv(x)
        count = len(self.blocks) // len(self.upsamples)
        for place, one in enumerate(self.upsamples):
            x = one(x)
            x = sum(block(x) for block in self.blocks[place * count : (place + 1) * count]) / count
        return self.output_conv(x)


@pytest.fixture
def make(past_conv: Any, make_up: Any, with_weight_norm: Any) -> Callable[..., nn.Module]:
    def network(params: dict[str, Any]) -> nn.Module:
        torch.manual_seed(4)
        return with_weight_norm(Hifigan(params, past_conv, make_up))

    return network


VARIANTS: dict[str, dict[str, Any]] = {
    "pairs, an odd rate": {},
    "single convolutions, three of them": {
        "use_additional_convs": False,
        "resblock_dilations": [[1, 3, 5], [1, 2, 4]],
    },
    "causal": {"use_causal_conv": True},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("frames", [1, 13])
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
    assert (model.spec.look_ahead_samples == 0) == params["use_causal_conv"]


def test_the_toolkits_old_spelling_is_read(tmp_path: Path, toolkit: Any, make: Any) -> None:
    params = {**PARAMS, "upsample_kernal_sizes": PARAMS["upsample_kernel_sizes"]}
    del params["upsample_kernel_sizes"]
    path = toolkit(tmp_path, make(PARAMS), params, KIND, 12)
    assert read_model(path).hyper["upsample_kernel_sizes"] == [8, 6]
    toolkit(tmp_path, make(PARAMS), {**params, "upsample_kernal_sizes": [6, 8]}, KIND, 12)
    with pytest.raises(CheckpointError, match=r"'upsample_kernal_sizes' is \[6, 8\], but the weights"):
        read_model(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"upsample_scales": [4, 2]}, r"'hop_size' is 12, but the weights have 8|kernel 6 over rate 2"),
        ({"upsample_scales": [4, 5]}, r"kernel 6 over rate 5"),
        ({"upsample_scales": [4, 10**9]}, r"'upsample_scales' must lie in 1\.\.64"),
        ({"upsample_scales": [4]}, r"'upsample_scales' must be a list of 2"),
        ({"resblock_dilations": [[1, 3, 5], [1, 2]]}, r"'resblock_dilations' must hold \[2, 2\] numbers"),
        ({"resblock_dilations": [[1, 10**9], [1, 2]]}, r"'resblock_dilations' must lie in"),
        ({"use_additional_convs": False}, r"'use_additional_convs' is false, but the weights have true"),
        ({"use_causal_conv": True}, r"'use_causal_conv' is true, but the weights have false"),
        ({"channels": 512}, r"'channels' is 512"),
        ({"bias": False}, r"'bias' is false"),
    ],
)
def test_a_configuration_of_another_network_is_refused(
    tmp_path: Path, toolkit: Any, make: Any, change: dict[str, Any], words: str
) -> None:
    path = toolkit(tmp_path, make(PARAMS), {**PARAMS, **change}, KIND, 12)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_several_channels_of_sound_are_refused(tmp_path: Path, toolkit: Any, make: Any) -> None:
    params = {**PARAMS, "out_channels": 2}
    with pytest.raises(CheckpointError, match="several channels of sound come out"):
        read_model(toolkit(tmp_path, make(params), params, KIND, 12))
