"""What the control process answers itself: values, status, latency, the list of addresses, help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from synthhost.control.address import AddressTable, below
from synthhost.control.endpoints import Endpoint
from synthhost.control.replies import reply
from synthhost.control.subscriptions import to_db
from synthhost.control.values import Values
from synthhost.core.board import StatusPage, block_quantile_ms
from synthhost.core.errors import OscError
from synthhost.core.latency import LatencyPart, output_parts, total_ms

STATUS_NAMES = (
    "load",
    "worst_block_ms",
    "blocks",
    "late_blocks",
    "worst_late_ms",
    "underruns",
    "concealed_samples",
    "commands",
    "late_commands",
    "worst_command_late_ms",
    "refused_commands",
    "merged_cuts",
    "queued_commands",
    "bad_samples",
    "reduction_db",
    "recording",
    "tap_drops",
    "realtime",
    "ahead_samples",
    "lost_events",
    "resyncs",
    "control_restarts",
    "device_latency_ms",
    "device_flags",
    "sink_ready",
    "sink_restarts",
    "packets",
    "malformed",
    "messages",
    "rejected",
)
_HELP = (
    "/help prefix: what the addresses below it are for",
    "/list [prefix]: every address with its types, unit and range",
    "/q/ADDRESS: the present value, also for patterns such as /q/track/*/gain",
    "/subscribe port prefix rate_hz ttl_s: changed values and meters (port 0: the one that asks)",
    "/status, /latency, /sync id, /heartbeat: how the host is doing, and what computes each track",
    "errors come back as /error address reason",
)


class Answers:
    """Makes answers from the table, the mirrored values and the status page; packets ready to send."""

    def __init__(
        self, description: Mapping[str, Any], table: AddressTable, values: Values, status: StatusPage
    ) -> None:
        self._description = description
        self._table = table
        self._values = values
        self._status = status

    def read(self, address: str) -> float | str:
        """Return the present value of an address of the table.

        Raises:
            OscError: The address has no value.
        """
        endpoint = self._table.endpoints.get(address)
        if endpoint is None or endpoint.read is None:
            raise OscError("this address has no value that could be told.")
        return endpoint.read(self._values)

    def readable(self) -> Iterator[str]:
        """Yield every address that has a value."""
        return (each.address for each in self._table.endpoints.values() if each.read is not None)

    def status(self) -> bytes:
        """Return `/status/reply`: the seconds played, then names and values in turn."""
        pairs: list[str | float] = ["time_s", float(self._status["sample"]) / self.sample_rate]
        for name in STATUS_NAMES:
            value = self._status[name].item()
            pairs += [name, value]
        for name, share in (("median_block_ms", 0.5), ("p999_block_ms", 0.999)):
            pairs += [name, block_quantile_ms(self._status["block_times"], share)]
        for name in ("model_load", "stall_ms"):  # of a core; at p99.9 when the models were measured
            pairs += [name, float(self._description.get(name, 0.0))]
        pairs += ["held_frames", int(self._status["tracks"]["held_frames"].sum())]
        return reply("/status/reply", *pairs)

    def computed(self) -> Iterator[bytes]:
        """Yield `/status/track name backend device reason`, then names and values in turn, for each track.

        What computes its model, and why; how, at what cost against the time there is for it; on which rung.
        """
        models = self._description.get("models", {})
        for name, track in self._description.get("tracks", {}).items():
            plain = track.get("computed")
            if plain is not None:
                what = (plain["backend"], plain["device"], plain["reason"])
                yield reply("/status/track", name, *what, *_cost_of(track, models))

    @property
    def sample_rate(self) -> int:
        """Return the engine's rate in Hz."""
        return int(self._description.get("sample_rate", 48_000))

    def latency(self) -> Iterator[bytes]:
        """Yield `/latency/reply track total_ms name ms name ms ...` for each track."""
        ahead, device_ms = int(self._status["ahead_samples"]), float(self._status["device_latency_ms"])
        for track, plain in self._description.get("latency", {}).items():
            inside = [LatencyPart(**part) for part in plain]
            parts = [*inside, *output_parts(ahead, self.sample_rate, device_ms)]
            named: list[str | float] = []
            for part in parts:
                named += [part.name, part.ms]
            yield reply("/latency/reply", track, total_ms(parts), *named)

    def meters(self) -> Iterator[tuple[str, float, float]]:
        """Yield `/meter/master` and `/meter/NAME` with peak and RMS in dB, the louder side."""
        master_peak, master_rms = self._status["master_peak"], self._status["master_rms"]
        yield "/meter/master", to_db(float(master_peak.max())), to_db(float(master_rms.max()))
        for name, track in self._description.get("tracks", {}).items():
            record = self._status.track(int(track["index"]))
            yield f"/meter/{name}", to_db(float(record["peak"].max())), to_db(float(record["rms"].max()))

    def listing(self, prefix: str) -> list[bytes]:
        """Return `/list/reply address types unit minimum maximum about` and `/list/done count`."""
        found = self._below(prefix)
        return [*(_listed(each) for each in found), reply("/list/done", len(found))]

    def help(self, prefix: str) -> list[bytes]:
        """Return `/help/reply line` for a person: on every address below a prefix, and `/help/done count`.

        Without a prefix a few lines.

        Raises:
            OscError: There is no address below it.
        """
        if not prefix:
            return [reply("/help/reply", line) for line in _HELP]
        found = self._below(prefix)
        if not found:
            raise OscError(f"no address lies below {prefix}. /list tells them all.")
        return [*(reply("/help/reply", _told(each)) for each in found), reply("/help/done", len(found))]

    def _below(self, prefix: str) -> list[Endpoint]:
        return [each for each in self._table.endpoints.values() if below(each.address, prefix)]


def _cost_of(track: Mapping[str, Any], models: Mapping[str, Any]) -> Iterator[str | float]:
    """Yield names and values of how a track's model is computed, what that costs, and where it stands."""
    how, cost = track["computed"], models.get(str(track.get("reference")), {})
    yield from ("threads", int(how.get("threads", 1)), "precision", str(how.get("precision", "")))
    yield from ("chunk_frames", int(track["model"].get("chunk_frames", 0)))
    for shown, name in (("median_ms", "median_ms"), ("p999_ms", "p999_ms"), ("deadline_ms", "chunk_ms")):
        if name in cost:
            yield from (shown, float(cost[name]))
    yield from ("rung", int(track.get("rung", 0)), "rungs", len(track.get("ladder", ())))
    yield from ("rung_reason", str(track.get("rung_reason", "")))


def _told(each: Endpoint) -> str:
    """Return what an address takes and does, in words."""
    span = f"{each.minimum:g} to {each.maximum:g} {each.unit}".rstrip()
    taken = f"{each.address} {each.types}".rstrip()
    ranged = each.minimum < each.maximum and not each.types.startswith("s")
    return f"{taken} ({span}): {each.about}" if ranged else f"{taken}: {each.about}"


def _listed(each: Endpoint) -> bytes:
    return reply(
        "/list/reply",
        each.address,
        each.types,
        each.unit,
        float(each.minimum),
        float(each.maximum),
        each.about,
    )
