"""Remembers what models cost on this machine, so that a change of preset need not wait for measuring."""

from __future__ import annotations

import contextlib
import json
import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from synthhost.backends.cost import StepCost
from synthhost.host.chunking import Choice


class CostBook:
    """Choices by model weights, thread count, torch version and processor, in a small file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def find(self, sha256: str, threads: int) -> Choice | None:
        """Return what was measured before, or None."""
        plain = self._read().get(_key(sha256, threads))
        try:
            return (
                Choice(plain["chunk_frames"], StepCost(**plain["cost"]), plain["keeps_up"]) if plain else None
            )
        except (KeyError, TypeError):
            return None

    def keep(self, sha256: str, threads: int, choice: Choice) -> None:
        """Remember a measurement; a book that cannot be written is no reason to stop."""
        entries = {**self._read(), _key(sha256, threads): asdict(choice)}
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


def _key(sha256: str, threads: int) -> str:
    return f"{sha256[:16]} x{threads} torch {version('torch')} {platform.processor() or platform.machine()}"
