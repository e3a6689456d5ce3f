from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import pytest

from synthhost.control.codec import decode
from synthhost.control.replies import ErrorReplies, reply
from synthhost.control.subscriptions import MAX_SUBSCRIPTIONS, Subscriptions, to_db
from synthhost.core.errors import OscError

METERS = [("/meter/master", -3.0, -9.0), ("/meter/voice", -6.0, -12.0)]


class Client:
    """A path that remembers what was sent, and may refuse."""

    def __init__(self, name: str = "one") -> None:
        self.name = name
        self.got: list[tuple[str, tuple[Any, ...]]] = []
        self.room = 1_000_000

    @property
    def key(self) -> Hashable:
        return self.name

    @property
    def peer(self) -> tuple[Any, ...]:
        return (self.name, 0)

    def send(self, packet: bytes) -> bool:
        if len(self.got) >= self.room:
            return False
        self.got += [(message.address, message.args) for message in decode(packet)]
        return True

    def take(self, below: str = "/track") -> list[tuple[str, tuple[Any, ...]]]:
        taken, self.got = [each for each in self.got if each[0].startswith(below)], []
        return taken


class World:
    """Values that move, and subscriptions to them."""

    def __init__(self) -> None:
        self.values: dict[str, float | str] = {
            "/track/a/gain": 0.0,
            "/track/a/pan": 0.5,
            "/track/b/gain": 1.0,
        }
        self.subscriptions = Subscriptions()

    def add(
        self, client: Client, prefix: str = "/", rate_hz: float = 10.0, ttl_s: float = 5.0, at: float = 0
    ) -> None:
        self.subscriptions.add(client, prefix, rate_hz, ttl_s, at, self.values)

    def move(self, address: str, value: float) -> None:
        self.values[address] = value
        self.subscriptions.changed([address])

    def tick(self, now_s: float) -> None:
        self.subscriptions.tick(now_s, self.values.__getitem__, lambda: METERS)


@pytest.fixture
def world() -> World:
    return World()


def test_a_subscriber_first_gets_everything_below_its_prefix(world: World) -> None:
    client = Client()
    world.add(client, "/track/a")
    world.tick(0.0)
    assert client.take() == [("/track/a/gain", (0.0,)), ("/track/a/pan", (0.5,))]


def test_then_only_what_changed_and_only_the_latest_value(world: World) -> None:
    client = Client()
    world.add(client)
    world.tick(0.0)
    client.take()
    for step in range(10):
        world.move("/track/a/gain", -float(step))
    world.tick(0.05)
    assert client.take() == []
    world.tick(0.1)
    assert client.take() == [("/track/a/gain", (-9.0,))]
    world.tick(0.2)
    assert client.take() == []


def test_meters_come_at_the_rate(world: World) -> None:
    client = Client()
    world.add(client, "/meter", rate_hz=10.0)
    for turn in range(100):
        world.tick(turn * 0.01 + 1e-6)
    assert len(client.take("/meter/voice")) == 10


def test_a_subscription_expires_unless_it_is_renewed(world: World) -> None:
    client = Client()
    world.add(client, ttl_s=1.0)
    world.add(client, ttl_s=2.0)
    world.tick(1.5)
    assert len(world.subscriptions) == 1
    world.tick(2.0)
    assert len(world.subscriptions) == 0


def test_subscriptions_are_bounded_and_room_comes_back(world: World) -> None:
    clients = [Client(str(number)) for number in range(MAX_SUBSCRIPTIONS + 1)]
    for client in clients[:-1]:
        world.add(client)
    with pytest.raises(OscError, match="already"):
        world.add(clients[-1])
    world.subscriptions.remove(clients[0], "")
    world.add(clients[-1])


def test_one_or_all_subscriptions_of_a_client_are_stopped(world: World) -> None:
    client, other = Client(), Client("other")
    for prefix in ("/track", "/meter"):
        world.add(client, prefix)
    world.add(other)
    assert world.subscriptions.remove(client, "/meter") == 1
    assert world.subscriptions.remove(client, "") == 1
    assert len(world.subscriptions) == 1


def test_each_client_gets_one_heartbeat_a_second(world: World) -> None:
    client = Client()
    world.add(client, "/track", at=10.0)
    world.add(client, "/meter", at=10.0)
    for turn in range(301):
        world.tick(10.0 + turn * 0.01)
    assert [args for _, args in client.take("/heartbeat")] == [(1,), (2,), (3,), (4,)]


def test_what_finds_no_way_is_sent_later(world: World) -> None:
    client = Client()
    client.room = 1
    world.add(client, "/track/a")
    world.tick(0.0)
    client.take()
    client.room = 100
    world.tick(0.2)
    assert client.take() == [("/track/a/pan", (0.5,))]


def test_levels_become_decibels_with_a_floor() -> None:
    assert to_db(1.0) == 0.0
    assert to_db(0.5) == pytest.approx(-6.02, abs=0.01)
    assert to_db(0.0) == to_db(float("nan")) == -120.0


def test_answers_use_only_types_every_peer_reads() -> None:
    packet = reply("/a", True, 1 << 40, 1.5, "te\0xt", b"b", float("inf"), float("nan"))
    assert b",iffsbff\0" in packet
    ((_, args, _),) = decode(packet)
    assert args[0] == 1
    assert args[3] == "te?xt"


def test_errors_are_paced_for_each_sender_and_what_was_held_is_told() -> None:
    errors = ErrorReplies()
    loud, quiet = Client("loud"), Client("quiet")
    sent = [errors.send(loud, "/x", "wrong", 0.0) for _ in range(50)]
    assert sum(sent) == 10
    assert errors.send(quiet, "/x", "wrong", 0.0)
    assert errors.send(loud, "/x", "wrong", 1.0)
    assert "40 more" in loud.got[-1][1][1]
    assert errors.count == 52


def test_the_senders_remembered_are_bounded() -> None:
    errors = ErrorReplies()
    for number in range(2000):
        errors.send(Client(str(number)), "/x", "wrong", 0.0)
    assert len(errors._senders) <= 256
