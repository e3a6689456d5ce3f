"""The control process's body: from packets to commands, from events to answers.

One thread does it all, a turn at a time: receive, translate, hand over, drain events, tell subscribers.
Nothing in a turn waits for anything but the sockets, and those only a few milliseconds.
"""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from synthhost.control.address import AddressTable
from synthhost.control.answers import Answers
from synthhost.control.moments import Moments
from synthhost.control.origins import Origins
from synthhost.control.outbox import Outbox
from synthhost.control.packets import OscMessage
from synthhost.control.replies import ReplyPath, reply
from synthhost.control.requests import (
    Heartbeat,
    Help,
    LatencyRequest,
    ListAddresses,
    MoveMacro,
    Query,
    Refusal,
    Request,
    StatusRequest,
    Subscribe,
    Unsubscribe,
)
from synthhost.control.server import OscServer
from synthhost.control.subscriptions import Subscriptions
from synthhost.control.values import ValueKey, Values, macro_key
from synthhost.core.board import JsonBoard, StatusPage
from synthhost.core.errors import OscError, SynthhostError
from synthhost.core.messages import Accepted, Command, Event, Failed, Notice, SetParam, Synced, decode
from synthhost.core.rings import ByteRing

TURN_S = 0.004
"""How long a turn waits for packets: the longest an event waits to be told."""

_EVENTS_PER_TURN = 256
_LINES_PER_TURN = 32  # of long answers: a client's buffer holds some 250 datagrams
_MOST_LONG_ANSWERS = 64  # that may wait
_OWN_ANSWERS = frozenset(("/error", "/synced", "/subscribed"))


