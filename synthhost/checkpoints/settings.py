"""Values out of a companion configuration, asked for by name and range."""

from __future__ import annotations

import json
import math
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from synthhost.core.errors import CheckpointError

MAX_CONFIG_BYTES = 1_000_000


class Settings:
    """One mapping of a configuration, every number checked and bounded.

    Raises:
        CheckpointError: From every method, with the file, the key and what is wrong.
    """

    def __init__(self, place: str, plain: Mapping[str, Any]) -> None:
        self.place = place
        self._plain = plain

    def __contains__(self, key: str) -> bool:
        return self._plain.get(key) is not None

    def section(self, key: str) -> Settings:
        """Return the mapping that stands under a key; an empty one where there is none."""
        value = self._plain.get(key)
        if value is not None and not isinstance(value, Mapping):
            raise self.error(key, f"must hold named values, not {_shown(value)}.")
        return Settings(f"{self.place}: {key}", value or {})

    def text(self, key: str) -> str | None:
        """Return a value that is text, or None."""
        value = self._plain.get(key)
        return value if isinstance(value, str) else None

    def scalar_text(self, key: str) -> str | None:
        """Return text, or a number as it would be written, or None; YAML reads 0.5 as a number."""
        value = self._plain.get(key)
        return str(value) if isinstance(value, str | float) else None

    def is_null(self, key: str) -> bool:
        """Tell whether a key is there and says nothing on purpose."""
        return key in self._plain and self._plain[key] is None

    def flag(self, key: str, default: bool) -> bool:
        """Return a value that is true or false."""
        value = self._plain.get(key)
        if value is None:
            return default
        if not isinstance(value, bool):
            raise self.error(key, f"must be true or false, not {_shown(value)}.")
        return value

    def whole(self, key: str, low: int, high: int) -> int:
        """Return a whole number in `low..high`."""
        return self._bounded(key, self._value(key), low, high)

    def number(self, key: str, low: float, high: float) -> float:
        """Return a finite number in `low..high`."""
        value = self._value(key)
        endless = isinstance(value, float) and not math.isfinite(value)
        if endless or isinstance(value, bool) or not isinstance(value, int | float):
            raise self.error(key, f"must be a number, not {_shown(value)}.")
        if not low <= value <= high:
            raise self.error(key, f"must lie in {low:g}..{high:g}, not {_shown(value)}.")
        return float(value)

    def numbers(self, key: str, count: int, low: float, high: float) -> list[float]:
        """Return a list of `count` finite numbers in `low..high`."""
        items = self._items(key, self._value(key), count)
        return [Settings(self.place, {key: item}).number(key, low, high) for item in items]

    def listed(self, key: str, most: int) -> list[Any]:
        """Return a list of at most so many values, to be checked where they are used."""
        value = self._value(key)
        if not isinstance(value, list) or len(value) > most:
            raise self.error(key, f"must be a list of at most {most}, not {_shown(value)}.")
        return value

    def wholes(self, key: str, count: int, low: int, high: int) -> list[int]:
        """Return a list of `count` whole numbers in `low..high`."""
        return [self._bounded(key, item, low, high) for item in self._items(key, self._value(key), count)]

    def rows(self, key: str, count: int, low: int, high: int) -> list[list[int]]:
        """Return `count` lists of whole numbers in `low..high`, each of at most 16."""
        rows = self._items(key, self._value(key), count)
        for row in rows:
            if not isinstance(row, list) or not 1 <= len(row) <= 16:
                raise self.error(key, f"must hold lists of numbers, not {_shown(row)}.")
        return [[self._bounded(key, item, low, high) for item in row] for row in rows]

    def expect(self, key: str, found: Any) -> None:
        """Refuse a value, where given, that is not what the weights' shapes say."""
        if key in self and self._plain[key] != found:
            raise self.error(key, f"is {_shown(self._plain[key])}, but the weights have {_shown(found)}.")

    def known(self, key: str, *values: Any) -> None:
        """Refuse a value, where given, that is none of those this program can compute."""
        if key in self and self._plain[key] not in values:
            listed = " or ".join(_shown(value) for value in values)
            raise self.error(key, f"is {_shown(self._plain[key])}; only {listed} is read here.")

    def error(self, key: str, what: str) -> CheckpointError:
        """Return the error about one key."""
        return CheckpointError(f"{self.place}: '{key}' {what} Use the file the checkpoint was trained with.")

    def _value(self, key: str) -> Any:
        if key not in self:
            raise self.error(key, "is missing.")
        return self._plain[key]

    def _items(self, key: str, value: Any, count: int) -> list[Any]:
        if not isinstance(value, list) or len(value) != count:
            raise self.error(key, f"must be a list of {count}, like the weights, not {_shown(value)}.")
        return value

    def _bounded(self, key: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.error(key, f"must be a whole number, not {_shown(value)}.")
        if not low <= value <= high:
            raise self.error(key, f"must lie in {low}..{high}, not {_shown(value)}.")
        return value


def config_text(path: Path) -> str:
    """Return the text of a configuration file, at most `MAX_CONFIG_BYTES`.

    Raises:
        CheckpointError: It cannot be read, is no ordinary file, is too large or is no text.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):  # opening a pipe alone may never end
            raise CheckpointError(f"{path}: is no ordinary file. Name the configuration file itself.")
        with path.open("rb") as file:
            raw = file.read(MAX_CONFIG_BYTES + 1)
        if len(raw) > MAX_CONFIG_BYTES:
            raise CheckpointError(f"{path}: larger than 1 MB, too large for a configuration.")
        return raw.decode("utf-8-sig")
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: is not text. Name the configuration with --config.") from error


def _shown(value: Any) -> str:
    try:
        text = json.dumps(value, default=str)
    except ValueError:  # more digits than Python prints
        return "a number of thousands of digits"
    return text if len(text) <= 60 else text[:57] + "..."
