"""What the training loop asks of everything that can be trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from synthhost.checkpoints.layout import ReadModel

Batch: TypeAlias = dict[str, NDArray[np.generic]]
"""What one step learns from, by name."""


class Task(Protocol):
    """Networks, how they learn, and how what they have learned is looked at.

    Attributes:
        networks: Everything whose weights are kept, by name.
        optimisers: Of the same; the loop sets their rates.
    """

    networks: Mapping[str, nn.Module]
    optimisers: Mapping[str, Optimizer]

    def draw(self, step: int) -> Batch:
        """Return what a step learns from: a function of the seed, the process's rank and the step alone.

        It runs in processes of its own.
        """

    def learn(self, batch: Mapping[str, Tensor], step: int) -> dict[str, float]:
        """Take one step and return its losses by name."""

    def evaluate(self) -> dict[str, float]:
        """Return measures on material held out."""

    def show(self, folder: Path) -> None:
        """Write sounds and pictures of what was learned so far."""

    def finish(self, folder: Path) -> None:
        """Write what belongs beside the model."""

    def begin_from(self, tensors: Mapping[str, Tensor]) -> None:
        """Begin with the weights of a model of this kind, by published name, instead of fresh ones.

        Raises:
            CheckpointError: They are another network's.
        """

    def model(self) -> ReadModel:
        """Return what was learned as a model that can be kept."""
