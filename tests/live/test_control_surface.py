"""What a control surface needs of a running host: values, addresses, meters, latency, a heartbeat."""

from __future__ import annotations

import socket
import time
from typing import Any

import pytest
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder


@pytest.fixture(scope="module")
def live(start_once: Any) -> Any:
    """A host with two tracks."""
    return start_once("--set", "pair")


class Client:
    """A control surface with a port of its own."""

    def __init__(self, host_port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.port: int = self.socket.getsockname()[1]
        self._host = ("127.0.0.1", host_port)

    def send(self, address: str, *args: Any) -> None:
        """Send one message."""
        builder = OscMessageBuilder(address)
        for arg in args:
            builder.add_arg(arg)
        self.socket.sendto(builder.build().dgram, self._host)

    def hear(self, timeout_s: float = 5.0) -> OscMessage | None:
        """Return the next message, or None."""
        self.socket.settimeout(timeout_s)
        try:
            return OscMessage(self.socket.recv(65536))
        except TimeoutError:
            return None

    def hear_until(self, address: str) -> list[OscMessage]:
        """Return every message up to the first at an address."""
        heard = []
        while not heard or heard[-1].address != address:
            answer = self.hear()
            assert answer is not None, f"no {address} came after {[one.address for one in heard]}"
            heard.append(answer)
        return heard


@pytest.fixture
def client(live: Any) -> Any:
    """A new client of the host."""
    made = Client(live.port)
    yield made
    made.socket.close()


def test_values_are_told_for_addresses_and_patterns(live: Any, client: Client) -> None:
    live.send("/track/voice/gain", -6.5)
    live.send("/track/feed/gain", -7.5)
    live.until("/track/feed/gain", -7.5)
    client.send("/q/track/*/gain")
    told = {answer.address: answer.params for answer in (client.hear(), client.hear()) if answer}
    assert told == {"/track/voice/gain": [-6.5], "/track/feed/gain": [-7.5]}
    client.send("/q/track/voice/preset")
    answer = client.hear()
    assert answer is not None
    assert (answer.address, answer.params) == ("/track/voice/preset", ["one"])


def test_every_listed_value_can_be_asked_for(client: Client) -> None:
    client.send("/list", "/track/voice")
    *listed, done = client.hear_until("/list/done")
    assert done.params == [len(listed)]
    addresses = {one.params[0]: one.params for one in listed}
    for address in ("/track/voice/gain", "/track/voice/param/speed", "/track/voice/fx/0/wet_level"):
        assert address in addresses
    _, types, unit, least, most, about = addresses["/track/voice/gain"]
    assert (types, unit) == ("f", "dB")
    assert least < 0.0 < most
    assert about
    asked = [address for address in addresses if "/param/" in address]
    for address in asked:
        client.send(f"/q{address}")
        answer = client.hear()
        assert answer is not None
        assert answer.address == address
        low, high = addresses[address][3:5]
        assert low <= answer.params[0] <= high


def test_the_latency_of_every_track_is_the_sum_of_its_named_parts(client: Client) -> None:
    client.send("/latency")
    tracks = set()
    for _ in range(2):
        answer = client.hear()
        assert answer is not None
        assert answer.address == "/latency/reply"
        track, total_ms, *named = answer.params
        parts = dict(zip(named[::2], named[1::2], strict=True))
        assert sum(parts.values()) == pytest.approx(total_ms, abs=0.01)
        assert {"control wait", "model look-ahead", "ring", "device"} <= set(parts)
        assert all(ms >= 0.0 for ms in parts.values())
        tracks.add(track)
    assert tracks == {"voice", "feed"}


def test_status_and_heartbeat_are_answered(live: Any, client: Client) -> None:
    client.send("/heartbeat")
    answer = client.hear()
    assert answer is not None
    assert answer.address == "/heartbeat"
    first = live.status()
    live.wait(lambda: live.status()["time_s"] > first["time_s"] + 0.2, "time to go on")
    second = live.status()
    assert second["sink_ready"] == 1
    assert second["blocks"] > first["blocks"]
    assert second["packets"] > first["packets"]
    assert second["recording"] == 0
    assert second["malformed"] == first["malformed"]


def test_a_subscriber_hears_all_values_then_changes_and_meters_until_it_expires(
    live: Any, client: Client
) -> None:
    client.send("/subscribe", 0, "/", 10.0, 1.6)
    begun_s = time.monotonic()
    heard: list[OscMessage] = []
    moved = False
    while (answer := client.hear(1.2)) is not None:
        heard.append(answer)
        if not moved and any(one.address == "/meter/voice" for one in heard):
            live.send("/track/voice/pan", 0.25)
            moved = True
        assert time.monotonic() < begun_s + 10.0, "it never expires"
    assert heard[0].address == "/subscribed"
    assert time.monotonic() - begun_s > 1.6, "it lasts as long as it was asked for"
    values = [one for one in heard if one.address == "/track/voice/pan"]
    assert [one.params[0] for one in values] == [0.0, 0.25]
    meters = [one.params for one in heard if one.address == "/meter/master"]
    assert 5 <= len(meters) <= 18, "ten times a second"
    assert all(-120.0 <= rms_db <= peak_db <= 0.0 for peak_db, rms_db in meters)
    assert max(peak_db for peak_db, _ in meters) > -40.0
    assert any(one.address == "/heartbeat" for one in heard)


def test_a_subscription_can_name_a_port_and_a_part_and_be_ended(live: Any, client: Client) -> None:
    panel = Client(live.port)
    client.send("/subscribe", panel.port, "/meter", 30.0, 60.0)
    assert panel.hear_until("/meter/voice")[0].address == "/subscribed"
    assert client.hear(0.1) is None, "what was asked for goes to the panel"
    client.send("/unsubscribe", panel.port, "/meter")
    live.sync(4)
    end_s = time.monotonic() + 5.0
    while (answer := panel.hear(0.5)) is not None:
        assert time.monotonic() < end_s, "it goes on being told"
        assert answer.address.startswith(("/meter", "/heartbeat"))
    panel.socket.close()
