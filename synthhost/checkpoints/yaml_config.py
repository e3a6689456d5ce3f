"""Reading the YAML configuration beside a published checkpoint, as its trainer's PyYAML wrote it.

A trainer may write down its own objects (`!!python/object:argparse.Namespace`, paths, tuples). Nothing is
ever made of such a tag: the node under it is taken as the mapping, list or text that it is. Aliases are
followed, within bounds. Numbers and words are those of YAML 1.1, which PyYAML speaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from synthhost.checkpoints.settings import Settings, config_text
from synthhost.core.errors import CheckpointError

MAX_VALUES = 20_000  # of one file, aliases written out
MAX_DEPTH = 32
_MAX_SCALAR = 1000  # letters; nothing longer is a number
_TAG = "tag:yaml.org,2002:"
_SCALARS = tuple(_TAG + kind for kind in ("null", "bool", "int", "float"))


class YamlConfig(Settings):
    """A configuration file of named values.

    Raises:
        CheckpointError: It cannot be read, or holds no named values.
    """

    def __init__(self, path: Path) -> None:
        documents = yaml_documents(config_text(path), str(path))
        super().__init__(str(path), merged(documents, str(path)))


def yaml_documents(text: str, place: str) -> list[Any]:
    """Return what every document of a YAML text says, as dicts, lists, text, numbers, booleans and None.

    Args:
        text: One document, or several with `---` between them.
        place: What messages call it.

    Raises:
        CheckpointError: It is no YAML, or larger or deeper than any configuration.
    """
    try:
        return list(_Reader(place).documents(text))
    except yaml.YAMLError as error:
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(f"{place}: is not readable as YAML: {first}.") from error
    except (ValueError, OverflowError, RecursionError) as error:  # endless digits, endless nesting
        raise CheckpointError(f"{place}: is not readable as YAML: {str(error)[:80]}.") from error


def merged(documents: list[Any], place: str) -> dict[str, Any]:
    """Return the named values of all documents as one mapping; later ones win.

    Raises:
        CheckpointError: A document is no mapping, or there is none.
    """
    together: dict[str, Any] = {}
    for document in documents:
        if not isinstance(document, dict):
            raise CheckpointError(f"{place}: holds no named values. Use the file of the checkpoint.")
        together.update(document)
    if not together:
        raise CheckpointError(f"{place}: holds no named values. Use the file of the checkpoint.")
    return together


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader up to the node tree, which it stops growing in time."""

    def __init__(self, text: str, place: str) -> None:
        super().__init__(text)
        self._place = place
        self._depth = self._nodes = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Compose one node, or refuse it."""
        self._nodes += 1
        self._depth += 1
        if self._nodes > MAX_VALUES or self._depth > MAX_DEPTH:
            raise _too_large(self._place)
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


class _Reader:
    """Turns nodes into plain values and counts them, those that aliases stand for as often as they do."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._left = MAX_VALUES

    def documents(self, text: str) -> Iterator[Any]:
        """Yield the value of each document."""
        loader = _BoundedLoader(text, self._place)
        try:
            while loader.check_node():
                yield self._plain(loader, loader.get_node(), 0)
        finally:
            loader.dispose()

    def _plain(self, loader: yaml.SafeLoader, node: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > MAX_DEPTH:
            raise _too_large(self._place)
        if isinstance(node, yaml.MappingNode):
            return {
                str(key.value): self._plain(loader, value, depth + 1)
                for key, value in node.value
                if isinstance(key, yaml.ScalarNode)
            }
        if isinstance(node, yaml.SequenceNode):
            return [self._plain(loader, item, depth + 1) for item in node.value]
        if node.tag in _SCALARS and len(node.value) <= _MAX_SCALAR:
            return loader.construct_object(node)
        return str(node.value)


def _too_large(place: str) -> CheckpointError:
    return CheckpointError(
        f"{place}: holds more than {MAX_VALUES} values or is nested deeper than {MAX_DEPTH} levels, more "
        "than a configuration needs; it was not read."
    )
