"""What a refused document is told: a sentence for each problem, with its place."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from pydantic_core import ErrorDetails

from synthhost.core.errors import ConfigError, suggestion
from synthhost.schema.patterns import IN_WORDS

_REPORTED_ERRORS: Final = 20
_SHOWN_LETTERS: Final = 60


def config_error(place: str, problems: Iterable[str]) -> ConfigError:
    """Return one error out of many problems, a line each, the first twenty."""
    lines = list(problems)
    told = [f"{place}: {line}" for line in lines[:_REPORTED_ERRORS]]
    if len(lines) > _REPORTED_ERRORS:
        told.append(f"{place}: and {len(lines) - _REPORTED_ERRORS} more.")
    return ConfigError("\n".join(told))


def unknown_name(wrong: str, known: Iterable[str]) -> str:
    """Return the sentence about a name that is not among the known ones."""
    names = sorted(known)
    nearest = suggestion(wrong, names)
    if not nearest and 0 < len(names) <= 24:
        nearest = f" Known: {', '.join(names)}."
    return f"{shown(wrong)} is not known.{nearest}"


def dotted(loc: Iterable[int | str]) -> str:
    """Return a place inside a document, such as `tracks[1].preset.chain[0]`."""
    text = ""
    for part in loc:
        if isinstance(part, int):
            text += f"[{part}]"
        elif not part.startswith("<"):  # "<...>" marks a branch of a union, which is no key
            text += f".{part[:_SHOWN_LETTERS]}" if text else part[:_SHOWN_LETTERS]
    return text


def shown(value: object) -> str:
    """Return a value as written, cut to a length that fits a sentence."""
    text = repr(value)
    return (
        text
        if len(text) <= _SHOWN_LETTERS
        else text[: _SHOWN_LETTERS - 3] + "..." + text[0] * (text[0] in "'\"")
    )


def problem_sentence(detail: ErrorDetails) -> str:
    """Return pydantic's error as `place: sentence`."""
    loc = detail["loc"]
    if detail["type"] == "missing":
        where, sentence = dotted(loc[:-1]), f"'{loc[-1]}' is missing: add it."
    else:
        where, sentence = dotted(loc), _sentence(detail)
    return f"{where}: {sentence}" if where else sentence


def _sentence(detail: ErrorDetails) -> str:
    kind, context, value = detail["type"], detail.get("ctx", {}), shown(detail["input"])
    if kind == "synthhost":
        return detail["msg"]
    if kind == "string_pattern_mismatch":
        pattern = str(context.get("pattern"))
        return f"must be {IN_WORDS.get(pattern, pattern)}, not {value}."
    if kind == "string_type" and isinstance(detail["input"], int | float):
        return f"must be text: put {value} in quotes."
    if kind in ("too_long", "too_short", "string_too_long", "string_too_short"):
        bound = "most" if kind.endswith("long") else "least"
        noun = "letters" if kind.startswith("string") else "entries"
        return f"must have at {bound} {context.get('max_length', context.get('min_length'))} {noun}."
    wanted = _WANTED.get(kind)
    if wanted:
        return f"must be {wanted.format(**context)}, not {value}."
    return f"{detail['msg'][:1].lower()}{detail['msg'][1:]}, not {value}."


_WANTED: Final[dict[str, str]] = {
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than": "less than {lt:g}",
    "less_than_equal": "at most {le:g}",
    "multiple_of": "a multiple of {multiple_of:g}",
    "finite_number": "a finite number",
    "float_type": "a number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "string_type": "text",
    "tuple_type": "a list",
    "dict_type": "a mapping of names to values",
    "model_type": "a mapping of names to values",
    "literal_error": "{expected}",
}
