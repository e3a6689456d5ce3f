"""Remembers what models cost on this machine, so that a change of preset need not wait for measuring."""

from __future__ import annotations

import contextlib
import json
import math
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from synthhost.backends.cost import StepCost
from synthhost.host.chunking import Choice
from synthhost.host.duel import Duel

_LEAD = f"lead {platform.node()}"


class CostBook:
    """What was measured of models, in a small file.

    It goes by the model (weights and numbers), how it is computed (options, back end, device), the number of
    threads, torch's version and the processor.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, sha256: str, how: str, threads: int) -> Choice | None:
        """Return what was measured before, or None."""
        plain: Any = self._read().get(_key(sha256, how, threads))
        try:
            cost, rest = plain["cost"], {name: value for name, value in plain.items() if name != "cost"}
            if not all(math.isfinite(value) for value in (*cost.values(), *rest.values())):
                return None
            found = Choice(cost=StepCost(**cost), **rest)
        except (KeyError, TypeError, AttributeError, OverflowError):
            return None
        return found if _is_possible(found) else None

    def keep(self, sha256: str, how: str, threads: int, choice: Choice) -> None:
        """Remember a measurement; a book that cannot be written is no reason to stop."""
        self._write(_key(sha256, how, threads), asdict(choice))

    def find_duel(self, sha256: str, how: str, threads: int) -> Duel | None:
        """Return how native code and torch compared before, or None."""
        plain = self._read().get(_key(sha256, f"duel {how}", threads))
        try:
            return Duel(float(plain["native_seconds"]), float(plain["torch_seconds"])) if plain else None
        except (KeyError, TypeError, ValueError):
            return None

    def keep_duel(self, sha256: str, how: str, threads: int, found: Duel) -> None:
        """Remember how they compared; as `keep`."""
        self._write(_key(sha256, f"duel {how}", threads), asdict(found))

    def find_lead(self) -> float | None:
        """Return how many ms ahead of the sink were used at most in earlier shows, or None."""
        plain = self._read().get(_LEAD, {})
        try:
            used_ms = float(plain["used_ms"])
        except (KeyError, TypeError, ValueError):
            return None
        return used_ms if 0.0 <= used_ms < math.inf else None

    def keep_lead(self, used_ms: float) -> None:
        """Remember how many ms ahead of the sink were used; as `keep`."""
        self._write(_LEAD, {"used_ms": used_ms})

    def _write(self, key: str, entry: dict[str, Any]) -> None:
        entries = {**self._read(), key: entry}
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self._path.with_suffix(f".{os.getpid()}.part")
            fresh.write_text(json.dumps(entries))
            fresh.replace(self._path)

    def _read(self) -> dict[str, Any]:
        try:
            entries = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return entries if isinstance(entries, dict) else {}


def _is_possible(found: Choice) -> bool:
    """Whether what was read could have been measured."""
    counts = found.chunk_frames, found.threads, found.cost.chunk_frames
    whole = all(isinstance(count, int) and count >= 1 for count in counts)
    return whole and found.cost.chunk_seconds > 0.0 and found.cost.median_seconds > 0.0


def _key(sha256: str, how: str, threads: int) -> str:
    machine = platform.processor() or platform.machine()
    return f"{sha256[:16]} {how} x{threads} torch {version('torch')} {machine}"
