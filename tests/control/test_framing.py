from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.control.framing import Deframer, frame
from synthhost.core.errors import OscError

packets = st.lists(st.binary(min_size=1, max_size=40), min_size=1, max_size=6)


@given(packets, st.booleans(), st.integers(1, 50))
def test_packets_survive_any_cut_of_the_stream(sent: list[bytes], slip: bool, piece_bytes: int) -> None:
    stream = b"".join(frame(packet, slip) for packet in sent)
    deframer = Deframer()
    got: list[bytes] = []
    for at in range(0, len(stream), piece_bytes):
        got += deframer.feed(stream[at : at + piece_bytes])
    assert got == sent
    assert deframer.slip is slip


@given(st.binary(max_size=300), st.integers(1, 50))
def test_random_streams_are_cut_or_refused(stream: bytes, piece_bytes: int) -> None:
    deframer = Deframer(limit_bytes=64)
    try:
        for at in range(0, len(stream), piece_bytes):
            for packet in deframer.feed(stream[at : at + piece_bytes]):
                assert packet
    except OscError:
        pass


def test_slip_begins_and_ends_each_packet_with_end() -> None:
    framed = frame(b"a\xc0b\xdbc", slip=True)
    assert framed == b"\xc0a\xdb\xdcb\xdb\xddc\xc0"


@pytest.mark.parametrize("head", [b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\xbf\xff\xff\xff"])
def test_lengths_that_no_packet_has_are_refused(head: bytes) -> None:
    with pytest.raises(OscError, match="bytes"):
        Deframer().feed(head)


def test_a_slip_packet_without_end_is_refused_before_it_fills_the_memory() -> None:
    deframer = Deframer(limit_bytes=1000)
    deframer.feed(b"\xc0")
    deframer.feed(bytes([1]) * 60_000)
    with pytest.raises(OscError, match="does not end"):
        deframer.feed(bytes([1]) * 60_000)


def test_an_unknown_escape_is_refused() -> None:
    with pytest.raises(OscError, match="escape"):
        Deframer().feed(b"\xc0a\xdbb\xc0")
