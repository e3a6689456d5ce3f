from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from synthhost.control.address import AddressTable
from synthhost.control.codec import decode
from synthhost.control.encoding import encode, encode_bundle
from synthhost.control.loop import ControlLoop, Links, Surroundings
from synthhost.control.moments import Moments, TimeOptions
from synthhost.control.packets import OscMessage
from synthhost.control.server import OscServer
from synthhost.core import messages
from synthhost.core.board import STATUS_FIELDS, JsonBoard, StatusPage
from synthhost.core.messages import Accepted, Event, Failed, Notice, Panic, SetParam, Sync, Synced
from synthhost.core.region import Region
from synthhost.core.rings import ByteRing
from synthhost.core.timebase import ClockMap, unix_to_ntp


class Stage:
    """A control loop on real sockets and rings, with the test in the engine's place."""

    def __init__(self, folder: Path, description: dict[str, Any], ring_bytes: int = 1 << 20) -> None:
        def region(name: str, size: int) -> Region:
            return Region.create(folder / name, size)

        self.links = Links(
            ByteRing(region("commands", ring_bytes)),
            ByteRing(region("events", 1 << 20)),
            JsonBoard(region("board", 1 << 20)),
            StatusPage(region("status", STATUS_FIELDS.itemsize)),
        )
        self.links.board.write(description)
        self.journal: list[Accepted | Failed] = []
        self.notices: list[Notice] = []
        self.start()

    def start(self) -> None:
        self.server = OscServer(port=0)
        moments = Moments(self.links.status, ClockMap(48_000), TimeOptions())
        surroundings = Surroundings(self._table, self.journal.append, self.notices.append)
        self.loop = ControlLoop(self.server, self.links, surroundings, moments)
        self.client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.client.connect(("127.0.0.1", self.server.port))
        self.client.settimeout(0.0)

    def stop(self) -> None:
        self.server.close()
        self.client.close()

    @staticmethod
    def _table(description: Any) -> AddressTable:
        return AddressTable(description, lambda name: {"name": name}, str, lambda _: "/takes/new")

    def send(self, address: str, *args: Any) -> None:
        self.client.send(encode(address, args))

    def answers(self, count: int = 1, below: str = "/") -> list[OscMessage]:
        got: list[OscMessage] = []
        for _ in range(2000):
            self.loop.turn(0.005)
            got += [each for each in self.heard() if each.address.startswith(below)]
            if len(got) >= count:
                return got
        raise AssertionError(f"only {got}")

    def heard(self) -> list[OscMessage]:
        """Return what has come by now."""
        got: list[OscMessage] = []
        while True:
            try:
                got += decode(self.client.recv(65_536))
            except BlockingIOError:
                return got

    def bundles(self, count: int = 1) -> list[list[Any]]:
        got: list[list[Any]] = []
        for _ in range(2000):
            self.loop.turn(0.005)
            while (record := self.links.commands.pop()) is not None:
                got.append(messages.decode(record))
            if len(got) >= count:
                return got
        raise AssertionError(f"only {got}")

    def tell(self, *events: Event) -> None:
        assert self.links.events.push(messages.encode(list(events)))

    def turn_until(self, ready: Callable[[], bool]) -> None:
        for _ in range(2000):
            if ready():
                return
            self.loop.turn(0.005)
        raise AssertionError("never ready")


@pytest.fixture
def stage(tmp_path: Path, description: dict[str, Any]) -> Iterator[Stage]:
    made = Stage(tmp_path, description)
    yield made
    made.stop()


def test_a_message_becomes_a_command_with_its_origin(stage: Stage) -> None:
    stage.send("/track/voice/gain", -6)
    ((command,),) = stage.bundles()
    assert (command.track, command.param, command.value, command.at_sample) == ("voice", "gain_db", -6.0, -1)
    assert command.origin > 0


