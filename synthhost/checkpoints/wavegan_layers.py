"""From the layers that WaveGAN's implementations train to those that are played: folded into fewer.

Sums are made in double precision, so that folding costs no more than one rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

POSITIONS = 16  # places in time after the dense layer


@dataclass(frozen=True, slots=True)
class Norm:
    """Batch normalisation as it stands after training, `[channels]` each."""

    gamma: Tensor
    beta: Tensor
    mean: Tensor
    variance: Tensor
    epsilon: float


@dataclass(frozen=True, slots=True)
class Upsampling:
    """One transposed convolution.

    Attributes:
        weight: `[in, out, kernel]`.
        bias: `[out]`.
        stride: Outputs for each input.
        crop: Outputs left out at the start.
    """

    weight: Tensor
    bias: Tensor
    stride: int
    crop: int

    def normalised(self, norm: Norm | None) -> Upsampling:
        """Return the layer with the normalisation of its output folded in."""
        if norm is None:
            return self
        gain, shift = _gain_and_shift(norm)
        weight = (self.weight.double() * gain[None, :, None]).float()
        return Upsampling(weight, (self.bias.double() * gain + shift).float(), self.stride, self.crop)


def dense(weight: Tensor, bias: Tensor, norm: Norm | None) -> dict[str, Tensor]:
    """Return the dense layer under the family's names, normalisation folded in.

    Args:
        weight: `[positions, channels, latent]`.
        bias: `[positions, channels]`.
        norm: Of its output, if it is normalised.
    """
    if norm is not None:
        gain, shift = _gain_and_shift(norm)
        weight = (weight.double() * gain[None, :, None]).float()
        bias = (bias.double() * gain + shift).float()
    return {"z_project.weight": weight.contiguous(), "z_project.bias": bias.contiguous()}


def repeated(weight: Tensor, bias: Tensor, factor: int, left: int) -> Upsampling:
    """Return what repeats every input and then convolves, as one layer.

    Input i, repeated, meets tap k at the outputs `factor * i + left - k` and the `factor - 1` after them: a
    transposed convolution whose taps are sums of `factor` neighbours.

    Args:
        weight: Of the convolution, `[out, in, kernel]`.
        bias: Of the same, `[out]`.
        factor: How often an input is repeated.
        left: Zeros before the first repeated input.
    """
    kernel = weight.shape[2]
    spread = F.pad(weight.flip(2).double(), (factor - 1, factor - 1)).unfold(2, factor, 1).sum(3)
    return Upsampling(spread.float().transpose(0, 1).contiguous(), bias, factor, kernel - 1 - left)


def halved(weight: Tensor) -> Tensor:
    """Return the taps `[out, in, kernel]` that meet pairs of equal samples summed, an odd one alone."""
    even = F.pad(weight.double(), (0, weight.shape[2] % 2))
    return (even[:, :, 0::2] + even[:, :, 1::2]).float()


def hyper_of(latent: int, layers: list[Upsampling], filter_taps: int, prior: str) -> dict[str, Any]:
    """Return the family's hyper-parameters of some layers."""
    return {
        "latent": latent,
        "positions": POSITIONS,
        "channels": [layers[0].weight.shape[0], *(layer.weight.shape[1] for layer in layers)],
        "kernels": [layer.weight.shape[2] for layer in layers],
        "strides": [layer.stride for layer in layers],
        "crops": [layer.crop for layer in layers],
        "filter_taps": filter_taps,
        "prior": prior,
    }


def named(layers: list[Upsampling]) -> dict[str, Tensor]:
    """Return the layers' tensors under the family's names."""
    return {
        f"upconv_{number}.{leaf}": tensor.contiguous()
        for number, layer in enumerate(layers)
        for leaf, tensor in (("weight", layer.weight), ("bias", layer.bias))
    }


def _gain_and_shift(norm: Norm) -> tuple[Tensor, Tensor]:
    gain = norm.gamma.double() / torch.sqrt(norm.variance.double() + norm.epsilon)
    return gain, norm.beta.double() - norm.mean.double() * gain
