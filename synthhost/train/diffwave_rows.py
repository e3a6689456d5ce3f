"""DiffWave as it learns to find noise: every sound of a batch at a training step of its own."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.families.diffwave import Diffwave, step_table
from synthhost.families.note_input import build_note_rows
from synthhost.streaming.block import AnyBlock
from synthhost.train.rows import causal_rows


class DiffwaveRows(nn.Module):
    """A DiffWave that plays notes, as its paper trains it; its weights are the network's own."""

    def __init__(self, network: Diffwave) -> None:
        super().__init__()
        hyper = network.hyper
        assert hyper.notes is not None
        assert hyper.variant == "lmnt"
        self.network = network
        self.steps = len(hyper.training_betas)
        energy = torch.cumprod(1.0 - torch.tensor(hyper.training_betas, dtype=torch.float64), 0)
        self.register_buffer("kept", energy.float(), persistent=False)
        table = step_table(range(self.steps), hyper.step_channels[0])
        self.register_buffer("table", table, persistent=False)
        self._rows: list[AnyBlock] = [build_note_rows(hyper.notes, network.layers)]

    kept: Tensor
    table: Tensor

    def conditions(self, frames: Tensor) -> Tensor:
        """Return what conditions samples, `[batch, samples, channels]`; frames `[batch, bands, frames]`."""
        rows: Tensor = self._rows[0](frames)
        return rows.transpose(1, 2)

    def forward(self, noisy: Tensor, step: Tensor, conditions: Tensor) -> Tensor:
        """Return the noise that is found, `[batch, samples]`.

        Args:
            noisy: `[batch, samples]`.
            step: Of training, from 0, `[batch]`.
            conditions: As `conditions` gives them.
        """
        layers, hyper = self.network.layers, self.network.hyper

        def linear(name: str, x: Tensor) -> Tensor:
            layer = layers[name]
            return F.linear(x, layer.weight[:, :, 0], layer.bias)

        told = self.table[step]
        for name in ("projection1", "projection2"):
            told = F.silu(linear(f"diffusion_embedding.{name}", told))
        stream = F.relu(linear("input_projection", noisy[:, :, None]))
        skips: Tensor | None = None
        for index in range(hyper.residual_layers):
            name = f"residual_layers.{index}"
            shifted = stream + linear(f"{name}.diffusion_projection", told)[:, None]
            conv, beside = layers[f"{name}.dilated_conv"], layers[f"{name}.conditioner_projection"]
            assert conv.bias is not None
            assert beside.bias is not None
            both = causal_rows(
                shifted,
                conv.weight,
                conv.bias + beside.bias,
                hyper.dilation(index),
                [(conditions, beside.weight[:, :, 0])],
            )
            gate, through = both.chunk(2, 2)
            made = linear(f"{name}.output_projection", torch.sigmoid(gate) * torch.tanh(through))
            stream = (stream + made[..., : hyper.residual_channels]) * math.sqrt(0.5)
            skipped = made[..., hyper.residual_channels :]
            skips = skipped if skips is None else skips + skipped
        assert skips is not None
        last = F.relu(linear("skip_projection", skips * math.sqrt(1.0 / hyper.residual_layers)))
        return linear("output_projection", last)[:, :, 0]

    def noised(self, sound: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """Return a sound, `[batch, samples]`, as noisy as a training step leaves it."""
        kept = self.kept[step][:, None]
        return kept.sqrt() * sound + (1.0 - kept).sqrt() * noise
