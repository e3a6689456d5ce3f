"""synthhost: a live host for neural audio models.

Names are loaded when first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthhost.core.errors import SynthhostError
    from synthhost.library.model import Model, ModelStream
    from synthhost.library.shelves import load_model

__all__ = ["Model", "ModelStream", "SynthhostError", "load_model"]

_HOMES = MappingProxyType(
    {
        "Model": "synthhost.library.model",
        "ModelStream": "synthhost.library.model",
        "SynthhostError": "synthhost.core.errors",
        "load_model": "synthhost.library.shelves",
    }
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'synthhost' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