def test_a_bundle_is_one_record_at_one_sample(stage: Stage) -> None:
    tag = unix_to_ntp(time.time() + 3600)
    parts = [encode("/track/voice/gain", (-6.0,)), encode("/track/choir/gain", (-9.0,)), encode("/panic")]
    stage.client.send(encode_bundle(tag, parts))
    (bundle,) = stage.bundles()
    assert [type(each).__name__ for each in bundle] == ["SetParam", "SetParam", "Panic"]
    (at_sample,) = {each.at_sample for each in bundle}
    assert at_sample == pytest.approx(3600 * 48_000, abs=48_000)


def test_a_tag_beyond_the_horizon_is_refused_and_told(stage: Stage) -> None:
    stage.client.send(encode_bundle(unix_to_ntp(time.time() + 1e5), [encode("/panic")]))
    (answer,) = stage.answers()
    assert answer.address == "/error"
    assert "ahead" in str(answer.args[1])


def test_a_bundle_ahead_does_not_hold_back_what_comes_after(stage: Stage) -> None:
    stage.client.send(encode_bundle(unix_to_ntp(time.time() + 3600), [encode("/track/voice/gain", (0,))]))
    stage.send("/panic")
    assert [type(bundle[0]) for bundle in stage.bundles(2)] == [SetParam, Panic]


def test_one_bad_message_of_a_bundle_is_told_and_the_others_play(stage: Stage) -> None:
    stage.client.send(encode_bundle(1, [encode("/nonsense"), encode("/panic")]))
    ((command,),) = stage.bundles()
    assert isinstance(command, Panic)
    assert stage.answers()[0].args[0] == "/nonsense"
    assert stage.links.status["rejected"] == 1


def test_values_follow_the_engine_and_not_the_wish(stage: Stage) -> None:
    stage.send("/q/track/voice/param/speed")
    assert stage.answers() == [OscMessage("/track/voice/param/speed", (0.5,))]
    stage.send("/track/voice/param/speed", 2)
    ((command,),) = stage.bundles()
    stage.send("/q/track/voice/param/speed")
    assert stage.answers()[0].args == (0.5,)
    stage.tell(Accepted(command))
    stage.turn_until(lambda: bool(stage.journal))
    stage.send("/q/track/voice/param/speed")
    assert stage.answers()[0].args == (2.0,)
    assert stage.journal == [Accepted(command)]


def test_a_query_by_pattern_answers_once_for_each_match(stage: Stage) -> None:
    stage.send("/q/track/*/gain")
    assert {each.address for each in stage.answers(2)} == {"/track/voice/gain", "/track/choir/gain"}


def test_sync_comes_back_to_the_one_that_asked(stage: Stage) -> None:
    stage.send("/sync", 77)
    ((command,),) = stage.bundles()
    assert isinstance(command, Sync)
    stage.tell(Synced(command.origin, command.token))
    assert stage.answers() == [OscMessage("/synced", (77,))]


def test_a_failure_comes_back_to_the_one_that_asked(stage: Stage) -> None:
    stage.send("/track/voice/tape/load", "gone.wav")
    ((command,),) = stage.bundles()
    stage.tell(Failed(command.origin, "/track/voice/tape/load", "no such file"))
    assert stage.answers() == [OscMessage("/error", ("/track/voice/tape/load", "no such file"))]
    assert stage.journal == [Failed(command.origin, "/track/voice/tape/load", "no such file")]


def test_notices_reach_the_host(stage: Stage) -> None:
    notice = Notice("late", "a block was late", 5)
    stage.tell(notice)
    stage.turn_until(lambda: stage.notices == [notice])


def test_an_event_is_forgotten_only_when_it_was_handled(stage: Stage) -> None:
    def full_disk(_: Accepted | Failed) -> None:
        raise OSError("no space")

    stage.loop._surroundings = Surroundings(Stage._table, full_disk)
    stage.tell(Accepted(Panic(5)))
    with pytest.raises(OSError, match="no space"):
        stage.turn_until(lambda: False)
    stage.stop()
    stage.start()
    stage.turn_until(lambda: stage.journal == [Accepted(Panic(5))])
    assert stage.links.events.peek() is None


