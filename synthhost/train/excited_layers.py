"""How the layers of a generator beside an excitation begin, and what they are held to while they learn."""

from __future__ import annotations

import torch
from torch import nn

from synthhost.families.excited import Excited
from synthhost.streaming.conv import Conv
from synthhost.streaming.transposed import ConvTranspose

_SOFT = 0.02  # of full scale
_FAR_FRAMES = 1 << 16


def receptive_samples(excited: Excited) -> int:
    """Return how many samples one sample depends on, at most."""
    hop = excited.graph.total(1)
    first, _ = excited.graph.support(_FAR_FRAMES * hop, _FAR_FRAMES * hop)
    return (_FAR_FRAMES - first) * hop


@torch.no_grad()
def even_out(excited: Excited) -> None:
    """Let what is told without change come out of every upsampling without change: no tone at the frame rate.

    A transposed convolution twice as long as its stride makes of a steady value the sum of two taps, another
    one at each of `stride` places; these sums are brought to their mean.
    """
    for layer in excited.layers.values():
        if isinstance(layer, ConvTranspose):
            sums = layer.weight[:, :, : layer.stride] + layer.weight[:, :, layer.stride :]
            uneven = 0.5 * (sums - sums.mean(2, keepdim=True))
            layer.weight.sub_(torch.cat((uneven, uneven), 2))


@torch.no_grad()
def begin_smoothly(excited: Excited) -> None:
    """Let what is told glide from frame to frame before anything is learned: no tone at the frame rate.

    A transposed convolution that begins by chance repeats a pattern in every frame, whatever it is told. And
    begin softly: what has once reached the bounds of the hyperbolic tangent learns no more.
    """
    for name, layer in excited.layers.items():
        if isinstance(layer, ConvTranspose):
            part = (torch.arange(layer.stride) + 1.0) / layer.stride
            glide = torch.cat((part, 1.0 - part))
            mixed = torch.randn(layer.in_channels, layer.out_channels) / layer.in_channels**0.5
            layer.weight.copy_(mixed[:, :, None] * glide)
        elif isinstance(layer, Conv):
            gain = _SOFT if name == "conv_post" else 1.0
            nn.init.normal_(layer.weight, std=gain * (layer.in_channels * layer.weight.shape[2]) ** -0.5)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
