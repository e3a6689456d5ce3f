"""Filling the layers of a network from named tensors: everything is used, nothing is guessed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from synthhost.core.errors import CheckpointError
from synthhost.streaming.block import AnyBlock

_SHOWN = 6  # names listed before "and N more"


def fill(layers: Mapping[str, AnyBlock], tensors: Mapping[str, Tensor]) -> None:
    """Copy `tensors` into the layers' parameters; `NAME.weight` and `NAME.bias` belong to layer NAME.

    Nothing is written unless all of it fits.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite; all are named.
    """
    named = {
        f"{name}.{leaf}": parameter
        for name, layer in layers.items()
        for leaf, parameter in layer.named_parameters()
    }
    fill_parameters(named, tensors)
    for layer in layers.values():
        layer.forget_packing()


def fill_parameters(wanted: Mapping[str, Tensor], tensors: Mapping[str, Tensor]) -> None:
    """Copy `tensors` into the parameters of the same names; nothing is written unless all of it fits.

    Raises:
        CheckpointError: Tensors are missing, left over, of another shape or not finite; all are named.
    """
    _refuse("lack tensors this network needs", (name for name in wanted if name not in tensors))
    _refuse("hold tensors this network has no place for", (name for name in tensors if name not in wanted))
    _refuse(
        "hold tensors of another shape",
        (
            f"{name} is {list(tensors[name].shape)}, needs {list(parameter.shape)}"
            for name, parameter in wanted.items()
            if tensors[name].shape != parameter.shape
        ),
    )
    _refuse(
        "hold values that are not finite real numbers",
        (name for name in wanted if not _finite_real(tensors[name])),
    )
    with torch.no_grad():
        for name, parameter in wanted.items():
            parameter.copy_(tensors[name])


def _finite_real(tensor: Tensor) -> bool:
    return tensor.is_floating_point() and bool(torch.isfinite(tensor).all())


def _refuse(complaint: str, names: Iterable[str]) -> None:
    listed = sorted(names)
    if not listed:
        return
    more = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    raise CheckpointError(
        f"The weights {complaint}: {', '.join(listed[:_SHOWN])}{more}. "
        "Check that the configuration belongs to this checkpoint."
    )
