"""The sink process: the device stream, the null clock or a file, fed from the shared ring."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from time import monotonic_ns, sleep

from synthhost.core.arrays import Audio
from synthhost.core.board import StatusPage
from synthhost.core.errors import RecordingError, SynthhostError
from synthhost.host.plan import Plan
from synthhost.host.processes import ParentWatch
from synthhost.host.realtime import go_realtime, quiet_collector
from synthhost.host.shared import Shared
from synthhost.sinks.clocked import ClockedSink, MasterFile
from synthhost.sinks.playback import Playback

_PRIORITY = 70
_DEVICE_SILENT_NS = 1_000_000_000  # without a callback for so long the device is lost
_CLOSE_LIMIT_S = 2.0


def main(run_folder: Path) -> int:
    """Run the sink of a run; return the exit code (4: the device went away, worth another try)."""
    parent = ParentWatch()
    plan = Plan.load(run_folder)
    shared = Shared.open(run_folder)
    playback = Playback(shared.audio, shared.status, plan.sample_rate)
    try:
        if plan.sink.kind == "device":
            return _play_device(plan, playback, shared.status, parent)
        return _play_clocked(plan, playback, shared.status, parent)
    except SynthhostError as error:
        sys.stderr.write(f"{error}\n")
        return 3


def _ended(status: StatusPage, parent: ParentWatch) -> bool:
    return bool(status["stop"] == 2 or parent.orphaned)


def _play_clocked(plan: Plan, playback: Playback, status: StatusPage, parent: ParentWatch) -> int:
    with ExitStack() as closing:
        receive = None
        if plan.sink.out is not None:
            master = MasterFile(
                _free_path(Path(plan.sink.out), int(status["sink_restarts"])), plan.sample_rate
            )
            closing.callback(master.close)
            receive = _while_it_works(master.write)
        sink = ClockedSink(playback, plan.sample_rate, plan.block_samples, receive)
        quiet_collector()
        go_realtime(_PRIORITY)
        status["sink_ready"] = 1
        while not _ended(status, parent):
            sink.turn()
    return 0


def _play_device(plan: Plan, playback: Playback, status: StatusPage, parent: ParentWatch) -> int:
    from synthhost.sinks.device import DeviceStream, find_device  # PortAudio wakes up at import

    device = find_device(plan.sink.device)
    stream = DeviceStream(device, playback, status, plan.sample_rate)
    quiet_collector()
    go_realtime(_PRIORITY)
    status["sink_ready"] = 1
    started_ns = monotonic_ns()
    while not _ended(status, parent):
        sleep(0.05)
        last_ns = max(int(status["sink_beat_ns"]), started_ns)
        if monotonic_ns() - last_ns > _DEVICE_SILENT_NS:
            os._exit(4)  # closing a stream whose server died hangs
    hanging = Timer(_CLOSE_LIMIT_S, os._exit, (0,))
    hanging.daemon = True
    hanging.start()
    stream.close()
    return 0


def _while_it_works(write: Callable[[Audio], None]) -> Callable[[Audio], None]:
    """Return a receiver that writes until the disk refuses, says so once, and lets the show go on."""
    refused = False

    def receive(block: Audio) -> None:
        nonlocal refused
        if refused:
            return
        try:
            write(block)
        except RecordingError as error:
            refused = True
            sys.stderr.write(f"{error} The show goes on without it.\n")
            sys.stderr.flush()

    return receive


def _free_path(out: Path, restarts: int) -> Path:
    """Return where this sink writes: a restarted one leaves alone what was written before it."""
    path, number = out, restarts + 1
    while restarts and (path == out or path.exists()):
        path, number = out.with_stem(f"{out.stem}-{number}"), number + 1
    return path
