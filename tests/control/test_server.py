from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from synthhost.control.codec import decode
from synthhost.control.encoding import encode
from synthhost.control.framing import Deframer, frame
from synthhost.control.packets import OscMessage
from synthhost.control.replies import ReplyPath, reply
from synthhost.control.server import MAX_CONNECTIONS, OscServer
from synthhost.core.errors import OscError


class Heard:
    """A handler that remembers, and answers `/echo`."""

    def __init__(self) -> None:
        self.messages: list[OscMessage] = []

    def __call__(self, messages: list[OscMessage], path: ReplyPath, arrived_s: float) -> None:
        self.messages += messages
        for message in messages:
            if message.address == "/echo":
                path.send(reply("/echoed", message.args[0]))


@pytest.fixture
def server() -> Iterator[OscServer]:
    opened = OscServer(port=0)
    yield opened
    opened.close()


@pytest.fixture
def client(server: OscServer) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.connect(("127.0.0.1", server.port))
        opened.settimeout(5)
        yield opened


def serve_until(server: OscServer, heard: Heard, ready: Callable[[], bool]) -> None:
    limit_s = time.monotonic() + 60.0  # how many turns it takes depends on who else wants the processor
    while time.monotonic() < limit_s:
        if ready():
            return
        server.serve(heard, 0.01)
    raise AssertionError(f"never ready; {len(heard.messages)} messages, {server.packets} packets")


def test_an_answer_goes_to_the_port_that_asked(server: OscServer, client: socket.socket) -> None:
    heard = Heard()
    client.send(encode("/echo", (7,)))
    serve_until(server, heard, lambda: bool(heard.messages))
    assert decode(client.recv(1000)) == [OscMessage("/echoed", (7,))]


def test_a_burst_of_twenty_thousand_messages_loses_none(server: OscServer, client: socket.socket) -> None:
    heard = Heard()
    packets = [encode("/burst", (number,)) for number in range(20_000)]
    sender = threading.Thread(target=lambda: [client.send(packet) for packet in packets])
    sender.start()
    serve_until(server, heard, lambda: server.messages + server.dropped >= 20_000)
    sender.join()
    assert server.dropped == 0
    assert [message.args[0] for message in heard.messages] == list(range(20_000))


def test_every_hostile_packet_is_counted_and_the_server_lives(
    server: OscServer,
    client: socket.socket,
    malformed_packets: Callable[[int, int], Iterator[bytes]],
    monsters: list[bytes],
) -> None:
    heard = Heard()
    sent = refused = 0
    for packet in [*malformed_packets(3, 20_000), *(each for each in monsters if len(each) <= 65_507)]:
        client.send(packet)
        sent += 1
        try:
            decode(packet)
        except OscError:
            refused += 1
        server.serve(heard, 0.0)
    serve_until(server, heard, lambda: server.packets == sent and server.serve(heard, 0.0) == 0)
    assert (server.malformed, server.dropped) == (refused, 0)
    client.send(encode("/after"))
    serve_until(server, heard, lambda: heard.messages[-1].address == "/after")


def test_the_sender_of_a_malformed_packet_is_told(server: OscServer, client: socket.socket) -> None:
    client.send(b"/a\0\0,f\0\0")
    serve_until(server, Heard(), lambda: server.malformed == 1)
    ((address, args, _),) = decode(client.recv(1000))
    assert address == "/error"
    assert "ends" in str(args[1]) or "arguments" in str(args[1])


def test_a_flood_of_malformed_packets_gets_few_answers(server: OscServer, client: socket.socket) -> None:
    for _ in range(500):
        client.send(b"xyzw")
    serve_until(server, Heard(), lambda: server.malformed == 500)
    client.setblocking(False)
    answers = 0
    while True:
        try:
            client.recv(1000)
        except BlockingIOError:
            break
        answers += 1
    assert 10 <= answers < 100
    assert server.errors.count == 500


@pytest.mark.parametrize("slip", [False, True])
def test_tcp_is_taken_byte_by_byte_in_both_framings(server: OscServer, slip: bool) -> None:
    heard = Heard()
    stream = frame(encode("/echo", (1,)), slip) + frame(encode("/echo", (2,)), slip)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in stream:
            client.send(bytes([byte]))
            server.serve(heard, 0.001)
        serve_until(server, heard, lambda: len(heard.messages) == 2)
        deframer, got = Deframer(), []
        while len(got) < 2:
            got += deframer.feed(client.recv(100))
    assert [decode(packet)[0].args for packet in got] == [(1,), (2,)]
    assert deframer.slip is slip


def test_a_broken_stream_is_counted_and_closed(server: OscServer) -> None:
    heard = Heard()
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(b"\x7f\xff\xff\xff")
        serve_until(server, heard, lambda: server.malformed == 1)
        while client.recv(1000):
            server.serve(heard, 0.0)
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(frame(encode("/after"), slip=False))
        serve_until(server, heard, lambda: bool(heard.messages))


def test_connections_beyond_the_bound_are_closed(server: OscServer) -> None:
    heard = Heard()
    clients = []
    for number in range(1, MAX_CONNECTIONS + 1):
        clients.append(socket.create_connection(("127.0.0.1", server.port), timeout=5))
        clients[-1].sendall(frame(encode("/here"), slip=False))
        serve_until(server, heard, lambda: len(heard.messages) == number)  # noqa: B023 - called at once
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as extra:
        server.serve(heard, 0.5)
        assert extra.recv(1) == b""
    for client in clients:
        client.close()


def test_a_client_that_reads_nothing_costs_a_bounded_amount(server: OscServer) -> None:
    paths: list[ReplyPath] = []
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as client:
        client.sendall(frame(encode("/here"), slip=False))
        serve = lambda: server.serve(lambda _, path, __: paths.append(path), 0.01)  # noqa: E731
        while not paths:
            serve()
        answer = encode("/answer", (bytes(100_000),))
        assert not all(paths[0].send(answer) for _ in range(200))


def test_a_port_in_use_is_told_with_the_way_out(server: OscServer) -> None:
    with pytest.raises(OscError, match=f"port {server.port} is already used.*--osc-port"):
        OscServer(port=server.port)


def test_a_host_of_nobody_is_told() -> None:
    with pytest.raises(OscError, match="no such address"):
        OscServer(host="192.0.2.1", port=0)
    with pytest.raises(OscError, match="not a host"):
        OscServer(host="no.such.host.invalid", port=0)


def test_it_listens_on_loopback_unless_told_otherwise(server: OscServer) -> None:
    assert server._udp.getsockname()[0] == "127.0.0.1"
    assert server.buffer_bytes > 0
