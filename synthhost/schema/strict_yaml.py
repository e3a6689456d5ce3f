"""A small, safe YAML: one document of mappings, lists, text, numbers, true/false and null.

Scalars follow the YAML 1.2 core schema, so `1e3` is a number and `no` and `12:30` are text. Aliases, tags and
doubled keys are refused; size, depth and the number of values are bounded. Keys are always text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import yaml

from synthhost.core.errors import ConfigError

MAX_TEXT_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_VALUES: Final = 20_000  # keys and values of one file; keeps reading a hostile file to a few seconds
MAX_NUMBER_LETTERS: Final = 64

_TAG: Final = "tag:yaml.org,2002:"
_NULL = re.compile(r"(?:~|null|Null|NULL|)\Z")
_BOOL = re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z")
_INT = re.compile(r"(?:[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)\Z")
_FLOAT = re.compile(
    r"(?:[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z"
)


def _core_schema() -> dict[Any, list[tuple[str, re.Pattern[str]]]]:
    kinds = (("null", _NULL), ("bool", _BOOL), ("int", _INT), ("float", _FLOAT))
    return {None: [(_TAG + kind, pattern) for kind, pattern in kinds]}


class _CoreLoader(yaml.SafeLoader):
    """PyYAML's safe loader up to the node tree, bounded, without aliases and tags."""

    yaml_implicit_resolvers = _core_schema()

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._values = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node, or refuse it."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent):
            self._refuse("aliases (*name) are not used here: write the value out")
        if getattr(event, "tag", None) is not None:
            self._refuse(f"tags ({event.tag[:40]!r}) are not used here: leave it out")
        self._values += 1
        if self._values > MAX_VALUES:
            self._refuse(f"more than {MAX_VALUES} values: split the file")
        if self._depth >= MAX_DEPTH:
            self._refuse(f"nested deeper than {MAX_DEPTH} levels")
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def _refuse(self, why: str) -> NoReturn:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        raise yaml.MarkedYAMLError(problem=why, problem_mark=event.start_mark)


class _CoreDumper(yaml.SafeDumper):
    """Writes block style with the same idea of what is a number, so that text stays text."""

    yaml_implicit_resolvers = _core_schema()

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value out, also one that appears twice."""
        return True


def parse_yaml(text: str, place: str) -> Any:
    """Return what one YAML document says as dicts, lists, text, numbers, booleans and None.

    Args:
        text: The document, at most `MAX_TEXT_BYTES` of UTF-8.
        place: What messages call it, such as `choir.yaml`.

    Raises:
        ConfigError: It is no such document; the sentence names the line.
    """
    if len(text) > MAX_TEXT_BYTES or len(text.encode("utf-8", "replace")) > MAX_TEXT_BYTES:
        raise ConfigError(
            f"{place}: larger than {MAX_TEXT_BYTES // 1_000_000} MB, too large for a text file."
        )
    try:
        loader = _CoreLoader(text)
        try:
            return _plain(loader.get_single_node())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise ConfigError(f"{place}: {_marked(error)}") from error
    except (
        yaml.YAMLError,
        ValueError,
        OverflowError,
    ) as error:  # PyYAML lets chr() and int() fail as they are
        raise ConfigError(f"{place}: not readable as YAML text: {_first_line(error)}.") from error


def dump_yaml(plain: Mapping[str, Any]) -> str:
    """Return `plain` as YAML text that `parse_yaml` reads back to the same values, keys in their order."""
    return str(yaml.dump(dict(plain), Dumper=_CoreDumper, sort_keys=False, allow_unicode=True, width=100))


def _marked(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    during = f" ({error.context})" if error.context else ""
    return f"{where}{error.problem or 'not readable as YAML'}{during}."


def _first_line(error: Exception) -> str:
    if isinstance(error, yaml.reader.ReaderError):
        return f"the character U+{int(error.character):04X} at place {error.position} is not allowed"
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _plain(node: Any) -> Any:
    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return _scalar(node)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    plain: dict[str, Any] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, yaml.ScalarNode):
            raise _error_at(key_node, "a key must be a word")
        key = _text(key_node)
        if key in plain:
            raise _error_at(key_node, f"{key!r} stands here twice: keep one")
        plain[key] = _plain(value_node)
    return plain


def _scalar(node: yaml.ScalarNode) -> Any:
    kind = node.tag.removeprefix(_TAG)
    text = _text(node)
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() == "true"
    if kind in ("int", "float"):
        return _number(node, kind)
    return text


def _number(node: yaml.ScalarNode, kind: str) -> float:
    text = node.value.lower()
    if len(text) > MAX_NUMBER_LETTERS:
        raise _error_at(node, "a number of that length is not meant here: put text in quotes")
    if kind == "int":
        base = {"0x": 16, "0o": 8}.get(text[:2], 10)
        return int(text, base)
    if text.endswith(".nan"):
        return math.nan
    return float(text.replace(".inf", "inf"))


def _text(node: yaml.ScalarNode) -> str:
    text = str(node.value)
    if any("\ud800" <= letter <= "\udfff" for letter in text):
        raise _error_at(node, "half a surrogate pair is not text: write the character itself")
    return text


def _error_at(node: Any, why: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=why, problem_mark=node.start_mark)
