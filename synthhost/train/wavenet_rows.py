"""WaveNet as it learns fastest on a processor: one matrix product a layer over rows of samples.

It gives what the network's graph gives; a convolution of few channels and two taps spends its time on laying
out what it reads, and a one-hot input on zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.families.wavenet import Wavenet


class WavenetRows(nn.Module):
    """A WaveNet that hears ids under teacher forcing; its weights are the network's own."""

    def __init__(self, network: Wavenet) -> None:
        super().__init__()
        hyper = network.hyper
        assert not hyper.scalar_input
        assert hyper.gate == "tanh-sigmoid"
        assert hyper.skip != "halving"
        assert not hyper.n_speakers
        self.network = network

    def forward(self, ids: Tensor, conditions: Tensor | None = None) -> Tensor:
        """Return logits, `[batch, samples, outputs]`.

        Args:
            ids: What is heard, `[batch, samples]`; the first is what a voice starts with.
            conditions: As the conditioner gives them, `[batch, channels, samples]`.
        """
        hyper, layers = self.network.hyper, self.network.layers
        beside = () if conditions is None else (conditions.transpose(1, 2),)
        first = layers["first_conv"]
        stream = F.embedding(ids, first.weight[:, :, 0].T) + first.bias
        skips: Tensor | None = None
        for index, dilation in enumerate(hyper.dilations):
            name = f"conv_layers.{index}"
            taps = [
                _delayed(stream, dilation * back) for back in reversed(range(hyper.kernel_size))
            ]  # the oldest first, as the weights lie
            conv = layers[f"{name}.conv"]
            weights = [conv.weight[:, :, tap] for tap in range(hyper.kernel_size)]
            bias = conv.bias
            if beside:
                mixed = layers[f"{name}.conv1x1c"]
                weights.append(mixed.weight[:, :, 0])
                bias = bias if mixed.bias is None else bias + mixed.bias
            through, gate = F.linear(torch.cat((*taps, *beside), 2), torch.cat(weights, 1), bias).chunk(2, 2)
            gated = torch.tanh(through) * torch.sigmoid(gate)
            out, skip = (layers[f"{name}.{part}"] for part in ("conv1x1_out", "conv1x1_skip"))
            both = F.linear(
                gated,
                torch.cat((out.weight[:, :, 0], skip.weight[:, :, 0])),
                torch.cat((out.bias, skip.bias)),
            )
            onward, skipped = both.split((hyper.residual_channels, hyper.skip_channels), 2)
            stream = (stream + onward) * hyper.residual_scale
            skips = skipped if skips is None else skips + skipped
        assert skips is not None
        last = skips * hyper.skip_scale(0)
        for place in (1, 3) if hyper.head_channels else (1,):
            head = layers[f"last_conv_layers.{place}"]
            last = F.linear(F.relu(last), head.weight[:, :, 0], head.bias)
        return last


def _delayed(stream: Tensor, samples: int) -> Tensor:
    """Return a stream, `[batch, samples, channels]`, so many samples later, behind zeros."""
    return stream if not samples else F.pad(stream, (0, 0, samples, 0))[:, : stream.shape[1]]
