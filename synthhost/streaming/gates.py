"""The gated activation of WaveNet and its relatives."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from synthhost.streaming.channels import ChannelWise

First = Literal["tanh", "sigmoid"]


class Gate(ChannelWise):
    """`tanh(a) * sigmoid(b)`, the halves of `2 * channels` channels; implementations differ in which is a.

    Args:
        channels: That come out.
        first: What is taken of the first half; the other of the second.
    """

    def __init__(self, channels: int, first: First) -> None:
        super().__init__()
        self.in_channels, self.out_channels = 2 * channels, channels
        self.first: First = first

    def apply_to(self, x: Tensor, channel_axis: int) -> Tensor:
        """Return the product. [render thread]"""
        one, other = x.chunk(2, channel_axis)
        if self.first == "tanh":
            return torch.tanh(one) * torch.sigmoid(other)
        return torch.sigmoid(one) * torch.tanh(other)