def test_a_record_nobody_understands_is_told_and_passed(stage: Stage) -> None:
    stage.links.events.push(b'[{"do":"FromTheFuture"}]')
    stage.links.events.push(b"\xff")
    stage.tell(Accepted(Panic(1)))
    stage.turn_until(lambda: len(stage.journal) == 1)
    assert [each.kind for each in stage.notices] == ["event", "event"]


def test_counts_go_on_after_a_restart(stage: Stage) -> None:
    stage.send("/panic")
    stage.bundles()
    stage.client.send(b"junk")
    stage.turn_until(lambda: stage.links.status["malformed"] == 1)
    stage.stop()
    stage.start()
    stage.send("/panic")
    stage.bundles()
    status = stage.links.status
    assert (status["packets"], status["messages"], status["malformed"]) == (3, 2, 1)
    assert (status["osc_port"], status["control_ready"]) == (stage.server.port, 1)


def test_a_subscriber_sees_what_the_engine_accepted(stage: Stage) -> None:
    stage.send("/subscribe", 0, "/track/voice/param/speed", 60, 10)
    first = stage.answers(2, below="/")
    assert OscMessage("/track/voice/param/speed", (0.5,)) in first
    stage.tell(Accepted(SetParam("voice", "speed", 1.5)))
    assert stage.answers(1, below="/track") == [OscMessage("/track/voice/param/speed", (1.5,))]


def test_a_subscriber_may_name_another_port(stage: Stage) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", 0))
        other.settimeout(5)
        stage.send("/subscribe", other.getsockname()[1], "/meter", 60, 10)
        stage.turn_until(lambda: len(stage.loop._subscriptions) == 1)
        stage.loop.turn(0.0)
        addresses = {decode(other.recv(1000))[0].address for _ in range(4)}
    assert addresses == {"/subscribed", "/meter/master", "/meter/voice", "/meter/choir"}


def test_a_macro_stands_where_it_was_put(stage: Stage) -> None:
    stage.send("/track/voice/macro/drift", 0.75)
    (moves,) = stage.bundles()
    assert {each.param for each in moves} == {"speed", "fx.0.wet_level"}
    stage.send("/q/track/voice/macro/drift")
    assert stage.answers()[0].args == (0.75,)


def test_a_new_description_changes_the_table_and_tells_subscribers(
    stage: Stage, description: dict[str, Any]
) -> None:
    stage.send("/subscribe", 0, "/track/voice/preset", 60, 10)
    stage.answers(2)
    description["tracks"]["voice"]["preset"] = "second"
    description["tracks"]["third"] = description["tracks"]["choir"] | {"index": 2}
    stage.links.board.write(description)
    assert stage.answers(1, below="/track") == [OscMessage("/track/voice/preset", ("second",))]
    stage.send("/track/third/gain", 1)
    assert stage.bundles()[0][0].track == "third"


def test_status_and_latency_are_told_with_names(stage: Stage) -> None:
    stage.links.status["late_blocks"] = 3
    stage.send("/status")
    args = stage.answers()[0].args
    named = dict(zip(args[::2], args[1::2], strict=True))
    assert named["late_blocks"] == 3
    assert named["time_s"] == 0.0
    stage.links.status["ahead_samples"] = 480
    stage.links.status["device_latency_ms"] = 4.0
    stage.send("/latency")
    parts = ("control wait", 10.0, "model look-ahead", 148.0, "ring", 10.0, "device", 4.0)
    assert stage.answers() == [OscMessage("/latency/reply", ("voice", 172.0, *parts))]


