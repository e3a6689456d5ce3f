"""OSC address patterns: `?`, `*`, `[a-z]`, `[!x]`, `{a,b}` inside one part of an address, `//` across parts.

The pattern is what arrives; the addresses it is held against are plain. A pattern is compiled part by part
to regular expressions that never backtrack over a star (each star commits to the first place its following
text fits, which is enough because that text has a fixed width once braces are spelled out), so a hostile
pattern costs no more than its length times what it is held against.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TypeAlias

from synthhost.core.errors import OscError

MAX_PATTERN = 256  # characters
_MAX_SPELLINGS = 64  # of one part, once its braces are spelled out
_SPECIAL = frozenset("?*[]{}")
_ANY = "[^/]"
_ANY_DEPTH = None  # the empty part between two slashes

Part: TypeAlias = "re.Pattern[str] | None"


def is_pattern(address: str) -> bool:
    """Say whether an incoming address may stand for several."""
    return not _SPECIAL.isdisjoint(address) or "//" in address


class AddressTree:
    """Plain addresses, arranged by their parts, that patterns are held against."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._root = _Node()
        for address in addresses:
            node = self._root
            for part in address.split("/")[1:]:
                node = node.children.setdefault(part, _Node())
            node.address = address

    def matching(self, pattern: str) -> tuple[str, ...]:
        """Return every address the pattern stands for, each once, in the order of the tree.

        Raises:
            OscError: A bracket or brace is not closed, or the pattern is too large.
        """
        found: dict[str, None] = {}
        _walk(self._root, compile_pattern(pattern), 0, found, set())
        return tuple(found)


class _Node:
    __slots__ = ("address", "children")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.address: str | None = None


def _walk(
    node: _Node, parts: tuple[Part, ...], at: int, found: dict[str, None], seen: set[tuple[int, int]]
) -> None:
    if (id(node), at) in seen:  # two `//` can reach the same place many times
        return
    seen.add((id(node), at))
    if at == len(parts):
        if node.address is not None:
            found[node.address] = None
        return
    part = parts[at]
    if part is _ANY_DEPTH:
        _walk(node, parts, at + 1, found, seen)
        for child in node.children.values():
            _walk(child, parts, at, found, seen)
        return
    for name, child in node.children.items():
        if part.fullmatch(name):
            _walk(child, parts, at + 1, found, seen)


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> tuple[Part, ...]:
    """Turn a pattern into one expression a part, None for "any number of parts".

    Raises:
        OscError: A bracket or brace is not closed, or the pattern is too large.
    """
    if len(pattern) > MAX_PATTERN:
        raise OscError(f"a pattern may have {MAX_PATTERN} characters; this one has {len(pattern)}.")
    *inner, last = pattern.split("/")[1:]  # an empty last part is a trailing slash, which no address has
    return (*(_compile_part(part) if part else _ANY_DEPTH for part in inner), _compile_part(last))


def _compile_part(part: str) -> re.Pattern[str]:
    spellings = [_expression(tokens) for tokens in _spelled_out(list(_tokens(part)))]
    return re.compile("|".join(spellings), re.DOTALL)


def _tokens(part: str) -> Iterator[list[str]]:
    """Yield, for each piece of a part, the alternatives it stands for: star, one character, or plain text."""
    at = 0
    while at < len(part):
        match part[at]:
            case "*":
                yield ["*"]
            case "?":
                yield [_ANY]
            case "[":
                stop = _closing(part, at, "]")
                yield [_one_of(part[at + 1 : stop])]
                at = stop
            case "{":
                stop = _closing(part, at, "}")
                yield [re.escape(choice) for choice in part[at + 1 : stop].split(",")]
                at = stop
            case "]" | "}":
                raise OscError(f"the pattern part {part!r} closes {part[at]!r} without opening it.")
            case plain:
                yield [re.escape(plain)]
        at += 1


def _closing(part: str, at: int, closer: str) -> int:
    stop = part.find(closer, at + 2 if closer == "]" else at + 1)
    if stop < 0:
        raise OscError(f"the pattern part {part!r} opens {part[at]!r} and does not close it with {closer!r}.")
    return stop


def _one_of(inside: str) -> str:
    """Return the expression for a bracket; `-` first or last is itself, a backward range is turned round."""
    negated = len(inside) > 1 and inside.startswith("!")
    letters = inside[1:] if negated else inside
    pieces: list[str] = []
    at = 0
    while at < len(letters):
        if at + 2 < len(letters) and letters[at + 1] == "-":
            low, high = sorted((letters[at], letters[at + 2]))
            pieces.append(f"{re.escape(low)}-{re.escape(high)}")
            at += 3
        else:
            pieces.append(re.escape(letters[at]))
            at += 1
    return f"[{'^/' if negated else ''}{''.join(pieces)}]"


def _spelled_out(tokens: list[list[str]]) -> list[tuple[str, ...]]:
    spellings = 1
    for choices in tokens:
        spellings *= len(choices)
        if spellings > _MAX_SPELLINGS:
            raise OscError(f"the braces of one pattern part stand for more than {_MAX_SPELLINGS} spellings.")
    return list(itertools.product(*tokens))


def _expression(tokens: tuple[str, ...]) -> str:
    """Join tokens, every star but the last committed to the first fit of the text behind it."""
    runs: list[str] = [""]
    for token in tokens:
        if token == "*":
            runs.append("")
        else:
            runs[-1] += token
    if len(runs) == 1:
        return runs[0]
    first, *middle, last = runs
    committed = "".join(f"(?>{_ANY}*?{run})" for run in middle if run)
    return f"{first}{committed}{_ANY}*{last}"
