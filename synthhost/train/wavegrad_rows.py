"""WaveGrad as it learns to find noise, or the sound in it: every sound of a batch at a level of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from synthhost.families import wavegrad
from synthhost.families.family import Family
from synthhost.families.noise_schedule import FAST
from synthhost.families.note_input import lay_notes
from synthhost.families.sampler import Step
from synthhost.families.wavegrad import SLOPE, Wavegrad
from synthhost.families.wavegrad_hyper import SOUND
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import GraphBuilder
from synthhost.train.noise_finder import Level, NoiseFinder
from synthhost.train.rows import causal_rows

_TOLD_GAIN, _LAST_GAIN = 2.0, 0.1


@torch.no_grad()
def begin_orthogonal(network: Wavegrad) -> None:
    """Begin with orthogonal weights, after lmnt-com/wavegrad, with gains of our own.

    Weights as small as torch begins with leave nothing of what frames tell after so many layers in a row,
    and the network learns to do without. What it finds begins softly.
    """
    for name, layer in network.layers.items():
        if isinstance(layer, Conv):
            told = _TOLD_GAIN if name.startswith("notes.") else 1.0
            nn.init.orthogonal_(layer.weight, _LAST_GAIN if name == "last_conv" else told)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class WavegradRows(NoiseFinder):
    """A WaveGrad that plays notes; a level is the root of the fraction of energy kept."""

    family: Family = wavegrad.FAMILY
    network: Wavegrad

    def __init__(self, network: Wavegrad) -> None:
        super().__init__()
        hyper = network.hyper
        assert hyper.notes is not None
        self.network, self.notes, self.finds_sound = network, hyper.notes, hyper.finds == SOUND
        energy = np.cumprod(1.0 - np.asarray(hyper.training_betas))
        self._edges = np.sqrt(np.concatenate(([1.0], energy)))
        parts: list[AnyBlock] = []
        for part in range(2):
            graph = GraphBuilder(hyper.bands)
            parts.append(graph.build(lay_notes(graph, hyper.notes, network.layers)[part]))
        self.waves, self.told = parts

    def drawn(self, rng: np.random.Generator, count: int) -> Level:
        """Return levels within steps of training drawn alike, `[count]`."""
        step = rng.integers(1, self._edges.shape[0], count)
        high, low = self._edges[step - 1], self._edges[step]
        return (low + (high - low) * rng.random(count)).astype(np.float32)

    def spread(self, count: int) -> Level:
        """Return levels over all of the schedule, `[count]`."""
        steps = np.linspace(1, self._edges.shape[0] - 1, count).astype(np.int64)
        return self._edges[steps].astype(np.float32)

    def noised(self, sound: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return sounds, `[batch, samples]`, as noisy as levels say."""
        kept = level[:, None]
        return kept * sound + torch.sqrt(1.0 - kept.square()) * noise

    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by published name, as they are kept."""
        return self.network.named_tensors()

    def found_at(self, noisy: Tensor, told: float, frames: Tensor) -> Tensor:
        """Return what is found in sounds that are all as noisy as a sampler's step says."""
        return self.found(noisy, noisy.new_full((noisy.shape[0],), told), frames)

    def steps(self, count: int) -> Sequence[Step]:
        """Return the steps of a sampler of so many, the noisiest first."""
        hyper = self.network.hyper
        return wavegrad.sampler_steps(hyper, hyper.schedules.chosen(FAST, count))

    def found(self, noisy: Tensor, level: Tensor, frames: Tensor) -> Tensor:
        """Return what is found, `[batch, samples]`."""
        hyper = self.network.hyper
        waves, told = self.waves(frames).transpose(1, 2), self.told(frames).transpose(1, 2)
        stream, films = torch.cat((noisy[:, :, None], waves), 2), []
        for index in range(len(hyper.factors)):
            stream = self._down(index, stream)
            films.append(self._film(index, level, stream))
        stream = self._conv("first_conv", told)
        for index, film in enumerate(reversed(films)):
            stream = self._up(index, stream, film)
        return self._conv("last_conv", stream)[:, :, 0]

    def _conv(self, name: str, stream: Tensor) -> Tensor:
        layer = self.network.layers[name]
        assert isinstance(layer, Conv)
        return causal_rows(stream, layer.weight, layer.bias, layer.dilation)

    def _down(self, index: int, stream: Tensor) -> Tensor:
        if index == 0:
            return self._conv("downsample.0", stream)
        hyper, layer = self.network.hyper, f"downsample.{index}"
        stream = stream[:, :: hyper.down_factors[index - 1]]
        shortcut = self._conv(f"{layer}.residual_dense", stream)
        for number in range(len(hyper.down_dilations[index - 1])):
            stream = self._conv(f"{layer}.conv.{number}", F.leaky_relu(stream, SLOPE))
        return stream + shortcut

    def _film(self, index: int, level: Tensor, stream: Tensor) -> tuple[Tensor, Tensor]:
        stream = F.leaky_relu(self._conv(f"film.{index}.input_conv", stream), SLOPE)
        half = self.network.hyper.down_channels[index] // 2
        places = 1e-4 ** (torch.arange(half, dtype=torch.float32, device=level.device) / half)
        angles = self.network.hyper.level_scale * level[:, None] * places
        sines = torch.cat((angles.sin(), angles.cos()), 1)[:, None]
        shift, scale = self._conv(f"film.{index}.output_conv", stream + sines).chunk(2, 2)
        return shift, scale

    def _up(self, index: int, stream: Tensor, film: tuple[Tensor, Tensor]) -> Tensor:
        layer, factor = f"upsample.{index}", self.network.hyper.factors[index]
        shift, scale = film

        def modulated(name: str, x: Tensor) -> Tensor:
            return self._conv(f"{layer}.{name}", F.leaky_relu(shift + scale * x, SLOPE))

        shortcut = self._conv(f"{layer}.block1", stream).repeat_interleave(factor, 1)
        stream = F.leaky_relu(stream, SLOPE).repeat_interleave(factor, 1)
        stream = modulated("block2.1", self._conv(f"{layer}.block2.0", stream))
        half = shortcut + stream
        return half + modulated("block3.1", modulated("block3.0", half))
