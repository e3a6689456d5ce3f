"""The compiled extension, where this installation has one; everything that needs it asks here."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from synthhost.core.errors import ConfigError

_NAME = "synthhost.native._loops"
_PLANS = "synthhost.native._plan"  # built with it


def compiled() -> ModuleType:
    """Return the extension; `_loops.pyi` says what is in it.

    Raises:
        ConfigError: There is none, or it cannot be loaded.
    """
    found = _found()
    if isinstance(found, str):
        raise ConfigError(
            f"the compiled loops are needed, and {found}: install a C++ compiler and reinstall."
        )
    return found


def compiled_plans() -> ModuleType:
    """Return the executor of plans; `_plan.pyi` says what is in it.

    Raises:
        ConfigError: There is none, or it cannot be loaded.
    """
    compiled()
    return import_module(_PLANS)


def why_missing() -> str | None:
    """Return in a few words why the extension cannot be used, or None where it can."""
    found = _found()
    return found if isinstance(found, str) else None


def _found() -> ModuleType | str:
    try:
        return import_module(_NAME)
    except ModuleNotFoundError as error:
        if error.name != _NAME:
            return f"its compiled part cannot be loaded ({error})"
        return "synthhost was installed without its compiled part"
    except ImportError as error:
        return f"its compiled part cannot be loaded ({error})"
