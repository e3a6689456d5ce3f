"""Reading hyper-parameters by name and range, with a sentence for whatever cannot be built."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NoReturn

from synthhost.core.errors import ConfigError, suggestion


class HyperReader:
    """The plain hyper-parameters of one network, or of a part of one.

    Args:
        title: What it is called in messages.
        plain: As in a manifest.
        known: All keys of a part, so that any other is refused; None: others are left alone.

    Raises:
        ConfigError: From every method, with the network, the key and what it must be.
    """

    def __init__(self, title: str, plain: Mapping[str, Any], known: Collection[str] | None = None) -> None:
        self._title = title
        self._plain = plain
        if known is not None:
            self._refuse_unknown(known)

    def _refuse_unknown(self, known: Collection[str]) -> None:
        unknown = sorted(str(key)[:64] for key in self._plain if key not in known)
        if unknown:
            near = suggestion(unknown[0], known) or f" Known: {', '.join(sorted(known))}."
            raise ConfigError(f"{self._title} {unknown[0]!r} is not known.{near}")

    def whole(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """Return a whole number in `low..high`."""
        return self._whole(key, self._value(key, default), low, high)

    def wholes(self, key: str, most: int, low: int, high: int) -> tuple[int, ...]:
        """Return a list of 1 to `most` whole numbers in `low..high`."""
        value = self._value(key, None)
        if not isinstance(value, list | tuple) or not 1 <= len(value) <= most:
            self._refuse(f"{key}: expected a list of 1 to {most} whole numbers, got {_shown(value)}")
        return tuple(self._whole(key, one, low, high) for one in value)

    def real(self, key: str, low: float, high: float, default: float | None = None) -> float:
        """Return a finite number in `low..high`."""
        value = self._value(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._refuse(f"{key}: expected a number, got {_shown(value)}")
        if not low <= value <= high:  # nor is what is no number
            self._refuse(f"{key}: {_shown(value)} lies outside {low:g} to {high:g}")
        return float(value)

    def flag(self, key: str, default: bool) -> bool:
        """Return true or false."""
        value = self._value(key, default)
        if not isinstance(value, bool):
            self._refuse(f"{key}: expected true or false, got {_shown(value)}")
        return value

    def word(self, key: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of the words that have a meaning here."""
        value = self._value(key, default)
        if value not in choices:
            self._refuse(f"{key}: expected one of {', '.join(choices)}, got {_shown(value)}")
        return str(value)

    def _value(self, key: str, default: Any) -> Any:
        value = self._plain.get(key, default)
        if value is None:
            self._refuse(f"{key}: missing; import the checkpoint again with its own configuration")
        return value

    def _whole(self, key: str, value: Any, low: int, high: int) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            self._refuse(f"{key}: expected a whole number, got {_shown(value)}")
        if not low <= value <= high:
            self._refuse(f"{key}: {_shown(value)} lies outside {low} to {high}")
        return value

    def _refuse(self, what: str) -> NoReturn:
        raise ConfigError(f"{self._title} {what}.")


def _shown(value: Any) -> str:
    try:
        return repr(value)[:60]
    except ValueError:  # more digits than Python prints
        return "a number of thousands of digits"
