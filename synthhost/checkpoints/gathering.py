"""Several layers of an implementation as one of a family: their outputs one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

import torch
from torch import Tensor

from synthhost.checkpoints.layout import check_tensors
from synthhost.checkpoints.renaming import unusual

Parts: TypeAlias = tuple[tuple[str, int], ...]
"""An implementation's layers that make one of a family's, each with how many outputs it has."""


def gathered(
    place: str,
    tensors: Mapping[str, Tensor],
    layers: Mapping[str, Parts],
    expected: Mapping[str, Iterable[int]],
) -> dict[str, Tensor]:
    """Return tensors under the family's names, every one used and none missing.

    Args:
        place: What messages call the file.
        tensors: By the implementation's names.
        layers: What each of the family's layers is made of; the first axis of weights is that of outputs.
        expected: Shape by the family's tensor name.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite, by their own names.
    """
    theirs: dict[str, tuple[int, ...]] = {}
    made_of: dict[str, list[str]] = {}
    for name, shape in expected.items():
        layer, _, leaf = name.rpartition(".")
        made_of[name] = [f"{part}.{leaf}" for part, _ in layers[layer]]
        for part, outputs in layers[layer]:
            theirs[f"{part}.{leaf}"] = (outputs, *tuple(shape)[1:])
    check_tensors(place, tensors, theirs)
    return {name: torch.cat([tensors[part] for part in parts]) for name, parts in made_of.items()}


def step_channels(place: str, tensors: Mapping[str, Tensor], layers: tuple[str, str]) -> list[int]:
    """Return the channels of DiffWave's embedded step before, between and after its two layers.

    Raises:
        CheckpointError: The layers are missing or of another kind.
    """
    shapes = [list(tensors[f"{name}.weight"].shape) if f"{name}.weight" in tensors else [] for name in layers]
    if any(len(shape) != 2 for shape in shapes):
        raise unusual(place, f"the layers {' and '.join(layers)} have shapes {shapes}")
    return [shapes[0][1], shapes[0][0], shapes[1][0]]


def count_of(tensors: Mapping[str, Tensor], name: str) -> int:
    """Return how many tensors are called `name` with 0, 1, 2 ... in place of its `#`."""
    count = 0
    while name.replace("#", str(count)) in tensors:
        count += 1
    return count
