"""Options: what is decided when a voice is built, such as the steps of a diffusion; a change builds anew."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, unquote

from synthhost.core.errors import ConfigError, suggestion

OptionValue: TypeAlias = int | float | str

PRECISION = "precision"
"""The option that says how weights are stored."""
FLOAT32 = "float32"
"""Its default: as they were trained."""
INT8 = "int8"
"""Weights and inputs of wide convolutions in 8-bit integers."""

_LONGEST_TEXT = 4000
_SAID = re.compile(r"(?P<model>.+)\?(?P<options>[a-z_]+=[^?&=]*(?:&[a-z_]+=[^?&=]*)*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class OptionSpec:
    """One thing to decide: a whole number, a number, or a word or line of text, as its default is.

    Attributes:
        name: As in a preset's `options`, in `/track/NAME/model/OPTION` and in Python.
        default: What holds when nothing is said; its type is the option's.
        doc: One sentence for people.
        minimum: Of a number.
        maximum: Of a number.
        choices: Of a word; none: any text.
        file_of_numbers: Whether the text may be the path of a .npy or .pt file, read where a model is built.
    """

    name: str
    default: OptionValue
    doc: str
    minimum: float = 0.0
    maximum: float = 1e9
    choices: tuple[str, ...] = ()
    file_of_numbers: bool = False

    def checked(self, value: object) -> OptionValue:
        """Return a value as the option's type.

        Raises:
            ConfigError: It is of another type, out of range or not one of the choices.
        """
        if isinstance(self.default, str):
            return self._text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ConfigError(f"{self.name}: expected a number, got {value!r}.")
        if not self.minimum <= value <= self.maximum:
            raise ConfigError(f"{self.name}: {value:g} lies outside {self.minimum:g} to {self.maximum:g}.")
        if isinstance(self.default, float):
            return float(value)
        if value != int(value):
            raise ConfigError(f"{self.name}: expected a whole number, got {value:g}.")
        return int(value)

    def _text(self, value: object) -> str:
        if isinstance(value, int | float) and not isinstance(value, bool) and not self.choices:
            value = repr(value)  # a list of one number
        if not isinstance(value, str):
            raise ConfigError(f"{self.name}: expected a line of text, got {str(value)[:60]!r}.")
        if len(value) > _LONGEST_TEXT:
            raise ConfigError(
                f"{self.name}: {len(value)} letters; the most are {_LONGEST_TEXT}."
                f"{' Write the numbers into a .npy file and name that.' if self.file_of_numbers else ''}"
            )
        if self.choices and value not in self.choices:
            raise ConfigError(
                f"{self.name}: there is no {value[:60]!r}.{suggestion(value, self.choices)} "
                f"There are: {', '.join(self.choices)}."
            )
        return value


def precision_option(*reduced: str) -> OptionSpec:
    """Return the option of how weights are stored, for a network that offers these besides float32."""
    doc = f"of weights: float32 as trained, or rounded to {' or '.join(reduced)}"
    if INT8 in reduced:
        doc += ", as are what goes into wide convolutions"
    return OptionSpec(PRECISION, FLOAT32, doc, choices=(FLOAT32, *reduced))


def settled(specs: Sequence[OptionSpec], given: Mapping[str, object], place: str) -> dict[str, OptionValue]:
    """Return the value of every option: what was given, or its default.

    Raises:
        ConfigError: Something was given that is no option here, or no value for it.
    """
    known = {spec.name: spec for spec in specs}
    for name in given:
        if name not in known:
            listed = f" There are: {', '.join(known)}." if known else " It has no options."
            raise ConfigError(f"{place}: no option is called {name!r}.{suggestion(name, known)}{listed}")
    try:
        return {
            name: spec.checked(given[name]) if name in given else spec.default for name, spec in known.items()
        }
    except ConfigError as error:
        raise ConfigError(f"{place}: {error}") from error


def with_options(model: str, options: Mapping[str, OptionValue]) -> str:
    """Return one reference for a model under options, such as `glow?schedule=fast&steps=6`."""
    if not options:
        return model
    said = "&".join(f"{name}={quote(str(value), safe=',+')}" for name, value in sorted(options.items()))
    return f"{model}?{said}"


def options_of(preset: Mapping[str, Any], rung: int | None = None) -> dict[str, OptionValue]:
    """Return a preset's options as they hold on a rung of its ladder; None: on the one it stands on.

    Rungs add up: each says what it changes of what the ones before it came to. Rung 0 is above the first.
    """
    options = dict(preset.get("options") or {})
    taken = preset.get("rung", 0) if rung is None else rung
    for step in (preset.get("ladder") or ())[:taken]:
        options.update(step)
    return options


def model_of(preset: Mapping[str, Any], rung: int | None = None) -> str:
    """Return the model of a preset, a plain mapping, with its options as one reference."""
    return with_options(preset["model"], options_of(preset, rung))


def usable_rungs(
    ladder: Sequence[Mapping[str, OptionValue]], specs: Sequence[OptionSpec]
) -> list[dict[str, OptionValue]]:
    """Return the rungs of which a model has every option: a ladder may be meant for several models."""
    known = {spec.name for spec in specs}
    return [dict(rung) for rung in ladder if known.issuperset(rung)]


def without_options(reference: str) -> tuple[str, dict[str, OptionValue]]:
    """Return what `with_options` put together."""
    found = _SAID.fullmatch(reference)
    if found is None:
        return reference, {}
    pairs = (pair.partition("=") for pair in found["options"].split("&"))
    return found["model"], {name: _value(unquote(text)) for name, _, text in pairs}


def _value(text: str) -> OptionValue:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
