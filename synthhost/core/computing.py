"""What computes a model, on which device, and why: what may be asked for and what came of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from synthhost.core.errors import ConfigError
from synthhost.core.options import FLOAT32, OptionSpec, OptionValue

AUTO, NATIVE, TORCH = "auto", "native", "torch"
BACKENDS = (AUTO, NATIVE, TORCH)
CPU = "cpu"

BACKEND = OptionSpec(
    "backend", AUTO, "what computes the model: native (compiled code), torch, or auto", choices=BACKENDS
)
DEVICE = OptionSpec("device", CPU, "where the model is computed: cpu, cuda (the first GPU) or cuda:N")
THREADS = OptionSpec(
    "threads",
    0,
    "threads that share a step of native code: 0 as many as it needs to keep up, or a number",
    maximum=64,
)
COMPUTING = (BACKEND, DEVICE, THREADS)
"""Options that every model has. They hold for a voice as it is built; a change builds it anew."""

_DEVICE = re.compile(r"cpu|cuda(?::\d{1,2})?")


@dataclass(frozen=True, slots=True)
class Computed:
    """What computes one model.

    Attributes:
        backend: "native" or "torch".
        device: "cpu", or "cuda:N" with the GPU's number.
        reason: Why this one, in a few words.
        threads: That share its steps at most.
        precision: Of weights and products: "float32", "float16" or "int8".
    """

    backend: str
    device: str
    reason: str
    threads: int = 1
    precision: str = FLOAT32

    def __str__(self) -> str:
        """Return all of it as a person reads it."""
        more = [f"{self.threads} threads"] if self.threads > 1 else []
        more += [self.precision] if self.precision != FLOAT32 else []
        return f"{' '.join((self.backend, *more))} on {self.device} ({self.reason})"

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping."""
        return asdict(self)


def checked_device(device: str) -> str:
    """Return what was given as a device, "cuda" as "cuda:0".

    Raises:
        ConfigError: It is no device.
    """
    if not _DEVICE.fullmatch(device):
        raise ConfigError(f"device: {device[:60]!r} is none. There are cpu, cuda and cuda:N, such as cuda:1.")
    return "cuda:0" if device == "cuda" else device


def asked_for(backend: str | None, device: str | None) -> dict[str, OptionValue]:
    """Return a wish as options, without what is the default: such names stay as short as they were.

    Raises:
        ConfigError: There is no such back end or device.
    """
    pairs = ((BACKEND, backend), (DEVICE, device))
    said = {spec.name: spec.checked(value) for spec, value in pairs if value is not None}
    checked_device(str(said.get(DEVICE.name, CPU)))
    return {name: value for name, value in said.items() if value not in (AUTO, CPU)}


def on_ladder(preset: dict[str, Any], ladder: Sequence[Mapping[str, OptionValue]]) -> dict[str, Any]:
    """Return a preset, a plain mapping, with the set's ladder where it declares none itself."""
    return (
        {**preset, "ladder": [dict(rung) for rung in ladder]}
        if ladder and not preset.get("ladder")
        else preset
    )


def under(preset: Mapping[str, Any], options: Mapping[str, OptionValue]) -> dict[str, Any]:
    """Return a preset, a plain mapping, under a track's options; what the preset says itself wins."""
    return {**preset, "options": {**options, **(preset.get("options") or {})}} if options else dict(preset)
