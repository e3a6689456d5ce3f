"""Convolutions of few channels as products over rows of samples: what learns fastest on a processor."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def delayed(stream: Tensor, samples: int) -> Tensor:
    """Return a stream, `[batch, samples, channels]`, so many samples later, behind zeros."""
    return stream if not samples else F.pad(stream, (0, 0, samples, 0))[:, : stream.shape[1]]


def causal_rows(
    stream: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    dilation: int,
    beside: Sequence[tuple[Tensor, Tensor]] = (),
) -> Tensor:
    """Return a convolution that looks back only, with products of other streams added, as one product.

    Args:
        stream: `[batch, samples, channels]`.
        weight: `[out, channels, taps]`.
        bias: `[out]`, of all together.
        dilation: Between taps, in samples.
        beside: Streams, `[batch, samples, channels]`, and what each is multiplied with, `[out, channels]`.
    """
    taps = weight.shape[2]
    streams = [delayed(stream, dilation * (taps - 1 - tap)) for tap in range(taps)]
    weights = [weight[:, :, tap] for tap in range(taps)]
    streams += [other for other, _ in beside]
    weights += [one for _, one in beside]
    return F.linear(torch.cat(streams, 2), torch.cat(weights, 1), bias)
