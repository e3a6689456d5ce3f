"""What every importer gives, and the checks they share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from synthhost.core.errors import CheckpointError
from synthhost.core.specs import MelSpec

_SHOWN_NAMES = 5


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A model out of a file: its family, its numbers and its weights under the family's tensor names.

    Attributes:
        mel: The mel convention; None for models that take latent vectors, or nothing.
        sample_rate: In Hz, of models without a mel convention.
        program: The bytes of the TorchScript file, of families that are one; they have no tensors.
        about: What a person should know of it, such as what was assumed because no file tells it; sentences.
    """

    layout: str
    family: str
    hyper: dict[str, Any]
    mel: MelSpec | None
    tensors: dict[str, Tensor]
    sample_rate: int = 0
    program: bytes | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class Layout:
    """One published file layout: how to know it and how to read it.

    `recognise` looks at keys and shapes only. `read` gets the file's path, its content and the path of the
    companion configuration a person named, if any.
    """

    name: str
    recognise: Callable[[Any], bool]
    read: Callable[[Path, Any, Path | None], ReadModel]


def check_tensors(place: str, tensors: Mapping[str, Tensor], expected: Mapping[str, Iterable[int]]) -> None:
    """Refuse tensors that are not exactly the expected ones, before any network is built.

    Args:
        place: What messages call the file.
        tensors: By the family's tensor name.
        expected: Shape by tensor name.

    Raises:
        CheckpointError: With the names missing, left over, of another shape or not finite.
    """
    missing = [name for name in expected if name not in tensors]
    unexpected = [name for name in tensors if name not in expected]
    if missing or unexpected:
        raise CheckpointError(
            f"{place}: the weights do not fit the configuration: {_names('missing', missing)}"
            f"{_names('left over', unexpected)}Is it the configuration of this very checkpoint?"
        )
    for name, shape in expected.items():
        if tuple(tensors[name].shape) != tuple(shape):
            raise CheckpointError(
                f"{place}: {name} has shape {list(tensors[name].shape)}, the configuration asks for "
                f"{list(shape)}. Is it the configuration of this very checkpoint?"
            )
        if not bool(torch.isfinite(tensors[name]).all()):
            raise CheckpointError(
                f"{place}: {name} holds values that are not finite. Choose an earlier checkpoint."
            )


def _names(what: str, names: list[str]) -> str:
    if not names:
        return ""
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return f"{what} {', '.join(name[:80] for name in names[:_SHOWN_NAMES])}{more}. "
