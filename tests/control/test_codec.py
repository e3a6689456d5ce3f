from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.control.codec import decode
from synthhost.control.encoding import encode, encode_bundle
from synthhost.control.packets import Char, Colour, Impulse, Midi, OscArg, OscMessage, Symbol, TimeTag
from synthhost.core.errors import OscError

text = st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",)), max_size=20)
float32 = st.floats(width=32, allow_nan=False)
plain_args = st.one_of(
    st.integers(-(1 << 63), (1 << 63) - 1),
    float32,
    text,
    st.binary(max_size=20),
    st.booleans(),
    st.none(),
    st.just(Impulse.IMPULSE),
    st.integers(0, (1 << 64) - 1).map(TimeTag),
    st.integers(0, (1 << 32) - 1).map(Colour),
    text.map(Symbol),
    st.characters(exclude_categories=("Cs",)).map(Char),
    st.binary(min_size=4, max_size=4).map(Midi),
)
args = st.recursive(plain_args, lambda inner: st.lists(inner, max_size=4).map(tuple), max_leaves=8)


@given(st.lists(args, max_size=8))
def test_every_argument_comes_back_with_its_value_and_type(values: list[OscArg]) -> None:
    (message,) = decode(encode("/a/b", values))
    assert message == OscMessage("/a/b", tuple(values))
    assert [type(each) for each in message.args] == [type(each) for each in values]


@given(st.floats())
def test_doubles_keep_every_bit(value: float) -> None:
    (message,) = decode(encode("/d", (value,), "d"))
    (back,) = message.args
    assert isinstance(back, float)
    assert struct.pack(">d", back) == struct.pack(">d", value) or math.isnan(value)


@given(st.lists(st.tuples(st.integers(0, (1 << 64) - 1), st.integers(0, 3)), max_size=6))
def test_nested_bundles_keep_the_order_and_the_later_tag(levels: list[tuple[int, int]]) -> None:
    packet = encode("/innermost", (0,))
    expected = [("/innermost", max([1, *(tag for tag, _ in levels)]))]
    for depth, (tag, siblings) in enumerate(levels):
        packet = encode_bundle(tag, [packet, *(encode(f"/s{depth}") for _ in range(siblings))])
        outer = max([1, *(tag for tag, _ in levels[depth:])])
        expected += [(f"/s{depth}", outer)] * siblings
    assert [(each.address, each.time_tag) for each in decode(packet)] == expected


@given(st.binary(max_size=200))
def test_random_bytes_are_decoded_or_refused(packet: bytes) -> None:
    with contextlib.suppress(OscError):
        assert all(message.address.startswith("/") for message in decode(packet))


def test_a_hundred_thousand_bent_packets_are_decoded_or_refused(
    malformed_packets: Callable[[int, int], Iterator[bytes]],
) -> None:
    refused = 0
    for packet in malformed_packets(7, 110_000):
        try:
            decode(packet)
        except OscError:
            refused += 1
    assert refused > 50_000


def test_monsters_are_refused(monster: bytes) -> None:
    with pytest.raises(OscError, match=r"\w+ .*\.$"):
        decode(monster)


def test_a_missing_type_string_means_no_arguments() -> None:
    assert decode(b"/old\0\0\0\0") == [OscMessage("/old")]
    assert decode(b"/old\0\0\0\0" + bytes(4)) == [OscMessage("/old")]


def test_text_that_is_not_utf8_is_shown_with_replacements() -> None:
    assert decode(b"/a\0\0,s\0\0\xffab\0")[0].args == ("\ufffdab",)


def test_an_unknown_tag_stops_the_parse_and_is_named() -> None:
    with pytest.raises(OscError, match="'Q'"):
        decode(b"/a\0\0,iQi" + bytes(16))


def test_eight_bundles_inside_each_other_are_taken_and_nine_are_not() -> None:
    packet = encode("/deep")
    for _ in range(8):
        packet = encode_bundle(1, [packet])
    assert decode(packet) == [OscMessage("/deep")]
    with pytest.raises(OscError, match="8 deep"):
        decode(encode_bundle(1, [packet]))


def test_an_empty_bundle_holds_nothing() -> None:
    assert decode(encode_bundle(5, [])) == []


def test_a_packet_beyond_the_limit_is_refused() -> None:
    packet = encode("/a", (bytes(70_000),))
    with pytest.raises(OscError, match="too large"):
        decode(packet)
    assert decode(packet, limit_bytes=1 << 20)[0].args == (bytes(70_000),)


@pytest.mark.parametrize(
    ("values", "tags"),
    [
        ((1,), "ii"),
        ((1, 2), "i"),
        (("x",), "i"),
        ((1 << 40,), "i"),
        ((b"abc",), "m"),
        (("a\0b",), "s"),
        ((1,), "Q"),
    ],
)
def test_arguments_that_do_not_fit_their_tags_are_refused(values: tuple[OscArg, ...], tags: str) -> None:
    with pytest.raises(OscError, match="do not fit"):
        encode("/a", values, tags)


def test_an_address_must_begin_with_a_slash() -> None:
    with pytest.raises(OscError, match="must begin"):
        encode("a")
