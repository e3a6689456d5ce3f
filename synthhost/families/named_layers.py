"""A network as layers by their published names: what a family lays into a graph."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from synthhost.streaming.conv import Conv
from synthhost.streaming.layer import AnyLayer


class NamedLayers(nn.Module):
    """Layers by name; dots and all.

    Attributes:
        layers: Every layer that carries weights.
    """

    layers: Mapping[str, AnyLayer]

    def __init__(self, layers: Mapping[str, AnyLayer]) -> None:
        super().__init__()
        self.layers = dict(layers)
        for name, layer in layers.items():
            self.add_module(name.replace(".", "-"), layer)  # torch's own names hold no dots

    def __getitem__(self, name: str) -> AnyLayer:
        return self.layers[name]

    def named_tensors(self) -> dict[str, Tensor]:
        """Return every tensor by its published name, as it is kept."""
        return {
            f"{name}.{leaf}": tensor.detach().clone().to(torch.float32)
            for name, layer in self.layers.items()
            for leaf, tensor in layer.named_parameters()
        }


def looking_back(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> Conv:
    """Return a convolution that keeps the length and looks at nothing ahead, with zeros before the start."""
    return Conv(inputs, outputs, kernel, dilation=dilation, padding=((kernel - 1) * dilation, 0))


def same_length(inputs: int, outputs: int, kernel: int = 1, dilation: int = 1) -> Conv:
    """Return a convolution of odd kernel that keeps the length, with zero edges."""
    edge = (kernel - 1) * dilation // 2
    return Conv(inputs, outputs, kernel, dilation=dilation, padding=(edge, edge))
