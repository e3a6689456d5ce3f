"""The addresses that belong to no track: master, recording, and questions to the host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from synthhost.control.arguments import count, number, text, whole
from synthhost.control.endpoints import Action, Call, Endpoint, norm_endpoint, param_endpoint
from synthhost.control.requests import (
    Heartbeat,
    Help,
    LatencyRequest,
    ListAddresses,
    Request,
    StatusRequest,
    Subscribe,
    Unsubscribe,
)
from synthhost.core.errors import OscError
from synthhost.core.messages import MASTER, Panic, StartRecording, StopRecording, Sync
from synthhost.core.params import ParamSpec

Takes: TypeAlias = Callable[[str | None], str]
"""Returns the folder of a new take, by a name or without one; raises a `SynthhostError`."""

FORMATS = ("wav16", "wav24", "wav32f", "flac")
MAX_RATE_HZ = 60.0
MAX_TTL_S = 3600.0
_TOKENS = (-(1 << 31), (1 << 31) - 1)


def master_endpoints(master: Mapping[str, Any]) -> Iterator[Endpoint]:
    """Yield the master bus's addresses."""
    for plain in master.get("params", ()):
        spec = ParamSpec.from_json(plain)
        yield param_endpoint(f"/master/param/{spec.name}", MASTER, spec)
        yield norm_endpoint(f"/master/norm/{spec.name}", MASTER, spec)
        if spec.name == "gain_db":
            yield param_endpoint("/master/gain", MASTER, spec)


def show_endpoints(takes: Takes, recording: str | None, default_format: str) -> Iterator[Endpoint]:
    """Yield panic, recording and sync; `recording` is the folder of the take that runs, if one does."""
    running = recording  # until it is stopped: the description that says so comes later

    def panic(call: Call) -> list[Action]:
        return [Panic(call.at_sample, call.origin)]

    def start(call: Call) -> list[Action]:
        count(call.args, 0, 2, "nothing, or a name for the take and a format")
        name = text(call.args, 0, "a name for the take") if call.args else None
        form = text(call.args, 1, "a format") if len(call.args) > 1 else default_format
        if form not in FORMATS:
            raise OscError(f"{form!r} is not a format; there are {', '.join(FORMATS)}.")
        if running is not None:
            raise OscError(f"a take is being recorded into {running}; send /record/stop first.")
        return [StartRecording(takes(name), form, call.at_sample, call.origin)]

    def stop(call: Call) -> list[Action]:
        nonlocal running
        running = None
        return [StopRecording(call.at_sample, call.origin)]

    def sync(call: Call) -> list[Action]:
        count(call.args, 1, 1, "one whole number")
        return [Sync(whole(call.args, 0, *_TOKENS), call.at_sample, call.origin)]

    yield Endpoint(
        "/panic",
        "silence and mute every track within milliseconds; /track/*/mute 0 opens them",
        "",
        panic,
    )
    yield Endpoint(
        "/record/start", "record stems into a new folder", "[ss]", start, read=lambda _: recording or ""
    )
    yield Endpoint("/record/stop", "close the stems", "", stop)
    yield Endpoint("/sync", "answers /synced once everything sent before was taken", "i", sync)


def question_endpoints() -> Iterator[Endpoint]:
    """Yield what the control process answers itself."""
    yield _plain(
        "/status",
        "answers /status/reply with names and values, then /status/track for each track",
        StatusRequest(),
    )
    yield _plain("/latency", "answers /latency/reply for each track", LatencyRequest())
    yield Endpoint("/heartbeat", "answers /heartbeat", "", _heartbeat)
    yield Endpoint(
        "/help", "answers /help/reply with a few lines, or one for every address below a prefix", "[s]", _help
    )
    yield Endpoint("/list", "answers with every address below a prefix", "[s]", _list)
    yield Endpoint("/subscribe", "send values and meters: port prefix rate_hz ttl_s", "[isff]", _subscribe)
    yield Endpoint("/unsubscribe", "stop a subscription: port prefix", "[is]", _unsubscribe)


def _plain(address: str, about: str, request: Request) -> Endpoint:
    return Endpoint(address, about, "", lambda _: [request])


def _heartbeat(call: Call) -> list[Action]:
    return [] if call.args else [Heartbeat()]  # with an argument it is another host's answer


def _help(call: Call) -> list[Action]:
    count(call.args, 0, 1, "nothing or a prefix")
    return [Help(_prefix(call, 0) if call.args else "")]


def _list(call: Call) -> list[Action]:
    count(call.args, 0, 1, "nothing or a prefix")
    return [ListAddresses(_prefix(call, 0) if call.args else "/")]


def _subscribe(call: Call) -> list[Action]:
    count(call.args, 0, 4, "a port (0: the one that asks), a prefix, a rate in Hz and a duration in s")
    given = len(call.args)
    port = whole(call.args, 0, 0, 65_535) if given > 0 else 0
    prefix = _prefix(call, 1) if given > 1 else "/"
    rate_hz = number(call.args, 2) if given > 2 else 20.0
    ttl_s = number(call.args, 3) if given > 3 else 60.0
    return [Subscribe(port, prefix, min(max(rate_hz, 0.1), MAX_RATE_HZ), min(max(ttl_s, 0.0), MAX_TTL_S))]


def _unsubscribe(call: Call) -> list[Action]:
    count(call.args, 0, 2, "a port and a prefix")
    port = whole(call.args, 0, 0, 65_535) if call.args else 0
    return [Unsubscribe(port, _prefix(call, 1) if len(call.args) > 1 else "")]


def _prefix(call: Call, at: int) -> str:
    prefix = text(call.args, at, "an address prefix")
    if not prefix.startswith("/"):
        raise OscError(f"a prefix begins with '/', and {prefix!r} does not.")
    return prefix[:256]
