"""WaveNet as it learns fastest on a processor: one matrix product a layer over rows of samples.

It gives what the network's graph gives; a convolution of few channels and two taps spends its time on laying
out what it reads, and a one-hot input on zeros.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.families.wavenet import Wavenet
from synthhost.train.rows import causal_rows


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
        hyper, named = self.network.hyper, self.network.named_tensors()

        def weight(name: str) -> Tensor:
            return named[f"{name}.weight"][:, :, 0]

        beside = () if conditions is None else (conditions.transpose(1, 2),)
        stream = F.embedding(ids, weight("first_conv").T) + named["first_conv.bias"]
        skips: Tensor | None = None
        for index, dilation in enumerate(hyper.dilations):
            name = f"conv_layers.{index}"
            bias = named[f"{name}.conv.bias"]
            mixed = [(rows, weight(f"{name}.conv1x1c")) for rows in beside]
            if mixed:
                bias = bias + named.get(f"{name}.conv1x1c.bias", torch.zeros_like(bias))
            both = causal_rows(stream, named[f"{name}.conv.weight"], bias, dilation, mixed)
            through, gate = both.chunk(2, 2)
            parts = (f"{name}.conv1x1_out", f"{name}.conv1x1_skip")
            both = F.linear(
                torch.tanh(through) * torch.sigmoid(gate),
                torch.cat([weight(part) for part in parts]),
                torch.cat([named[f"{part}.bias"] for part in parts]),
            )
            stream = (stream + both[..., : hyper.residual_channels]) * hyper.residual_scale
            skipped = both[..., hyper.residual_channels :]
            skips = skipped if skips is None else skips + skipped
        assert skips is not None
        last = skips * hyper.skip_scale(0)
        for place in (1, 3) if hyper.head_channels else (1,):
            head = f"last_conv_layers.{place}"
            last = F.linear(F.relu(last), weight(head), named[f"{head}.bias"])
        return last
