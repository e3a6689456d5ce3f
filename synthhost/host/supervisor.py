"""Starts the three processes of a run, watches them, and ends all of them cleanly."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from time import monotonic, sleep
from types import FrameType, MappingProxyType
from typing import Any

from synthhost.core.board import StatusPage
from synthhost.core.errors import ProcessError
from synthhost.host.ahead import ENGINE, SINK, Waiting
from synthhost.host.plan import Plan
from synthhost.host.processes import ENGINE_PATIENCE_S, Child, Pulse
from synthhost.host.shared import Shared, new_run_folder

_TICK_S = 0.05
_START_LIMIT_S = 300.0  # models are measured and warmed first
_DRAIN_LIMIT_S = 3.0
_PATIENCE_S = 5.0
_DEVICE_LOST = 4
_STILL_S = 5.0  # a process without a sign of life for so long hangs
_NO_START = "The {} process could not start (its reason is above)."
_SILENT_DEVICE = (
    "The device was opened and asks for no sound. Restart the audio system, or play with --sink null."
)
_DIED = "The {} process ended ({}); it is started again, the engine plays on."
_HANGS = "The control process hangs: no sign of life for {:.0f} s. It is killed."
_ENGINE_HANGS = (
    "The engine hangs: it has rendered nothing for {:.0f} s. It is left alone, it may come back; "
    "Ctrl-C ends the run, and what was controlled is written down."
)
_ENGINE_BACK = "The engine plays on."
_BACK = MappingProxyType({"control": "The control process is back.", "sink": "The sound is back."})
_DEVICE_GONE = (
    "The sound device has gone quiet. The engine plays on, stems too; "
    "the device is opened again once it is there."
)


class Supervisor:
    """One run of the host.

    Args:
        plan: What to play and where.
        say: Takes sentences for the person at the terminal.
        engine: Waits for its run, if one was started ahead.
    """

    def __init__(self, plan: Plan, say: Callable[[str], None], engine: Waiting | None = None) -> None:
        self.plan = plan
        self.run_folder: Path = new_run_folder()
        self.shared = Shared.create(self.run_folder, plan.sample_rate)
        plan.save(self.run_folder)
        self._say = say
        self._stopping = False
        self.totals: dict[str, float] | None = None  # of a run that is over
        folder, threads = self.run_folder, plan.threads
        self.engine = Child("engine", ENGINE, folder, threads, engine)
        self.control = Child("control", "synthhost.host.control_process", folder, 1)
        self.sink = Child("sink", SINK, folder, 1)
        self._control_pulse = Pulse()
        self._engine_pulse = Pulse()
        self._engine_hangs = False
        self._reasons: set[str] = set()  # told already, of processes that do not come back

    @property
    def description(self) -> Any:
        """Return what the engine plays."""
        return self.shared.board.read()

    def start(self) -> None:
        """Start all processes and return when sound runs.

        Raises:
            ProcessError: One of them could not start; it has said why itself.
            KeyboardInterrupt: The run was ended meanwhile.
        """
        for number in (signal.SIGTERM, signal.SIGHUP):  # SIGHUP: the terminal was closed
            signal.signal(number, self.on_signal)
        self.control.start()
        self.engine.start()
        self.sink.start_ahead()
        status = self.shared.status
        self._await(lambda: status["control_ready"] == 1)
        self._await(lambda: status["engine_ready"] >= 1)
        self.sink.start()
        self._await(lambda: status["sink_ready"] == 1)

    def watch(self, tick: Callable[[], None] | None = None) -> None:
        """Return when the run is over; bring control and sink back if they die meanwhile."""
        while not self._stopping and self.engine.exit_code is None:
            self._kill_control_if_it_hangs()
            self._care_for(self.control)
            self._care_for(self.sink)
            self._listen_to_engine()
            if tick is not None:
                tick()
            sleep(_TICK_S)
        if self.engine.exit_code:
            self._say(
                f"The engine process ended ({self.engine.ending}), and the sound with it. What was "
                f"controlled is written down: synthhost render {self.plan.journal_folder} renders it."
            )

    def stop(self) -> int:
        """End everything in order and return the exit code of the run."""
        status, ring = self.shared.status, self.shared.audio
        status["stop"] = 1
        crashed = bool(self.engine.exit_code)
        played = bool(status["engine_ready"])
        self.engine.end(ENGINE_PATIENCE_S, ask=not played)  # while it loads it has nothing to finish
        limit_s = monotonic() + _DRAIN_LIMIT_S
        while self._sink_runs() and ring.read_sample < ring.write_sample and monotonic() < limit_s:
            sleep(_TICK_S / 5)
        status["stop"] = 2
        self.sink.end(_PATIENCE_S)
        self.control.end(_PATIENCE_S)
        crashed |= played and self.engine.exit_code not in (0, None)
        self._count(status)
        shutil.rmtree(self.run_folder, ignore_errors=True)
        return 1 if crashed else 0

    def _count(self, status: StatusPage) -> None:
        if status["engine_ready"]:
            names = ("late_blocks", "underruns", "late_commands", "malformed", "lost_events", "commands")
            counts: dict[str, float] = {name: int(status[name]) for name in names}
            self.totals = {"seconds": int(status["sample"]) / self.plan.sample_rate, **counts}

    def _sink_runs(self) -> bool:
        return self.sink.process is not None and self.sink.exit_code is None

    @property
    def stopping(self) -> bool:
        """Whether the run was asked to end."""
        return self._stopping

    def request_stop(self) -> None:
        """Make `watch` return."""
        self._stopping = True

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Make `watch` return: for `signal.signal`."""
        self.request_stop()

    def _await(self, ready: Callable[[], bool]) -> None:
        limit_s = monotonic() + _START_LIMIT_S
        while not ready():
            for child in (self.control, self.engine, self.sink):
                if child.exit_code is not None:
                    silent = child.exit_code == _DEVICE_LOST
                    raise ProcessError(_SILENT_DEVICE if silent else _NO_START.format(child.name))
            if self._stopping:
                raise KeyboardInterrupt
            if monotonic() > limit_s:
                raise ProcessError("The host did not get ready in time. Try a smaller set.")
            sleep(_TICK_S / 5)

    def _kill_control_if_it_hangs(self) -> None:
        status = self.shared.status
        beat_ns = int(status["control_beat_ns"]) if status["control_ready"] else 0
        if self._control_pulse.still_s(beat_ns, monotonic()) > _STILL_S and status["control_ready"]:
            self._say(_HANGS.format(_STILL_S))
            status["control_ready"] = 0
            self.control.kill()

    def _listen_to_engine(self) -> None:
        """Say once when the engine hangs while it should play, and when it is back."""
        status = self.shared.status
        still_s = self._engine_pulse.still_s(int(status["engine_beat_ns"]), monotonic())
        hangs = bool(status["engine_ready"] == 1 and still_s > _STILL_S)
        if hangs != self._engine_hangs:
            self._engine_hangs = hangs
            self._say(_ENGINE_HANGS.format(_STILL_S) if hangs else _ENGINE_BACK)

    def _care_for(self, child: Child) -> None:
        """Start a process that has died again, and say so once however often that fails."""
        status, ready = self.shared.status, f"{child.name}_ready"
        if child.exit_code is None:
            if child.failures and child.settled and status[ready]:
                child.failures = 0
                self._reasons.clear()
                self._say(_BACK[child.name])
            return
        status[ready] = 0
        if not child.may_restart or status["engine_ready"] == 2:
            return
        self._tell_reason(child)
        lost_device = child.exit_code == _DEVICE_LOST
        if not child.failures:
            self._say(_DEVICE_GONE if lost_device else _DIED.format(child.name, child.ending))
        status[f"{child.name}_restarts"] += 1
        child.failures += 1
        child.start(quiet=lost_device or child.failures > 1)

    def _tell_reason(self, child: Child) -> None:
        """Say once why a quiet process could not start; another reason is news."""
        reason = child.reason
        if reason is not None and reason not in self._reasons:
            self._reasons.add(reason)
            self._say(reason)
