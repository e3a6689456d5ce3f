"""How measurements are shown and kept."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
import typer
from rich.console import Console

from synthhost.core.errors import SynthhostError

_ANGLES, _PASSES = 20_000, 40


def machine() -> dict[str, str | int]:
    """Return what a figure must be read with: processor, system, versions."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text(encoding="utf-8").splitlines() if listing.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": named[0] if named else platform.processor() or platform.machine(),
        "cores": len(named) or 1,
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "synthhost": version("synthhost"),
    }


def own_stalls_ms(seconds: float = 2.0) -> dict[str, float]:
    """Return how long one and the same piece of arithmetic takes here: what varies is the machine's doing.

    The piece is the sine of numbers that stay in the cache, about a millisecond on one core.
    """
    angles = np.random.default_rng(0).standard_normal(_ANGLES).astype(np.float32)
    spent_s: list[float] = []
    while sum(spent_s) < seconds:
        begun_s = perf_counter()
        for _ in range(_PASSES):
            np.sin(angles)
        spent_s.append(perf_counter() - begun_s)
    found = np.quantile(np.asarray(spent_s) * 1000.0, [0.5, 0.999, 1.0])
    return dict(zip(("median", "p999", "longest"), (round(float(one), 2) for one in found), strict=True))


def print_machine(console: Console) -> None:
    """Say on what the figures below were measured, and how steadily it works by itself."""
    facts, stalls = machine(), own_stalls_ms()
    console.print(
        f"{facts['processor']}, {facts['cores']} cores, {facts['system']}; "
        f"torch {facts['torch']}, synthhost {facts['synthhost']}",
        highlight=False,
    )
    console.print(
        f"The same arithmetic again and again takes {stalls['median']} ms here, {stalls['p999']} ms at p99.9 "
        f"and {stalls['longest']} ms at most: figures below cannot be steadier.",
        highlight=False,
        soft_wrap=True,
    )


def write_json(path: Path | None, measured: dict[str, Any]) -> None:
    """Keep what was measured, with the machine, if a file was named."""
    if path is not None:
        path.write_text(json.dumps({**measured, "machine": machine()}, indent=2) + "\n", encoding="utf-8")


def listed(words: str) -> list[str]:
    """Split a list such as `v1,v2,v3`."""
    return [word.strip() for word in words.split(",") if word.strip()]


def run(command: Callable[..., None]) -> None:
    """Run one measurement from the command line; what goes wrong is one sentence and exit code 1."""
    try:
        typer.run(command)
    except SynthhostError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), markup=False, style="bold")
        sys.exit(1)
