"""The network families this host can build, by name."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from synthhost.core.errors import ConfigError, suggestion
from synthhost.families import (
    ddsp,
    diffwave,
    hifigan,
    melgan,
    parallel_wavegan,
    samplernn,
    torchscript,
    wavegan,
    wavegrad,
    wavenet,
)
from synthhost.families.family import Family

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        one.name: one
        for one in (
            ddsp.FAMILY,
            diffwave.FAMILY,
            hifigan.FAMILY,
            melgan.FAMILY,
            parallel_wavegan.FAMILY,
            samplernn.FAMILY,
            torchscript.FAMILY,
            wavegan.FAMILY,
            wavegrad.FAMILY,
            wavenet.FAMILY,
        )
    }
)


def family(name: str) -> Family:
    """Return the family of that name.

    Raises:
        ConfigError: There is none.
    """
    if name not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ConfigError(f"No network family is named {name!r}.{suggestion(name, FAMILIES)} Known: {known}.")
    return FAMILIES[name]
