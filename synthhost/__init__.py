"""synthhost: a live host for neural audio models.

Names are loaded when first asked for, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from synthhost.core.errors import SynthhostError
    from synthhost.host.library import load_model
    from synthhost.host.model import Model, ModelStream

__all__ = ["Model", "ModelStream", "SynthhostError", "load_model"]

_HOMES = MappingProxyType(
    {
        "Model": "synthhost.host.model",
        "ModelStream": "synthhost.host.model",
        "SynthhostError": "synthhost.core.errors",
        "load_model": "synthhost.host.library",
    }
)


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'synthhost' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
