"""What learning to find noise asks of a diffusion that plays notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthhost.families.family import Family
from synthhost.families.note_input import NoteInput
from synthhost.families.sampler import Ancestral, Step

Level: TypeAlias = NDArray[Any]
"""How noisy sounds are, as their network is told: steps of training, or what is left of the sound."""


class NoiseFinder(nn.Module, ABC):
    """A network as its paper trains it: every sound of a batch as noisy as chance says.

    Attributes:
        family: Of the network.
        network: As it is played; its weights are those that learn.
        notes: What it makes of notes.
        finds_sound: Whether it finds the clean sound instead of the noise.
    """

    family: Family
    network: Any
    notes: NoteInput
    finds_sound = False

    @property
    def receptive_samples(self) -> int:
        """Return how many samples one of its steps looks back, at most."""
        samples: int = self.network.hyper.receptive_samples
        return samples

    @abstractmethod
    def drawn(self, rng: np.random.Generator, count: int) -> Level:
        """Return how noisy sounds are by chance, `[count]`."""

    @abstractmethod
    def spread(self, count: int) -> Level:
        """Return levels over all of the schedule, the least noisy first, `[count]`."""

    @abstractmethod
    def noised(self, sound: Tensor, level: Tensor, noise: Tensor) -> Tensor:
        """Return sounds, `[batch, samples]`, as noisy as levels say, `[batch]`."""

    @abstractmethod
    def found(self, noisy: Tensor, level: Tensor, frames: Tensor) -> Tensor:
        """Return what is found, the noise or the clean sound, `[batch, samples]`.

        Args:
            noisy: `[batch, samples]`.
            level: `[batch]`.
            frames: `[batch, bands, frames]`.
        """

    @abstractmethod
    def found_at(self, noisy: Tensor, told: float, frames: Tensor) -> Tensor:
        """Return what is found in sounds that are all as noisy as a sampler's step says."""

    @abstractmethod
    def steps(self, count: int) -> Sequence[Step]:
        """Return the steps of a sampler of so many, the noisiest first."""

    def sampled(self, frames: Tensor, noise: Tensor) -> Tensor:
        """Return sounds, `[batch, samples]`, as a sampler makes them in a step for every row of noise.

        Args:
            frames: `[batch, bands, frames]`.
            noise: `[batch, steps, samples]`: the first row begins, the others are added after steps.
        """
        steps = self.steps(noise.shape[1])
        signal = noise[:, 0]
        for row, step in enumerate(steps, 1):
            update = step.update
            assert isinstance(update, Ancestral)
            found = self.found_at(signal, step.told, frames)
            signal = update.signal * signal - update.found * found
            if update.noise:
                signal = signal + update.noise * noise[:, row]
            if update.clamps:
                signal = signal.clamp(-1.0, 1.0)
        emphasis = self.network.hyper.emphasis
        if emphasis is None:
            return signal
        with torch.autocast(signal.device.type, enabled=False):  # no product of the network's
            lowered: Tensor = emphasis.lowered(signal.float())
        return lowered

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by published name, as they are kept."""

    def forward(self, noisy: Tensor, level: Tensor, frames: Tensor) -> Tensor:
        """Return what is found."""
        return self.found(noisy, level, frames)
