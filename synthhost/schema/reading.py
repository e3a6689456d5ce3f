"""From a file or a mapping to a checked, frozen document; every refusal names the place and the way out."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from synthhost.core.errors import ConfigError
from synthhost.schema.patterns import SLUG_PATTERN as SLUG_PATTERN  # on offer here for every document
from synthhost.schema.sentences import config_error, problem_sentence, shown
from synthhost.schema.sentences import unknown_name as unknown_name
from synthhost.schema.strict_yaml import MAX_TEXT_BYTES, parse_yaml


def refusal(text: str) -> PydanticCustomError:
    """Return the error a validator raises so that `text` reaches the person word for word."""
    return PydanticCustomError("synthhost", "{text}", {"text": text})


class Entry(BaseModel):
    """A frozen mapping with known keys, strict types and finite numbers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, populate_by_name=False
    )

    @model_validator(mode="before")
    @classmethod
    def _refuse_unknown_keys(cls, plain: Any) -> Any:
        if isinstance(plain, Mapping):
            known = [field.alias or name for name, field in cls.model_fields.items()]
            unknown = [key for key in plain if key not in known]
            if unknown:
                raise refusal(" ".join(unknown_name(key, known) for key in unknown[:3]))
        return plain


class Document(Entry):
    """An entry that is a file of its own, with its kind and format version in the key `synthhost`."""

    kind: ClassVar[str]
    format_version: ClassVar[int] = 1

    @model_validator(mode="before")
    @classmethod
    def _check_header(cls, plain: Any) -> Any:
        if isinstance(plain, Mapping) and "synthhost" in plain:
            problem = header_problem(plain["synthhost"], cls.kind, cls.format_version)
            if problem:
                raise refusal(problem)
        return plain

    @classmethod
    def from_json(cls, plain: Mapping[str, Any], place: str) -> Self:
        """Read a plain mapping, such as `as_json` wrote; `place` is what messages call it.

        Raises:
            ConfigError: Everything wrong with it, a line each.
        """
        return read_entry(cls, plain, place)

    @classmethod
    def from_yaml(cls, text: str, place: str) -> Self:
        """Read YAML text that begins with its header, such as `synthhost: preset/1`.

        Raises:
            ConfigError: Everything wrong with it, a line each.
        """
        plain = parse_yaml(text, place)
        begin = f"synthhost: {cls.kind}/{cls.format_version}"
        if not isinstance(plain, dict):
            raise ConfigError(f"{place}: holds no keys. A {cls.kind} begins with '{begin}'.")
        if "synthhost" not in plain:
            raise ConfigError(f"{place}: does not say what it is. A {cls.kind} begins with '{begin}'.")
        return read_entry(cls, plain, place)

    def as_json(self) -> dict[str, Any]:
        """Return a plain mapping of everything, defaults included, that `from_json` reads back."""
        return self.model_dump(mode="json", by_alias=True)


def header_problem(header: object, kind: str, newest: int) -> str:
    """Return what is wrong with the value of the key `synthhost`, or an empty string."""
    wanted = f"{kind}/{newest}"
    found_kind, _, found_version = str(header).partition("/")
    if found_kind != kind and found_kind in ("preset", "set", "model"):
        return f"this is a {found_kind}, not a {kind}: it begins with 'synthhost: {shown(header)[1:-1]}'."
    if (
        found_kind != kind
        or not (found_version.isascii() and found_version.isdigit())
        or found_version == "0"
    ):
        return f"'synthhost' must be '{wanted}', not {shown(header)}."
    if len(found_version) > 9 or int(found_version) > newest:
        return (
            f"{shown(header)} needs a synthhost newer than {version('synthhost')}, which reads up to "
            f"'{wanted}': update synthhost."
        )
    return ""


def header_kind(text: str, place: str) -> str:
    """Return what YAML text says it is, such as `preset`; empty if it does not say.

    Raises:
        ConfigError: It is no YAML.
    """
    plain = parse_yaml(text, place)
    header = plain.get("synthhost") if isinstance(plain, dict) else None
    return header.partition("/")[0] if isinstance(header, str) else ""


def read_text(path: Path) -> str:
    """Return a text file of at most 1 MB.

    Raises:
        ConfigError: It is missing, no file, too large or not UTF-8.
    """
    try:
        if path.exists() and not path.is_file():
            raise ConfigError(f"{path}: is not a file. Name a YAML file.")
        with path.open("rb") as file:
            raw = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL letter in the path
        why = getattr(error, "strerror", None) or str(error)
        raise ConfigError(f"{path}: cannot be read ({why}). Check the path.") from error
    if len(raw) > MAX_TEXT_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_TEXT_BYTES // 1_000_000} MB, too large for a text file.")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: byte {error.start} is not UTF-8 text. Save it as UTF-8.") from error


EntryT = TypeVar("EntryT", bound=BaseModel)


def read_entry(entry_type: type[EntryT], plain: object, place: str) -> EntryT:
    """Return `plain` checked as `entry_type`.

    Raises:
        ConfigError: Everything wrong with it, a line each, as `place: key[0].key: what`.
    """
    try:
        return entry_type.model_validate(plain)
    except ValidationError as error:
        problems = [problem_sentence(detail) for detail in error.errors(include_url=False)]
        raise config_error(place, problems) from error
