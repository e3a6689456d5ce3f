from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from synthhost.control.patterns import AddressTree, is_pattern
from synthhost.core.errors import OscError

ADDRESSES = (
    "/track/a/gain",
    "/track/b/gain",
    "/track/a-b/gain",
    "/track/a/fx/0/mix",
    "/track/a/fx/1/mix",
    "/master/gain",
    "/gain",
    "/panic",
)
TREE = AddressTree(ADDRESSES)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("/track/?/gain", ["/track/a/gain", "/track/b/gain"]),
        ("/track/*/gain", ["/track/a/gain", "/track/b/gain", "/track/a-b/gain"]),
        ("/track/*", []),
        ("/*/gain", ["/master/gain"]),
        ("/*", ["/gain", "/panic"]),
        ("/track/[ab]/gain", ["/track/a/gain", "/track/b/gain"]),
        ("/track/[a-b]/gain", ["/track/a/gain", "/track/b/gain"]),
        ("/track/[b-a]/gain", ["/track/a/gain", "/track/b/gain"]),
        ("/track/[!b]/gain", ["/track/a/gain"]),
        ("/track/a[x-]b/gain", ["/track/a-b/gain"]),
        ("/track/{a,b}/gain", ["/track/a/gain", "/track/b/gain"]),
        ("/{master,track}/gain", ["/master/gain"]),
        ("/track/a/fx/{0,1}/m*x", ["/track/a/fx/0/mix", "/track/a/fx/1/mix"]),
        ("//gain", [each for each in ADDRESSES if each.endswith("/gain")]),
        ("/track//mix", ["/track/a/fx/0/mix", "/track/a/fx/1/mix"]),
        ("//fx//mix", ["/track/a/fx/0/mix", "/track/a/fx/1/mix"]),
        ("//*", list(ADDRESSES)),
        ("/track/*/", []),
        ("/track/a{,-b}/gain", ["/track/a/gain", "/track/a-b/gain"]),
        ("/pan*ic*", ["/panic"]),
        ("/p*i?", ["/panic"]),
        ("/.*", []),
        ("/(panic|gain)?", []),
    ],
)
def test_patterns_match_what_the_specification_says(pattern: str, expected: list[str]) -> None:
    assert sorted(TREE.matching(pattern)) == sorted(expected)


@pytest.mark.parametrize(
    "pattern", ["/a[b", "/a{b", "/a{b,c/d}", "/a]", "/a}b", "/" + "?" * 300, "/" + "{a,b}" * 7]
)
def test_malformed_or_oversized_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(OscError, match=r"\w+"):
        TREE.matching(pattern)


def test_plain_addresses_are_no_patterns() -> None:
    assert not any(is_pattern(address) for address in ADDRESSES)
    assert all(is_pattern(address) for address in ("/a*", "/?", "/[a]", "/{a}", "//a"))


def _matches(pattern: str, name: str) -> bool:
    """Match by definition, trying everything: the oracle."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(_matches(pattern[1:], name[cut:]) for cut in range(len(name) + 1))
    if pattern[0] == "{":
        stop = pattern.index("}")
        choices = pattern[1:stop].split(",")
        return any(
            name.startswith(each) and _matches(pattern[stop + 1 :], name[len(each) :]) for each in choices
        )
    return bool(name) and pattern[0] in ("?", name[0]) and _matches(pattern[1:], name[1:])


NAMES = tuple("".join(letters) for size in (1, 2, 3, 4) for letters in itertools.product("ab", repeat=size))
NAME_TREE = AddressTree("/" + name for name in NAMES)


@given(st.lists(st.sampled_from(["a", "b", "*", "?", "{a,bb}", "{,ab,ba}", "{b}"]), min_size=1, max_size=6))
def test_one_part_matches_as_the_definition_says(pieces: list[str]) -> None:
    assume(math.prod(1 + piece.count(",") for piece in pieces) <= 64)  # more are refused, see above
    pattern = "".join(pieces)
    found = NAME_TREE.matching("/" + pattern)
    assert set(found) == {"/" + name for name in NAMES if _matches(pattern, name)}


def test_hostile_patterns_cost_little() -> None:
    tree = AddressTree(f"/track/{'a' * 60}{number}/param/{'a' * 60}" for number in range(300))
    assert tree.matching("//" + "*a" * 100 + "b") == ()
    assert tree.matching("//" * 60 + "*a*a*a*b") == ()
    assert tree.matching("/track/" + "{a,aa}" * 6 + "*a*a*a*a*a*a*a*a*b/param/x") == ()
