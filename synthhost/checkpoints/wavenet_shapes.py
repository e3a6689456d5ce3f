"""What importers of WaveNets ask of a file's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from synthhost.core.errors import CheckpointError

_MAX_LAYERS = 256


def shape_of(path: Path, tensors: Mapping[str, Tensor], name: str, axes: int) -> list[int]:
    """Return the shape of a tensor.

    Raises:
        CheckpointError: It is missing, empty or has another number of axes.
    """
    shape = list(tensors[name].shape) if name in tensors else []
    if len(shape) != axes or not all(shape):
        raise CheckpointError(f"{path}: {name} has shape {shape}; this layout gives it {axes} axes.")
    return shape


def layer_count(path: Path, tensors: Mapping[str, Tensor], pattern: str) -> int:
    """Return how many layers have a tensor named by `pattern`, whose {} is the layer's number.

    Raises:
        CheckpointError: There is none, or more than any network has.
    """
    count = 0
    while pattern.format(count) in tensors:
        count += 1
    if not 1 <= count <= _MAX_LAYERS:
        raise CheckpointError(f"{path}: {count} layers; a WaveNet has 1 to {_MAX_LAYERS}.")
    return count
