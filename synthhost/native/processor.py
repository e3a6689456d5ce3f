"""Which of the processor's instructions the compiled part uses."""

from __future__ import annotations

from synthhost.core.errors import ConfigError
from synthhost.native.compiled import compiled


def processor_in_use() -> str:
    """Return "x86-64-v4", "x86-64-v3", or "baseline" for any processor.

    It is the best that this processor runs, or what the environment's SYNTHHOST_PROCESSOR names.

    Raises:
        ConfigError: That names a level which is unknown or cannot run here, or there is no compiled part.
    """
    loops = compiled()
    try:
        level: str = loops.processor_level()
        return level
    except ValueError as error:
        raise ConfigError(str(error)) from error
