"""OSC over a running host: time tags, TCP, patterns, floods and rubbish."""

from __future__ import annotations

import json
import random
import socket
import struct
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pythonosc.osc_bundle_builder import OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder

from synthhost.control.codec import decode
from synthhost.core.errors import OscError

_RATE = 48000
_BLOCK_SAMPLES = 256
_END = b"\xc0"


@pytest.fixture(scope="module")
def live(stage: Any, start_once: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A host with two tracks that records and gives messages for "now" a constant delay."""
    text = (stage.presets / "sets" / "pair.yaml").read_text()
    text = text.replace("name: pair", "name: steady", 1) + "arrival_delay_ms: 40\n"
    (stage.presets / "sets" / "steady.yaml").write_text(text)
    take = tmp_path_factory.mktemp("osc") / "take"
    running = start_once("--set", "steady", "--record", str(take))
    running.take = take
    return running


def message(address: str, *args: Any) -> bytes:
    """Return one OSC message made by python-osc."""
    builder = OscMessageBuilder(address)
    for arg in args:
        builder.add_arg(arg)
    return bytes(builder.build().dgram)


def bundle(unix_s: float, *messages: tuple[str, float]) -> bytes:
    """Return an OSC bundle made by python-osc."""
    builder = OscBundleBuilder(unix_s)
    for address, value in messages:
        one = OscMessageBuilder(address)
        one.add_arg(value)
        builder.add_content(one.build())
    return bytes(builder.build().dgram)


def send_raw(live: Any, *packets: bytes) -> None:
    for packet in packets:
        live.socket.sendto(packet, ("127.0.0.1", live.port))


def journalled(live: Any, **wanted: Any) -> list[dict[str, Any]]:
    """Return the journal's lines that hold these values."""
    text = (Path(live.take) / "journal.jsonl").read_text()
    lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return [line for line in lines if all(line.get(key) == value for key, value in wanted.items())]


def test_a_bundle_takes_effect_as_one_at_its_time(live: Any) -> None:
    base_s = time.time() + 0.3
    asked_sample = live.status()["time_s"] * _RATE
    offsets_s = (0.0, 0.0777, 0.25)
    addresses = ("/track/voice/gain", "/track/feed/gain", "/track/voice/pan")
    for step, offset_s in enumerate(offsets_s):
        value = -0.125 * (step + 1)
        send_raw(live, bundle(base_s + offset_s, *((address, value) for address in addresses)))
    places = []
    for step in range(len(offsets_s)):
        found = live.wait(
            lambda value=-0.125 * (step + 1): (
                lines if len(lines := journalled(live, do="SetParam", value=value)) == 3 else None
            ),
            "the bundle to take effect",
        )
        assert len({line["at_sample"] for line in found}) == 1, "one bundle is one moment"
        assert not any("late" in line for line in found)
        places.append(found[0]["at_sample"])
    distances = np.diff(places) / _RATE
    assert np.allclose(distances, np.diff(offsets_s), atol=0.003)
    ahead = live.status()["ahead_samples"]
    assert abs(places[0] - asked_sample - 0.3 * _RATE) < ahead + 0.2 * _RATE


def test_a_late_bundle_acts_at_once_and_is_counted(live: Any) -> None:
    before = live.status()
    send_raw(live, bundle(time.time() - 0.4, ("/track/voice/gain", -2.25), ("/track/feed/gain", -2.25)))
    live.until("/track/feed/gain", -2.25)
    after = live.status()
    assert after["late_commands"] == before["late_commands"] + 2
    assert after["worst_command_late_ms"] > 300.0
    late = [line["late"] for line in journalled(live, do="SetParam", value=-2.25)]
    assert len(late) == 2
    assert min(late) > 0.3 * _RATE


def test_a_bundle_an_hour_ahead_waits_and_holds_nothing_up(live: Any) -> None:
    before = live.status()
    send_raw(live, bundle(time.time() + 3600.0, ("/track/voice/gain", -60.0)))
    live.wait(lambda: live.status()["queued_commands"] == before["queued_commands"] + 1, "it to be queued")
    live.send("/track/voice/gain", -1.5)
    live.until("/track/voice/gain", -1.5)
    errors = live.errors_to(bundle(time.time() + 7200.0, ("/track/voice/gain", -60.0)))
    assert len(errors) == 1
    assert "ahead" in errors[0][1]
    live.wait(lambda: live.status()["queued_commands"] == before["queued_commands"] + 1, "no more to wait")


def test_messages_for_now_come_after_a_constant_delay(live: Any) -> None:
    """Arrival by arrival the distance is kept, inside blocks too, where block edges would jitter by one."""
    sent_s = []
    for step in range(60):
        sent_s.append(time.monotonic())
        live.send("/track/feed/pan", step / 64)
        time.sleep(0.011)
    live.until("/track/feed/pan", 59 / 64)
    lines = journalled(live, do="SetParam", track="feed", param="pan")[-60:]
    assert [line["value"] for line in lines] == [step / 64 for step in range(60)]
    places = np.array([line["at_sample"] for line in lines])
    assert len(set(places % _BLOCK_SAMPLES)) > 20, "they take effect inside blocks"
    delays_ms = 1000.0 * (places / _RATE - np.array(sent_s))
    assert np.median(np.abs(delays_ms - np.median(delays_ms))) < 2.0


def test_a_pattern_reaches_every_track(live: Any) -> None:
    live.send("/track/*/gain", -3.5)
    live.until("/track/feed/gain", -3.5)
    assert live.ask("/q/track/voice/gain", expect="/track/voice/gain") == [-3.5]
    places = {line["at_sample"] for line in journalled(live, do="SetParam", value=-3.5)}
    assert len(places) == 1, "at the same sample"


@pytest.mark.parametrize("framing", ["length", "slip"])
def test_tcp_takes_both_framings_and_answers_in_kind(live: Any, framing: str) -> None:
    def framed(packet: bytes) -> bytes:
        if framing == "length":
            return struct.pack(">i", len(packet)) + packet
        return _END + packet.replace(b"\xdb", b"\xdb\xdd").replace(_END, b"\xdb\xdc") + _END

    value = {"length": -5.25, "slip": -6.375}[framing]
    with socket.create_connection(("127.0.0.1", live.port), timeout=10) as client:
        whole = framed(message("/track/voice/gain", value)) + framed(message("/sync", 5))
        for at in range(0, len(whole), 7):  # in pieces that end anywhere
            client.sendall(whole[at : at + 7])
        answer = receive_framed(client, framing)
        assert (answer.address, list(answer.params)) == ("/synced", [5])
        client.sendall(framed(message("/q/track/*/gain")))
        answers = [receive_framed(client, framing) for _ in range(2)]
        told = {answer.address: answer.params[0] for answer in answers}
    assert told == {"/track/voice/gain": value, "/track/feed/gain": told["/track/feed/gain"]}


def receive_framed(client: socket.socket, framing: str) -> OscMessage:
    """Read one answer from a TCP connection, byte by byte."""
    if framing == "length":
        (size,) = struct.unpack(">i", exactly(client, 4))
        return OscMessage(exactly(client, size))
    body = b""
    while not body.endswith(_END) or len(body.strip(_END)) == 0:
        body += exactly(client, 1)
    return OscMessage(body.strip(_END).replace(b"\xdb\xdc", _END).replace(b"\xdb\xdd", b"\xdb"))


def exactly(client: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = client.recv(size - len(found))
        assert piece, "the host closed the connection"
        found += piece
    return found


def settled(live: Any) -> dict[str, float]:
    """Return the status once it counts no more commands: it is shown some blocks after they took effect."""
    status = live.status()
    while True:
        time.sleep(0.2)
        later = live.status()
        if later["commands"] == status["commands"]:
            return dict(later)
        status = later


def test_twenty_thousand_messages_are_all_applied_beside_a_client_that_never_reads(live: Any) -> None:
    lazy = socket.create_connection(("127.0.0.1", live.port), timeout=10)
    for packet in (message("/subscribe", 0, "/", 60.0, 30.0), *[message("/list")] * 20):
        lazy.sendall(struct.pack(">i", len(packet)) + packet)
    live.sync(8)
    before = settled(live)
    packets = [
        message(f"/track/{track}/pan", step / 10000) for step in range(10000) for track in ("voice", "feed")
    ]
    with socket.create_connection(("127.0.0.1", live.port), timeout=30) as client:
        for at in range(0, len(packets), 500):
            client.sendall(b"".join(struct.pack(">i", len(one)) + one for one in packets[at : at + 500]))
        live.wait(
            lambda: live.status()["commands"] >= before["commands"] + 20000, "the burst", timeout_s=60.0
        )
    lazy.close()
    after = live.status()
    assert after["commands"] == before["commands"] + 20000, "each of them, once"
    assert after["refused_commands"] == before["refused_commands"]
    assert after["rejected"] == before["rejected"]
    assert live.ask("/q/track/voice/pan", expect="/track/voice/pan") == [pytest.approx(0.9999)]
    live.wait(lambda: live.status()["time_s"] > after["time_s"] + 0.3, "the sound to go on")


def rubbish(count: int) -> list[bytes]:
    """Return packets of random bytes and packets with random bytes in them, the same every time."""
    dice = random.Random(5)
    whole = [
        message("/track/voice/gian", 1.0, 2, "three", b"four"),
        bundle(time.time() + 1e6, ("/track/voice/gian", 1.0), ("/nothing", 2.0)),
    ]
    packets = []
    for number in range(count):
        if number % 2:
            packets.append(dice.randbytes(dice.randrange(1, 300)))
        else:
            packet = bytearray(dice.choice(whole)[: dice.randrange(1, 100)])
            for _ in range(dice.randrange(0, 4)):
                packet[dice.randrange(len(packet))] = dice.randrange(256)
            packets.append(bytes(packet))
    return packets


def is_malformed(packet: bytes) -> bool:
    try:
        decode(packet)
    except OscError:
        return True
    return False


def test_five_thousand_packets_of_rubbish_are_counted_and_nothing_else(live: Any) -> None:
    packets = rubbish(5000)
    before, values = live.status(), live.ask("/q/track/voice/gain", expect="/track/voice/gain")
    asked = 1  # the question for values came after the count
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        for at in range(0, len(packets), 250):  # no more at once than any socket's buffer holds
            for packet in packets[at : at + 250]:
                client.sendto(packet, ("127.0.0.1", live.port))
            arrived = before["packets"] + at + 250
            live.wait(lambda arrived=arrived: live.status()["packets"] >= arrived, "the rubbish to arrive")
    live.sync(9)
    live.wait(lambda: live.status()["commands"] > before["commands"], "the sync to be counted")
    after = live.status()
    malformed = sum(map(is_malformed, packets))
    assert malformed > 4000
    assert after["malformed"] - before["malformed"] == malformed
    assert after["packets"] - before["packets"] >= len(packets) + asked
    assert after["commands"] - before["commands"] == 1, "the sync alone"
    assert live.ask("/q/track/voice/gain", expect="/track/voice/gain") == values
    live.wait(lambda: live.status()["time_s"] > after["time_s"] + 0.3, "the sound to go on")


def test_the_whole_session_renders_again_to_the_bit(live: Any, stage: Any, tmp_path: Path) -> None:
    assert live.stop() == 0, live.said()
    assert "Traceback" not in live.said()
    rendered = stage.run("render", str(live.take), "--out", str(tmp_path / "again"))
    assert rendered.returncode == 0, rendered.stderr
    for name in ("voice-wet", "feed-wet", "master"):
        was = (Path(live.take) / f"{name}.wav").read_bytes()
        now = (tmp_path / "again" / f"{name}.wav").read_bytes()
        assert sound_of(was) == sound_of(now), f"{name} differs"


def sound_of(wav: bytes) -> bytes:
    """Return the samples of a WAV file as they stand in it."""
    at = wav.index(b"data")
    return wav[at + 8 :]
