"""A transposed convolution that all bands share, as compilers of graphs compute it fastest."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.streaming.transposed import ConvTranspose


def raised_over_bands(inner: ConvTranspose, x: Tensor) -> Tensor:
    """Return the groups of `stride` outputs that each input and those before it decide.

    Bands become a picture's height and the outputs of a group its channels: a plain convolution. A transposed
    one of a single channel takes other runtimes three times as long.

    Args:
        inner: From a band and its neighbours to the band.
        x: `[batch, bands, 1, overlap + groups]`.

    Returns:
        `[batch, bands, 1, groups * stride]`, nothing cropped.
    """
    batch, bands, _, length = x.shape
    inputs, neighbours = overlap(inner) + 1, inner.in_channels
    raw = torch.from_numpy(inner.raw_weight().detach().numpy().copy())  # a constant, however it is derived
    taps = F.pad(raw, (0, inputs * inner.stride - inner.kernel))
    taps = taps.reshape(neighbours, inputs, inner.stride).flip(1)  # oldest input first
    weight = taps.permute(2, 0, 1).unsqueeze(1)  # [stride, 1, neighbours, inputs]
    bias = None if inner.bias is None else inner.bias.repeat(inner.stride)
    picture = x.reshape(batch, 1, bands, length)
    groups = F.conv2d(picture, weight.detach(), bias, padding=(neighbours // 2, 0))
    return groups.permute(0, 2, 3, 1).reshape(batch, bands, 1, -1)


def overlap(block: ConvTranspose) -> int:
    """Return how many inputs before one's own reach a group of `stride` outputs."""
    return -(-block.kernel // block.stride) - 1
