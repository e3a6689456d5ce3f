"""DiffWave as it learns to find noise: every sound of a batch at a training step of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.families import diffwave
from synthhost.families.diffwave import Diffwave, step_table
from synthhost.families.family import Family
from synthhost.families.noise_schedule import FAST
from synthhost.families.note_input import build_note_rows
from synthhost.families.sampler import Step
from synthhost.streaming.block import AnyBlock
from synthhost.train.noise_finder import Level, NoiseFinder
from synthhost.train.rows import causal_rows


class DiffwaveRows(NoiseFinder):
    """A DiffWave that plays notes; a level is a step of training, from 0."""

    family: Family = diffwave.FAMILY
    network: Diffwave
    kept: Tensor
    table: Tensor

    def __init__(self, network: Diffwave) -> None:
        super().__init__()
        hyper = network.hyper
        assert hyper.notes is not None
        assert hyper.variant == "lmnt"
        self.network, self.notes = network, hyper.notes
        self.rows: AnyBlock = build_note_rows(hyper.notes, network.layers)
        energy = torch.cumprod(1.0 - torch.tensor(hyper.training_betas, dtype=torch.float64), 0)
        self.register_buffer("kept", energy.float(), persistent=False)
        table = step_table(range(len(hyper.training_betas)), hyper.step_channels[0])
        self.register_buffer("table", table, persistent=False)

    def drawn(self, rng: np.random.Generator, count: int) -> Level:
        """Return steps of training, all alike, `[count]`."""
        return rng.integers(0, self.kept.shape[0], count)

    def spread(self, count: int) -> Level:
        """Return steps over all of the schedule, `[count]`."""
        return np.linspace(0, self.kept.shape[0] - 1, count).astype(np.int64)

    def noised(self, sound: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return sounds, `[batch, samples]`, as noisy as steps of training leave them."""
        kept = self.kept[level][:, None]
        return kept.sqrt() * sound + (1.0 - kept).sqrt() * noise

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by published name, as they are kept."""
        return diffwave.named_tensors(self.network)

    def found(self, noisy: Tensor, level: Tensor, frames: Tensor) -> Tensor:
        """Return the noise that is found, `[batch, samples]`."""
        return self._found(noisy, self.table[level], frames)

    def found_at(self, noisy: Tensor, told: float, frames: Tensor) -> Tensor:
        """Return the noise that is found in sounds that are all as noisy as a sampler's step says."""
        return self._found(noisy, diffwave.step_sines(told, self.network.hyper).to(noisy)[None], frames)

    def steps(self, count: int) -> Sequence[Step]:
        """Return the steps of a sampler of so many, the noisiest first."""
        hyper = self.network.hyper
        return diffwave.sampler_steps(hyper, hyper.schedules.chosen(FAST, count))

    def _found(self, noisy: Tensor, told: Tensor, frames: Tensor) -> Tensor:
        layers, hyper = self.network.layers, self.network.hyper
        conditions = self.rows(frames).transpose(1, 2)

        def linear(name: str, x: Tensor) -> Tensor:
            layer = layers[name]
            return F.linear(x, layer.weight[:, :, 0], layer.bias)

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
