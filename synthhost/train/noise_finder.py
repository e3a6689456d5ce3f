"""What learning to find noise asks of a diffusion that plays notes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from synthhost.families.family import Family
from synthhost.families.note_input import NoteInput

Level: TypeAlias = NDArray[Any]
"""How noisy sounds are, as their network is told: steps of training, or what is left of the sound."""


class NoiseFinder(nn.Module, ABC):
    """A network as its paper trains it: every sound of a batch as noisy as chance says.

    Attributes:
        family: Of the network.
        network: As it is played; its weights are those that learn.
        notes: What it makes of notes.
    """

    family: Family
    network: Any
    notes: NoteInput

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
        """Return the noise that is found, `[batch, samples]`.

        Args:
            noisy: `[batch, samples]`.
            level: `[batch]`.
            frames: `[batch, bands, frames]`.
        """

    @abstractmethod
    def tensors(self) -> Mapping[str, Tensor]:
        """Return the weights by published name, as they are kept."""

    def forward(self, noisy: Tensor, level: Tensor, frames: Tensor) -> Tensor:
        """Return the noise that is found."""
        return self.found(noisy, level, frames)
