"""The codec against other implementations: python-osc in process, liblo over real sockets."""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_message import OscMessage as PeerMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from synthhost.control.codec import decode
from synthhost.control.encoding import encode, encode_bundle
from synthhost.control.framing import frame
from synthhost.control.packets import Char, Colour, Impulse, Midi, Symbol, TimeTag

liblo = pytest.importorskip("pyliblo3")

ascii_text = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=12)
typed = st.one_of(
    st.tuples(st.just("i"), st.integers(-(1 << 31), (1 << 31) - 1)),
    st.tuples(st.just("h"), st.integers(-(1 << 63), (1 << 63) - 1)),
    st.tuples(st.just("f"), st.floats(width=32, allow_nan=False)),
    st.tuples(st.just("d"), st.floats(allow_nan=False)),
    st.tuples(st.just("s"), ascii_text),
    st.tuples(st.just("b"), st.binary(min_size=1, max_size=12)),
    st.tuples(st.just("T"), st.just(True)),
    st.tuples(st.just("F"), st.just(False)),
    st.tuples(st.just("N"), st.none()),
)


@given(st.lists(typed, max_size=6))
def test_what_python_osc_writes_is_read(arguments: list[tuple[str, Any]]) -> None:
    builder = OscMessageBuilder("/peer")
    for tag, value in arguments:
        builder.add_arg(value, tag)
    (message,) = decode(builder.build().dgram)
    assert message.args == tuple(value for _, value in arguments)


@given(st.lists(typed, max_size=6))
def test_python_osc_reads_what_is_written(arguments: list[tuple[str, Any]]) -> None:
    tags = "".join(tag for tag, _ in arguments)
    peer = PeerMessage(encode("/peer", [value for _, value in arguments], tags))
    assert list(peer) == [value for _, value in arguments]


def test_python_osc_reads_arrays_colours_and_midi() -> None:
    peer = PeerMessage(encode("/p", ((1, (2.0, "x")), Colour(0x01020304), Midi(b"\x00\x90\x3c\x64"))))
    assert list(peer) == [[1, [2.0, "x"]], 0x01020304, (0, 0x90, 0x3C, 0x64)]


def test_python_osc_reads_nested_bundles() -> None:
    packet = encode_bundle(1, [encode("/a", (1,)), encode_bundle(1 << 33, [encode("/b", (2,))])])
    first, second = list(OscBundle(packet))
    assert first.address == "/a"
    assert second.content(0).address == "/b"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


def test_what_liblo_writes_is_read(listener: socket.socket) -> None:
    message = liblo.Message("/lo")
    for tag, value in [
        ("i", -3),
        ("h", 1 << 40),
        ("f", 0.5),
        ("d", 0.1),
        ("s", "text"),
        ("b", b"blob"),
        ("c", "x"),
    ]:
        message.add((tag, value))
    for tag in "TFNI":
        message.add((tag, None))
    message.add(("S", "sym"), ("m", (0, 0x90, 60, 100)), ("t", 1.5))
    liblo.send(liblo.Address("127.0.0.1", listener.getsockname()[1]), message)
    (read,) = decode(listener.recv(4096))
    *values, tag_value = read.args
    head = (-3, 1 << 40, 0.5, 0.1, "text", b"blob", Char("x"), True, False, None, Impulse.IMPULSE)
    assert tuple(values) == (*head, Symbol("sym"), Midi(b"\x00\x90\x3c\x64"))
    assert type(tag_value) is TimeTag


def test_liblo_reads_what_is_written(listener: socket.socket) -> None:
    got: list[tuple[str, list[Any], str]] = []
    server = liblo.Server(_free_port())
    server.add_method(None, None, lambda path, values, types: got.append((path, values, types)))
    values = (1, 0.5, "text", b"blob", 1 << 40, 0.1, True, False, None, Char("x"), Midi(b"\x00\x90\x3c\x64"))
    listener.sendto(encode("/ours", values, "ifsbhdTFNcm"), ("127.0.0.1", server.port))
    assert server.recv(5000)
    (path, back, types) = got[0]
    assert (path, types) == ("/ours", "ifsbhdTFNcm")
    assert back[:3] == [1, 0.5, "text"]
    assert bytes(back[3]) == b"blob"
    assert back[4:9] == [1 << 40, 0.1, True, False, None]


@pytest.mark.skipif(shutil.which("oscsend") is None, reason="oscsend (liblo-tools) is not installed")
def test_oscsend_is_read_with_every_type(listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    words = ["1", "2.5", "hello", "123456789012", "3.14", "A", "sym"]
    subprocess.run(["oscsend", "127.0.0.1", str(port), "/a/b", "ifshdcTFNIS", *words], check=True, timeout=10)
    (message,) = decode(listener.recv(4096))
    expected = (1, 2.5, "hello", 123456789012, 3.14, "A", True, False, None, Impulse.IMPULSE, "sym")
    assert message == ("/a/b", expected, 1)


@pytest.mark.parametrize("slip", [True, False])
def test_liblo_takes_our_tcp_framings(slip: bool) -> None:
    got: list[Any] = []
    server = liblo.Server(_free_port(), proto=liblo.TCP)
    server.add_method(None, None, lambda path, values: got.append((path, values)))
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(frame(encode("/framed", (0xC0DB,)), slip))
        while not got:
            assert server.recv(5000)
    assert got == [("/framed", [0xC0DB])]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
