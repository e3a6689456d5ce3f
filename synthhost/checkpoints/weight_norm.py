"""Plain weights out of the spellings training programs leave behind.

Weight norm keeps a direction v and a length g; the weight is `g * v / |v|`, the norm over every axis but 0.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from synthhost.core.errors import CheckpointError

_WRAPPERS = ("module.", "_orig_mod.")  # data-parallel training and torch.compile put these before every name
_SPELLINGS = (
    (".weight_g", ".weight_v"),
    (".parametrizations.weight.original0", ".parametrizations.weight.original1"),
)


def plain_tensors(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return float32 tensors under plain names: wrappers' prefixes stripped, weight norm folded.

    Raises:
        CheckpointError: If half a pair is missing, shapes do not pair, one weight is given twice or a value
            is not a floating-point tensor.
    """
    plain: dict[str, Tensor] = {}
    named = _unwrapped(tensors)
    for name in named:
        target, tensor = _plain_entry(name, named)
        if tensor is None:
            continue
        if target in plain:
            raise CheckpointError(f"{target}: given twice, in two spellings. Re-save the checkpoint.")
        plain[target] = tensor
    return plain


def _plain_entry(name: str, named: Mapping[str, Tensor]) -> tuple[str, Tensor | None]:
    """Return the plain name and tensor an entry stands for; None for the second half of a pair."""
    for length_end, direction_end in _SPELLINGS:
        if name.endswith(length_end):
            stem = name.removesuffix(length_end)
            _require(stem + direction_end, named, name)
            return stem + ".weight", folded(named[name], named[stem + direction_end], stem)
        if name.endswith(direction_end):
            stem = name.removesuffix(direction_end)
            _require(stem + length_end, named, name)
            return stem + ".weight", None
    return name, named[name].detach().to(torch.float32).contiguous()


def _require(partner: str, named: Mapping[str, Tensor], name: str) -> None:
    if partner not in named:
        raise CheckpointError(f"{name}: its partner {partner} is missing. Fetch the file again.")


def folded(length: Tensor, direction: Tensor, name: str) -> Tensor:
    """Return `g * v / |v|`.

    Args:
        length: g, `[n, 1, ...]`.
        direction: v, `[n, ...]`.
        name: What errors call the weight.
    """
    expected = [direction.shape[0], *[1] * (direction.ndim - 1)] if direction.ndim else []
    if direction.ndim < 2 or list(length.shape) != expected:
        raise CheckpointError(
            f"{name}: weight-norm lengths {list(length.shape)} do not fit directions {list(direction.shape)}."
        )
    v = direction.detach().to(torch.float32)
    norm: Tensor = torch.linalg.vector_norm(v, dim=tuple(range(1, v.ndim)), keepdim=True)
    return (length.detach().to(torch.float32) * v / norm).contiguous()


def _unwrapped(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    named: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            raise CheckpointError(f"{key}: is not a tensor of real numbers. The file holds another model.")
        name = str(key)
        while name.startswith(_WRAPPERS):
            name = name.removeprefix(next(w for w in _WRAPPERS if name.startswith(w)))
        if name in named:
            raise CheckpointError(f"{name}: given twice, with and without a wrapper's prefix.")
        named[name] = tensor
    return named
