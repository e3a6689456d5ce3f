"""Whether every block is on time while a thousand OSC messages a second arrive.

`python -m bench.deadlines --model v3 --seconds 300 --rate 1000`: the shipped set `choir`, played by the model
on the null clock, with the messages from a process of their own and a listener to all values and meters.
`--tracks 3 --busy --seconds 1800` plays three tracks for half an hour beside a program that computes all the
time; `--rehearsal 120` plays two minutes before, from which the host learns how far ahead it must stay here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.company import Meters, busy_process, memory_mb
from bench.live import live_host, ticks
from bench.report import print_machine, run, write_json
from bench.stage import MODEL_HELP, stage
from synthhost.core.errors import ProcessError
from synthhost.core.timebase import samples_to_ms
from synthhost.host.planning import Wishes
from synthhost.host.supervisor import Supervisor

DEFAULT_MODEL = "v3"
SECONDS = 300.0
RATE_HZ = 1000.0

_ROOT = Path(__file__).resolve().parents[1]
_LOOK_S = 0.02
_SETTLE_S = 3.0  # for messages still under way when the sender is done
_GRACE_S = 30.0  # a sender that needs so much longer than planned is given up
_MOVED = ("level", "brightness", "pitch", "formant", "speed", "blend", "gain_db", "pan")
_COUNTED = (
    "blocks",
    "late_blocks",
    "underruns",
    "concealed_samples",
    "resyncs",
    "packets",
    "messages",
    "malformed",
    "rejected",
    "refused_commands",
    "commands",
    "lost_events",
)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """What happened while the messages arrived; the two `worst` times hold since the start of the host."""

    model: str
    seconds: float
    block_ms: float
    ahead_ms: float  # at the end
    ahead_at_start_ms: float  # as the host chose it, or as it was asked for
    realtime: bool  # whether the system granted real-time priority
    sent: int
    worst_slip_ms: float  # how far the sender fell behind its own pace
    counts: dict[str, int]
    at_start: dict[str, int]  # the same counts before the first message
    worst_late_ms: float
    worst_block_ms: float
    margin_median_ms: float  # finished sound before the sink, looked at every 20 ms
    margin_least_ms: float
    looks: int
    tracks: int
    busy: bool  # whether another process computed all the time
    heard: int  # values and meters that came to a subscriber
    memory_first_mb: float  # of engine, control and sink, when a fifth of the time was over
    memory_last_mb: float  # at the end


def measure(
    model: str = DEFAULT_MODEL,
    seconds: float = SECONDS,
    rate_hz: float = RATE_HZ,
    ahead_ms: float | None = None,
    console: Console | None = None,
    *,
    tracks: int = 1,
    busy: bool = False,
    rehearsal_s: float = 0.0,
) -> Deadlines:
    """Play the set `choir` under a flood of messages and count what was late.

    Args:
        model: Published size or reference.
        seconds: How long.
        rate_hz: Of the messages.
        ahead_ms: How far the engine stays before the sink; None: as the host chooses.
        console: Where to tell how it goes.
        tracks: That play the same.
        busy: Whether another process computes all the time.
        rehearsal_s: Of a show before the one that counts, in which the host learns how far ahead of the sink
            this machine needs it; 0: none.

    Raises:
        SynthhostError: The model is not there, or a process of the host ended.
    """
    say = (console or Console(stderr=True)).print
    with stage(model) as place:
        wishes = Wishes(place.tape_set(tracks), sink="null", osc_port=0, ahead_ms=ahead_ms)
        if rehearsal_s:
            with live_host(wishes, say) as host, busy_process() if busy else nullcontext():
                _under_flood(host, model, rehearsal_s, rate_hz, busy=busy)
        with live_host(wishes, say) as host, busy_process() if busy else nullcontext():
            return _under_flood(host, model, seconds, rate_hz, busy=busy)


def _under_flood(host: Supervisor, model: str, seconds: float, rate_hz: float, *, busy: bool) -> Deadlines:
    status, ring, rate = host.shared.status, host.shared.audio, host.plan.sample_rate
    before = _counts(host)
    ahead_at_start = int(status["ahead_samples"])
    margins: list[int] = []
    processes = [child.process.pid for child in (host.engine, host.control, host.sink) if child.process]
    memory_first_mb = 0.0
    port, addresses = int(status["osc_port"]), _addresses(host.description)
    with closing(Meters(port)) as meters, _flood(port, rate_hz, seconds, addresses) as sender:
        for passed_s in ticks(host, _LOOK_S, seconds + _GRACE_S):
            margins.append(ring.write_sample - ring.read_sample)
            meters.look(passed_s)
            if not memory_first_mb and passed_s >= seconds / 5.0:
                memory_first_mb = sum(memory_mb(processes))
            if sender.poll() is not None:
                break
        memory_last_mb = sum(memory_mb(processes))
        sent, heard, asked = _said(sender), meters.heard, meters.asked
    applied = before["commands"] + int(sent["sent"])
    for _ in ticks(host, _LOOK_S, _SETTLE_S):
        if int(status["commands"]) >= applied:
            break
    after = _counts(host)
    after["messages"] -= asked
    return Deadlines(
        model=model,
        seconds=round(sent["seconds"], 2),
        block_ms=samples_to_ms(host.plan.block_samples, rate),
        ahead_ms=samples_to_ms(int(status["ahead_samples"]), rate),
        ahead_at_start_ms=samples_to_ms(ahead_at_start, rate),
        realtime=bool(status["realtime"]),
        sent=int(sent["sent"]),
        worst_slip_ms=round(sent["worst_slip_ms"], 2),
        counts={name: after[name] - before[name] for name in _COUNTED},
        at_start=before,
        worst_late_ms=round(float(status["worst_late_ms"]), 3),
        worst_block_ms=round(float(status["worst_block_ms"]), 3),
        margin_median_ms=round(samples_to_ms(float(np.median(margins)), rate), 2),
        margin_least_ms=round(samples_to_ms(min(margins), rate), 2),
        looks=len(margins),
        tracks=len(host.plan.set["tracks"]),
        busy=busy,
        heard=heard,
        memory_first_mb=round(memory_first_mb, 1),
        memory_last_mb=round(memory_last_mb, 1),
    )


def _counts(host: Supervisor) -> dict[str, int]:
    return {name: int(host.shared.status[name]) for name in _COUNTED}


def _addresses(described: dict[str, Any]) -> list[str]:
    """Return the addresses that are moved: what a hand would, on every track."""
    return [
        f"/track/{track}/norm/{param['name']}"
        for track, plain in described["tracks"].items()
        for param in plain["params"]
        if param["name"] in _MOVED
    ]


@contextmanager
def _flood(
    port: int, rate_hz: float, seconds: float, addresses: list[str]
) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "bench.flood", str(port), str(rate_hz), str(seconds), *addresses]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as sender:
        try:
            yield sender
        finally:
            if sender.poll() is None:
                sender.kill()


def _said(sender: subprocess.Popen[str]) -> dict[str, float]:
    """Return what the sender reported.

    Raises:
        ProcessError: It has not come to its end.
    """
    if sender.poll() != 0:
        raise ProcessError(
            f"The sender of OSC did not finish (exit {sender.poll()}). Is the machine too busy for this rate?"
        )
    assert sender.stdout is not None
    said: dict[str, float] = json.loads(sender.stdout.read())
    return said


def show(measured: Deadlines, console: Console) -> None:
    """Print what was counted."""
    counts = measured.counts
    lost = measured.sent - counts["messages"]
    beside = ", beside a busy process" if measured.busy else ""
    priority = "real-time priority" if measured.realtime else "no real-time priority"
    console.print(
        f"Deadlines: {measured.tracks} x its track played by {measured.model} for "
        f"{measured.seconds:.1f} s on the null clock, {measured.sent / measured.seconds:.0f} OSC messages "
        f"a second, {priority}{beside}",
        highlight=False,
        soft_wrap=True,
    )
    table = Table(show_header=False, box=None, pad_edge=False)
    for what, value in (
        (f"blocks of {measured.block_ms:.2f} ms", str(counts["blocks"])),
        ("late blocks", _with_start(measured, "late_blocks")),
        ("gaps heard (underruns)", _with_start(measured, "underruns")),
        ("worst lateness since the start", f"{measured.worst_late_ms:.2f} ms"),
        (f"sound ready before the sink, of {_ahead(measured)} ms", _margins(measured)),
        ("longest block since the start", f"{measured.worst_block_ms:.2f} ms"),
        ("messages sent, lost on the way", f"{measured.sent}, {lost}"),
        ("malformed, rejected, refused", _refusals(counts)),
        ("commands applied", str(counts["commands"])),
        ("sender behind its pace at worst", f"{measured.worst_slip_ms:.2f} ms"),
        ("values and meters heard", str(measured.heard)),
        ("memory, from a fifth on", f"{measured.memory_first_mb:.0f} to {measured.memory_last_mb:.0f} MB"),
    ):
        table.add_row(what, value)
    console.print(table)


def _with_start(measured: Deadlines, name: str) -> str:
    before = measured.at_start[name]
    return f"{measured.counts[name]}" + (f" (and {before} before the first message)" if before else "")


def _ahead(measured: Deadlines) -> str:
    start, end = f"{measured.ahead_at_start_ms:.0f}", f"{measured.ahead_ms:.0f}"
    return start if start == end else f"{start}, at the end {end}"


def _margins(measured: Deadlines) -> str:
    return (
        f"{measured.margin_median_ms:.1f} ms in the middle, {measured.margin_least_ms:.1f} ms at least "
        f"({measured.looks} looks)"
    )


def _refusals(counts: dict[str, int]) -> str:
    return f"{counts['malformed']}, {counts['rejected']}, {counts['refused_commands']}"


def as_json(measured: Deadlines) -> dict[str, Any]:
    """Return the figures as they are written to a file."""
    return {"deadlines": asdict(measured)}


def command(
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = DEFAULT_MODEL,
    seconds: Annotated[float, typer.Option(min=0.5, max=3600)] = SECONDS,
    rate: Annotated[float, typer.Option(min=1, max=20_000, help="OSC messages a second.")] = RATE_HZ,
    ahead_ms: Annotated[
        float | None, typer.Option(min=1, max=2000, help="How far the engine stays before the sink.")
    ] = None,
    tracks: Annotated[int, typer.Option(min=1, max=16, help="That play the same.")] = 1,
    busy: Annotated[bool, typer.Option("--busy", help="Let another process compute all the time.")] = False,
    rehearsal: Annotated[
        float, typer.Option(min=0, max=3600, help="Seconds of a show before, from which the host learns.")
    ] = 0.0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Count late blocks under a flood of OSC."""
    begun_s = monotonic()
    measured = measure(model, seconds, rate, ahead_ms, tracks=tracks, busy=busy, rehearsal_s=rehearsal)
    console = Console()
    print_machine(console)
    show(measured, console)
    console.print(f"(took {monotonic() - begun_s:.0f} s in all)", highlight=False)
    write_json(json_, as_json(measured))


if __name__ == "__main__":
    run(command)
