"""Where every control stands now, as far as the engine has confirmed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synthhost.core.messages import MASTER, SetParam

_MACRO = "macro."

ValueKey = tuple[str, str]
"""Track (or "master") and parameter; a macro's parameter is `macro.NAME`."""


def macro_key(track: str, macro: str) -> ValueKey:
    """Return under which key a macro's place is kept."""
    return track, f"{_MACRO}{macro}"


class Values:
    """A mirror of the engine's parameters, taken from its description and kept current by its events.

    A description is made while the engine plays on: what events have told since the sample it was made at
    holds against it. Macros are known on this side only and stay where they are while their preset plays.
    """

    def __init__(self, description: Mapping[str, Any], earlier: Values | None = None) -> None:
        self._now: dict[ValueKey, float] = {}
        self._told: dict[ValueKey, int] = {}  # at which sample an event said so
        self._presets = {name: track.get("preset") for name, track in description.get("tracks", {}).items()}
        for name, track in description.get("tracks", {}).items():
            self._take(name, track)
            for macro in track.get("macros", ()):
                self._now[macro_key(name, macro["name"])] = float(macro["value"])
        self._take(MASTER, description.get("master", {}))
        if earlier is not None:
            self._keep(earlier, description.get("as_of_sample"))

    def _keep(self, earlier: Values, as_of_sample: int | None) -> None:
        for key, sample in earlier._told.items():
            if as_of_sample is not None and sample >= as_of_sample:
                self._now[key], self._told[key] = earlier._now[key], sample
        for track, name in set(earlier._now) & set(self._now):
            if name.startswith(_MACRO) and self._presets[track] == earlier._presets.get(track):
                self._now[track, name] = earlier._now[track, name]

    def _take(self, name: str, part: Mapping[str, Any]) -> None:
        for spec in part.get("params", ()):
            self._now[name, spec["name"]] = float(spec["default"])
        for param, value in part.get("values", {}).items():
            self._now[name, param] = float(value)

    def __getitem__(self, key: ValueKey) -> float:
        return self._now.get(key, 0.0)

    def put(self, key: ValueKey, value: float, at_sample: int | None = None) -> bool:
        """Note where a control stands, and since when if an event says so; say whether it moved."""
        if at_sample is not None:
            self._told[key] = at_sample
        moved = self._now.get(key) != value
        self._now[key] = value
        return moved

    def take(self, command: SetParam) -> bool:
        """Note a parameter change that took effect; say whether it moved."""
        return self.put((command.track, command.param), command.value, command.at_sample)