def test_status_tells_what_computes_each_track_and_why(stage: Stage, description: dict[str, Any]) -> None:
    plain = {"backend": "torch", "device": "cuda:0", "reason": "asked for", "threads": 2, "precision": "int8"}
    description["models"] = {"m?steps=4": {"median_ms": 3.0, "p999_ms": 5.0, "chunk_ms": 11.5}}
    description["tracks"]["voice"] |= {
        "computed": plain,
        "model": {"name": "m", "chunk_frames": 4},
        "reference": "m?steps=4",
        "ladder": [{"steps": 4}, {"steps": 2}],
        "rung": 1,
        "rung_reason": "3 blocks were late",
    }
    stage.links.board.write(description)
    stage.loop.turn(0.005)
    stage.send("/status")
    told = stage.answers(2)
    assert told[0].address == "/status/reply"
    assert told[1].address == "/status/track"
    assert told[1].args[:4] == ("voice", "torch", "cuda:0", "asked for")
    assert dict(zip(told[1].args[4::2], told[1].args[5::2], strict=True)) == {
        "threads": 2,
        "precision": "int8",
        "chunk_frames": 4,
        "median_ms": 3.0,
        "p999_ms": 5.0,
        "deadline_ms": 11.5,
        "rung": 1,
        "rungs": 2,
        "rung_reason": "3 blocks were late",
    }


def test_help_tells_a_few_lines_or_what_the_addresses_below_a_prefix_are_for(stage: Stage) -> None:
    stage.send("/help")
    assert any("/list [prefix]" in each.args[0] for each in stage.answers(6))
    stage.send("/help", "/master")
    *told, done = stage.answers(4)
    assert str(told[2].args[0]).startswith("/master/gain f (-60 to 12 dB): ")
    assert done == OscMessage("/help/done", (3,))
    stage.send("/help", "/nowhere")
    (error,) = stage.answers()
    assert error.args[:2] == ("/help", "no address lies below /nowhere. /list tells them all.")


def test_long_answers_are_sent_in_parts_that_a_clients_buffer_holds(stage: Stage) -> None:
    for _ in range(10):
        stage.send("/list")
    told: list[str] = []
    parts: list[int] = []
    while told.count("/list/done") < 10:
        assert len(parts) < 2000
        stage.loop.turn(0.0)
        part = [each.address for each in stage.heard()]
        told += part
        parts.append(len(part))
    assert len(told) > 4 * 64
    assert max(parts) == 32
    assert told.count("/list/reply") == 10 * told.index("/list/done")


def test_a_flood_of_questions_with_long_answers_is_refused_beyond_a_bound(stage: Stage) -> None:
    for _ in range(200):
        stage.send("/list")
    (refused, *_) = stage.answers(1, below="/error")
    assert refused.args == ("/list", "too many long answers are waiting to be sent; ask again in a moment.")


def test_answers_of_another_host_are_not_answered(stage: Stage) -> None:
    for address in ("/error", "/synced", "/subscribed", "/heartbeat"):
        stage.send(address, 1)
    stage.send("/heartbeat")
    assert [each.address for each in stage.answers()] == ["/heartbeat"]


def test_with_a_full_ring_commands_wait_and_keep_their_order(
    tmp_path: Path, description: dict[str, Any]
) -> None:
    stage = Stage(tmp_path, description, ring_bytes=1024)
    for number in range(200):
        stage.send("/sync", number)
    stage.turn_until(lambda: stage.links.status["messages"] == 200)
    assert stage.links.commands.refused == 0
    tokens = [bundle[0].token for bundle in stage.bundles(200)]
    assert tokens == list(range(200))
    stage.stop()


def test_a_bundle_that_never_fits_is_refused(tmp_path: Path, description: dict[str, Any]) -> None:
    stage = Stage(tmp_path, description, ring_bytes=256)
    stage.client.send(encode_bundle(1, [encode("/panic")] * 20))
    assert "too large" in str(stage.answers()[0].args[1])
    stage.send("/panic")
    assert len(stage.bundles()) == 1
    stage.stop()


def test_a_flood_of_unknown_addresses_is_counted_and_does_not_stall(stage: Stage) -> None:
    for number in range(2000):
        stage.send(f"/track/voice/unknown{number}")
    stage.send("/panic")
    assert isinstance(stage.bundles()[0][0], Panic)
    stage.turn_until(lambda: stage.links.status["rejected"] == 2000)