@dataclass(frozen=True, slots=True)
class Links:
    """What the control process shares with the engine."""

    commands: ByteRing
    events: ByteRing
    board: JsonBoard
    status: StatusPage


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the host lends to the loop.

    Attributes:
        make_table: Makes the address table for a description.
        journal: Takes every command that was accepted or failed; an event is only forgotten once this has
            returned.
        notice: Takes what a person may want to know.
    """

    make_table: Callable[[Mapping[str, Any]], AddressTable]
    journal: Callable[[Accepted | Failed], None] = lambda _: None
    notice: Callable[[Notice], None] = lambda _: None


class ControlLoop:
    """Turns the outside world into commands and tells it what came of them."""

    def __init__(self, server: OscServer, links: Links, surroundings: Surroundings, moments: Moments) -> None:
        self._server = server
        self._links = links
        self._surroundings = surroundings
        self._moments = moments
        self._outbox = Outbox(links.commands)
        self._origins = Origins(first=1 + time.monotonic_ns() // 1_000_000)
        self._subscriptions = Subscriptions()
        self._long_answers: deque[tuple[ReplyPath, deque[bytes]]] = deque()
        self._rejected = 0
        self._base = {name: int(links.status[name]) for name in self._counts()}
        self._version = -1
        self._values = Values({})
        self._describe({})
        self._follow_description()
        links.status["osc_port"] = server.port
        links.status["control_ready"] = 1

    def run(self, stopped: Callable[[], bool]) -> None:
        """Take turns until `stopped` says so."""
        while not stopped():
            self.turn(TURN_S)

    def turn(self, timeout_s: float) -> None:
        """Do everything that is to be done now, waiting up to `timeout_s` for packets."""
        self._links.status["control_beat_ns"] = time.monotonic_ns()
        self._moments.observe()
        self._server.serve(self._take, timeout_s)
        self._outbox.push_on()
        self._follow_description()  # before the events: they speak of what it describes
        self._drain_events()
        self._go_on_answering()
        self._subscriptions.tick(time.monotonic(), self._answers.read, self._answers.meters)
        self._publish()

    # -- packets ---------------------------------------------------------------------------------

    def _take(self, messages: list[OscMessage], path: ReplyPath, arrived_s: float) -> None:
        origin = self._origins.number(path)
        for time_tag, group in itertools.groupby(messages, attrgetter("time_tag")):
            bundle = list(group)
            try:
                at_sample = self._moments.at_sample(time_tag, arrived_s)
                commands = self._translate(bundle, path, at_sample, origin)
                if commands:
                    self._outbox.send(commands)
            except SynthhostError as error:
                self._reject(path, bundle[0].address, error, len(bundle))

    def _translate(
        self, bundle: list[OscMessage], path: ReplyPath, at_sample: int, origin: int
    ) -> list[Command]:
        commands: list[Command] = []
        for message in bundle:
            if message.address in _OWN_ANSWERS:  # two hosts must not answer each other's answers for ever
                continue
            try:
                for action in self._table.translate(message, at_sample, origin):
                    if isinstance(action, Request):
                        self._perform(action, path)
                    else:
                        commands.append(action)
            except SynthhostError as error:
                self._reject(path, message.address, error)
        return commands

    def _reject(self, path: ReplyPath, address: str, reason: str | Exception, count: int = 1) -> None:
        self._rejected += count
        self._server.errors.send(path, address, reason, time.monotonic())

    # -- requests --------------------------------------------------------------------------------

    def _perform(self, request: Request, path: ReplyPath) -> None:
        answers = self._answers
        match request:
            case Query(addresses):
                for address in addresses:
                    path.send(reply(address, answers.read(address)))
            case StatusRequest():
                path.send(answers.status())
                for packet in answers.computed():
                    path.send(packet)
            case LatencyRequest():
                for packet in answers.latency():
                    path.send(packet)
            case ListAddresses(prefix):
                self._answer_at_length(path, answers.listing(prefix))
            case Help(prefix):
                self._answer_at_length(path, answers.help(prefix))
            case Heartbeat():
                path.send(reply("/heartbeat", self._subscriptions.beats))
            case Subscribe():
                self._subscribe(request, path)
            case Unsubscribe(port, prefix):
                self._subscriptions.remove(self._server.path_to(path, port), prefix)
            case MoveMacro(track, macro, value):
                self._moved(macro_key(track, macro), value)
            case Refusal(address, reason):
                self._reject(path, address, reason)

    def _answer_at_length(self, path: ReplyPath, packets: list[bytes]) -> None:
        """Send what a client's buffer cannot hold at once a part each turn.

        Raises:
            OscError: Too many such answers wait already.
        """
        if len(self._long_answers) >= _MOST_LONG_ANSWERS:
            raise OscError("too many long answers are waiting to be sent; ask again in a moment.")
        self._long_answers.append((path, deque(packets)))

    def _go_on_answering(self) -> None:
        left = _LINES_PER_TURN
        while self._long_answers and left:
            path, packets = self._long_answers[0]
            while packets and left:
                path.send(packets.popleft())
                left -= 1
            if not packets:
                self._long_answers.popleft()

    def _subscribe(self, request: Subscribe, path: ReplyPath) -> None:
        target = self._server.path_to(path, request.port)
        self._subscriptions.add(
            target, request.prefix, request.rate_hz, request.ttl_s, time.monotonic(), self._answers.readable()
        )
        target.send(reply("/subscribed", request.prefix, request.rate_hz, request.ttl_s))

    def _moved(self, key: ValueKey, value: float, at_sample: int | None = None) -> None:
        if self._values.put(key, value, at_sample):
            self._subscriptions.changed(self._table.dependents.get(key, ()))

    # -- the engine ------------------------------------------------------------------------------

    def _drain_events(self) -> None:
        for _ in range(_EVENTS_PER_TURN):
            record = self._links.events.peek()
            if record is None:
                return
            for event in _readable(record):
                self._tell(event)
            self._links.events.pop()  # only now: had this process died, its successor would have found it

    def _tell(self, event: Event) -> None:
        match event:
            case Accepted(command):
                if isinstance(command, SetParam):
                    self._moved((command.track, command.param), command.value, command.at_sample)
                self._surroundings.journal(event)
            case Failed(origin, address, reason):
                self._surroundings.journal(event)
                path = self._origins.path(origin)
                if path is not None:
                    self._server.errors.send(path, address, reason, time.monotonic())
            case Synced(origin, token):
                path = self._origins.path(origin)
                if path is not None:
                    path.send(reply("/synced", token))
            case Notice():
                self._surroundings.notice(event)

    def _follow_description(self) -> None:
        version = self._links.board.version
        if version == self._version or version % 2:  # odd: the engine is writing
            return
        self._version = version
        shown = {address: self._answers.read(address) for address in self._answers.readable()}
        self._describe(self._links.board.read() or {})
        self._subscriptions.changed(
            address
            for address in self._answers.readable()
            if shown.get(address) != self._answers.read(address)
        )

    def _describe(self, description: Mapping[str, Any]) -> None:
        self._table = self._surroundings.make_table(description)
        self._values = Values(description, earlier=self._values)
        self._answers = Answers(description, self._table, self._values, self._links.status)

    # -- what is counted -------------------------------------------------------------------------

    def _counts(self) -> dict[str, int]:
        server = self._server
        return {
            "packets": server.packets,
            "malformed": server.malformed,
            "messages": server.messages,
            "rejected": self._rejected + server.dropped,
        }

    def _publish(self) -> None:
        for name, count in self._counts().items():  # on top of what an earlier control process counted
            self._links.status[name] = self._base[name] + count


def _readable(record: bytes) -> list[Any]:
    try:
        return list(decode(record))
    except (SynthhostError, ValueError) as error:  # an event of another version is told, not fatal
        return [Notice("event", f"an event from the engine could not be read: {error}", 0)]
