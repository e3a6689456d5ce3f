"""From an implementation's names for its tensors to those of a family."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor

from synthhost.checkpoints.layout import check_tensors
from synthhost.core.errors import CheckpointError


def renamed(
    place: str,
    tensors: Mapping[str, Tensor],
    layers: Mapping[str, str],
    expected: Mapping[str, Iterable[int]],
) -> dict[str, Tensor]:
    """Return tensors under the family's names, every one used and none missing.

    Args:
        place: What messages call the file.
        tensors: By the implementation's names.
        layers: The implementation's name of a layer, by the family's.
        expected: Shape by the family's tensor name; those of layers it does not name are left aside.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite, by their own names.
    """
    theirs: dict[str, str] = {}
    for name in expected:
        layer, _, leaf = name.rpartition(".")
        if layer in layers:
            theirs[name] = f"{layers[layer]}.{leaf}"
    check_tensors(place, tensors, {theirs[name]: expected[name] for name in theirs})
    return {name: tensors[published] for name, published in theirs.items()}


def shape_of(place: str, tensors: Mapping[str, Tensor], name: str) -> tuple[int, int, int]:
    """Return the shape of a one-dimensional convolution's weights.

    Raises:
        CheckpointError: There are none so named, or they have another number of axes.
    """
    found = tensors.get(name)
    shape = [] if found is None else list(found.shape)
    if len(shape) != 3 or not all(shape):
        raise unusual(place, f"{name} has shape {shape}, where a convolution has three axes")
    return shape[0], shape[1], shape[2]


def unusual(place: str, what: str) -> CheckpointError:
    """Return the error that weights are of no network known here."""
    return CheckpointError(f"{place}: {what}. It is of another network, or damaged.")
