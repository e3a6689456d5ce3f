"""Where every control stands now, as far as the engine has confirmed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthhost.core.messages import MASTER, SetParam

ValueKey = tuple[str, str]
"""Track (or "master") and parameter; a macro's parameter is `macro.NAME`."""


def macro_key(track: str, macro: str) -> ValueKey:
    """Return under which key a macro's place is kept."""
    return track, f"macro.{macro}"


class Values:
    """A mirror of the engine's parameters, taken from its description and kept current by its events."""

    def __init__(self, description: Mapping[str, Any]) -> None:
        self._now: dict[ValueKey, float] = {}
        for name, track in description.get("tracks", {}).items():
            self._take(name, track)
            for macro in track.get("macros", ()):
                self._now[macro_key(name, macro["name"])] = float(macro["value"])
        self._take(MASTER, description.get("master", {}))

    def _take(self, name: str, part: Mapping[str, Any]) -> None:
        for spec in part.get("params", ()):
            self._now[name, spec["name"]] = float(spec["default"])
        for param, value in part.get("values", {}).items():
            self._now[name, param] = float(value)

    def __getitem__(self, key: ValueKey) -> float:
        return self._now.get(key, 0.0)

    def put(self, key: ValueKey, value: float) -> bool:
        """Note where a control stands; say whether it moved."""
        moved = self._now.get(key) != value
        self._now[key] = value
        return moved

    def take(self, command: SetParam) -> bool:
        """Note a parameter change that took effect; say whether it moved."""
        return self.put((command.track, command.param), command.value)
