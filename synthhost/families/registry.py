"""The network families this host can build, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol

from torch import Tensor

from synthhost.core.errors import ConfigError, suggestion
from synthhost.families import hifigan
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.streaming.block import AnyBlock


class Hyper(Protocol):
    """What every family's hyper-parameters can say of themselves."""

    @property
    def bands(self) -> int:
        """Feature bands the network takes."""

    @property
    def hop_samples(self) -> int:
        """Samples that one frame becomes."""

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping that the family's `hyper_from_json` reads back."""


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of network: how to read its shape, build it and fill it.

    `build` and `tensor_names` take the hyper-parameters that `hyper_from_json` of the same family made.
    """

    name: str
    hyper_from_json: Callable[[Mapping[str, Any]], Hyper]
    build: Callable[[Any], AnyBlock]
    load_weights: Callable[[AnyBlock, Mapping[str, Tensor]], None]
    tensor_names: Callable[[Any], dict[str, tuple[int, ...]]]


FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        "hifigan": Family(
            name="hifigan",
            hyper_from_json=HifiganHyper.from_json,
            build=hifigan.build,
            load_weights=hifigan.load_weights,
            tensor_names=hifigan.tensor_names,
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
