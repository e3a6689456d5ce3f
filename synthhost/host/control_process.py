"""The control process: OSC in and out, presets by name, the journal."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from time import monotonic
from typing import Any

from synthhost.control.address import AddressTable
from synthhost.control.loop import ControlLoop, Links, Surroundings
from synthhost.control.moments import Moments, TimeOptions
from synthhost.control.server import OscServer
from synthhost.core.errors import SynthhostError
from synthhost.core.messages import Accepted, Failed, Notice
from synthhost.core.timebase import ClockMap
from synthhost.host.journal import JOURNAL_NAME, JournalWriter
from synthhost.host.places import Places
from synthhost.host.plan import Plan
from synthhost.host.processes import ParentWatch
from synthhost.host.shared import Shared
from synthhost.schema.preset_library import PresetLibrary

_PULSE_S = 1.0
_WANTED_BUFFER_BYTES = 4 << 20
_STOP_LIMIT_S = 3.0
_ORPHAN_LIMIT_S = 1.5  # without a supervisor, for the engine to come to its end


class ControlProcess:
    """Wires the control loop to a run: names, journal, notices."""

    def __init__(self, plan: Plan, shared: Shared) -> None:
        self._plan = plan
        self._shared = shared
        self._parent = ParentWatch()
        self._places = Places(PresetLibrary.of_this_machine(), Path(plan.takes_folder))
        self._journal: JournalWriter | None = None
        self._pulse_s = 0.0
        self._end_sample: int | None = None
        self._told_error: str | None = None
        self._lost_events = 0
        self._orphaned_s = 0.0
        links = Links(shared.commands, shared.events, shared.board, shared.status)
        moments = Moments(
            shared.status,
            ClockMap(plan.sample_rate),
            TimeOptions(plan.timetags, plan.arrival_delay_ms),  # type: ignore[arg-type]
        )
        port = int(shared.status["osc_port"]) or plan.osc_port  # after a restart the one that clients know
        self._server = OscServer(plan.osc_host, port)
        granted = self._server.buffer_bytes
        if granted < _WANTED_BUFFER_BYTES:
            self._say(
                f"The system grants a receive buffer of {granted >> 10} KiB only: a burst of "
                "thousands of messages may lose some (counted). "
                "Raise it: sysctl -w net.core.rmem_max=4194304."
            )
        surroundings = Surroundings(self._table, self._log, self._notice)
        self._loop = ControlLoop(self._server, links, surroundings, moments)

    def run(self) -> None:
        """Serve until the run is over and everything that happened is in the journal; close the port."""
        try:
            self._serve()
        finally:
            self._server.close()

    def _serve(self) -> None:
        while not self._over():
            self._loop.turn(0.004)
            self._pulse()
        limit_s = monotonic() + _STOP_LIMIT_S
        while self._shared.events.filled_bytes and monotonic() < limit_s:
            self._loop.turn(0.0)
        if self._journal is not None:
            self._note_lost(self._journal)
            end_sample = self._end_sample
            self._journal.close(int(self._shared.status["sample"]) if end_sample is None else end_sample)

    def _over(self) -> bool:
        status = self._shared.status
        if status["stop"] == 2 or not self._parent.orphaned:
            return bool(status["stop"] == 2)
        self._orphaned_s = self._orphaned_s or monotonic()
        return bool(status["engine_ready"] == 2 or monotonic() - self._orphaned_s > _ORPHAN_LIMIT_S)

    def _table(self, description: Mapping[str, Any]) -> AddressTable:
        if self._journal is None and "header" in description:
            self._begin_journal(description["header"])
        return AddressTable(description, self._places.preset_body, self._places.sound, self._places.take)

    def _begin_journal(self, header: dict[str, Any]) -> None:
        self._journal = JournalWriter(header, Path(self._plan.journal_folder) / JOURNAL_NAME)

    def _log(self, event: Accepted | Failed) -> None:
        assert self._journal is not None, "the engine describes itself before it accepts commands"
        if isinstance(event, Failed):
            self._journal.fail(event, int(self._shared.status["sample"]))
        else:
            self._journal.write(event)
        self._journal.flush()  # the engine's record is forgotten next: it must outlive this process

    def _notice(self, notice: Notice) -> None:
        if notice.kind == "end":
            self._end_sample = notice.at_sample
        elif notice.kind == "recording":
            self._recording(Path(notice.text))
        else:
            self._say(notice.text)

    def _recording(self, folder: Path) -> None:
        """Keep a copy of the journal with the stems; one that begins with the show was told before."""
        if folder == Path(self._plan.journal_folder):
            return
        if self._journal is not None:
            self._journal.copy_to(folder)
        self._say(f"Recording stems into {folder}.")

    def _pulse(self) -> None:
        now_s = monotonic()
        if self._journal is None or now_s - self._pulse_s < _PULSE_S:
            return
        self._pulse_s = now_s
        self._note_lost(self._journal)
        self._journal.pulse(int(self._shared.status["sample"]))
        if self._journal.error is not None and self._journal.error != self._told_error:
            self._told_error = self._journal.error
            self._say(self._journal.error)

    def _note_lost(self, journal: JournalWriter) -> None:
        """Write down that the engine had events for which there was no room."""
        lost = int(self._shared.status["lost_events"])
        if lost > self._lost_events:
            self._lost_events = lost
            journal.lose(lost, int(self._shared.status["sample"]))
            self._say(f"{lost} events of the engine were lost so far: the journal is not whole.")

    @staticmethod
    def _say(text: str) -> None:
        sys.stderr.write(f"{text}\n")
        sys.stderr.flush()


def main(run_folder: Path) -> int:
    """Run the control process of a run; return the exit code."""
    try:
        ControlProcess(Plan.load(run_folder), Shared.open(run_folder)).run()
    except SynthhostError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0
