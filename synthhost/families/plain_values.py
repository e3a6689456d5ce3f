"""Reading a manifest's hyper-parameters: every value checked and bounded, every refusal a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError

_MOST_ITEMS = 256


class PlainValues:
    """A plain mapping whose values are asked for by name and range.

    Raises:
        ConfigError: From every method, with the family, the key and what is wrong.
    """

    def __init__(self, family: str, plain: Mapping[str, Any]) -> None:
        self._family = family
        self._plain = plain

    def whole(self, key: str, low: int, high: int) -> int:
        """Return a whole number in `low..high`."""
        return self._bounded(key, self.value(key), low, high)

    def wholes(self, key: str, low: int, high: int) -> tuple[int, ...]:
        """Return a list of whole numbers in `low..high`."""
        return tuple(self._bounded(key, item, low, high) for item in self._items(key, self.value(key)))

    def rows(self, key: str, low: int, high: int) -> tuple[tuple[int, ...], ...]:
        """Return a list of lists of whole numbers in `low..high`."""
        rows = [self._items(key, row) for row in self._items(key, self.value(key))]
        return tuple(tuple(self._bounded(key, item, low, high) for item in row) for row in rows)

    def choice(self, key: str, *choices: str) -> str:
        """Return one of several words."""
        value = self.value(key)
        if value not in choices:
            self.refuse(key, f"{str(value)[:40]!r} is not known; write {' or '.join(map(repr, choices))}")
        return str(value)

    def value(self, key: str) -> Any:
        """Return a value as it is; it must be there."""
        if key not in self._plain:
            self.refuse(key, "missing; import the model again")
        return self._plain[key]

    def refuse(self, key: str, what: str) -> NoReturn:
        """Raise the error about one key."""
        raise ConfigError(f"{self._family} {key}: {what}.")

    def _items(self, key: str, value: Any) -> list[Any] | tuple[Any, ...]:
        if not isinstance(value, list | tuple) or len(value) > _MOST_ITEMS:
            self.refuse(key, f"expected a list of at most {_MOST_ITEMS}, got {str(value)[:60]}")
        return value

    def _bounded(self, key: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self.refuse(key, f"expected a whole number, got {str(value)[:60]}")
        if not low <= value <= high:
            self.refuse(key, f"{str(value)[:40]} lies outside {low} to {high}")
        return value
