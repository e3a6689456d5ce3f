"""Starting, watching and ending the processes of a run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

from synthhost.host.ahead import SUPERVISOR, Waiting, started

_RESTART_GAP_S = 1.0  # after the first failure; it doubles with each further one, ...
_LONGEST_GAP_S = 4.0  # ... up to here: a start costs half a second of a core
_SETTLED_S = 2.0  # a process that has run for so long has not failed to start

LOADER_STOP_S = 8.0
"""So long the engine waits at its end for something that is being loaded."""

ENGINE_PATIENCE_S = LOADER_STOP_S + 6.0
"""So long the supervisor waits for the engine: it may load, and has recordings to close."""

SAID_WHY = 3
"""The exit code of a process that wrote a sentence about why it ends."""

_LOOK_GAP_S = 1.0  # who has not looked for so long was asleep, perhaps with everything else


class ParentWatch:
    """Tells a process whether the one that started it is gone, even before this one looked."""

    def __init__(self) -> None:
        self._parent = int(os.environ.get(SUPERVISOR, os.getppid()))

    @property
    def orphaned(self) -> bool:
        """Whether the parent has ended."""
        return os.getppid() != self._parent


@dataclass(slots=True)
class Pulse:
    """Tells how long a process's sign of life has stood still under somebody's eyes."""

    beat_ns: int = -1
    since_s: float = 0.0
    looked_s: float = 0.0

    def still_s(self, beat_ns: int, now_s: float) -> float:
        """Return the seconds since the beat last moved; what nobody watched does not count."""
        if beat_ns != self.beat_ns or now_s - self.looked_s > _LOOK_GAP_S:
            self.beat_ns, self.since_s = beat_ns, now_s
        self.looked_s = now_s
        return now_s - self.since_s


@dataclass(slots=True)
class Child:
    """One process of a run, by the module it runs; it may wait already, started ahead."""

    name: str
    module: str
    run_folder: Path
    threads: int
    waiting: Waiting | None = None
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0
    failures: int = 0  # deaths since it last ran well
    quiet: bool = False  # as it was last started

    def start_ahead(self) -> None:
        """Let it import already; `start` tells it its run."""
        self.waiting = Waiting(self.module, self.threads)

    def start(self, *, quiet: bool = False) -> None:
        """Start it, out of reach of the terminal's Ctrl-C; what it says is kept from there when `quiet`.

        One that waits is told its run instead, the first time.
        """
        self.started_s, self.quiet = monotonic(), quiet
        if self.waiting is not None:
            assert not quiet
            self.process, self.waiting = self.waiting.told(self.run_folder), None
            return
        with self._said.open("wb") if quiet else contextlib.nullcontext() as said:
            self.process = started(self.module, self.threads, self.run_folder, said)

    @property
    def _said(self) -> Path:
        return self.run_folder / f"{self.name}.said"

    @property
    def reason(self) -> str | None:
        """Return why it ended, the last line it wrote, if it was quiet and has said so itself."""
        if not self.quiet or self.exit_code != SAID_WHY:
            return None
        lines = self._said.read_text(errors="replace").strip().splitlines()  # libraries write there too
        return lines[-1] if lines else None

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, or None while it runs, or waits."""
        if self.waiting is not None:
            return self.waiting.exit_code
        return None if self.process is None else self.process.poll()

    @property
    def ending(self) -> str:
        """Return how it ended in words, such as "killed by SIGKILL" or "exit 3"."""
        code = self.exit_code or 0
        return f"killed by {_signal_name(-code)}" if code < 0 else f"exit {code}"

    @property
    def settled(self) -> bool:
        """Whether it has run for long enough to count as well."""
        return self.exit_code is None and monotonic() - self.started_s > _SETTLED_S

    @property
    def may_restart(self) -> bool:
        """Whether enough time has passed since it was last started."""
        gap_s = min(_RESTART_GAP_S * 2.0 ** max(self.failures - 1, 0), _LONGEST_GAP_S)
        return monotonic() - self.started_s > gap_s

    def kill(self) -> None:
        """End it without asking; `exit_code` says when it has ended."""
        if self.process is not None:
            self.process.kill()

    def end(self, patience_s: float, *, ask: bool = False) -> None:
        """Wait for it to end, then ask, then insist; `ask` begins with asking."""
        if self.waiting is not None:
            self.waiting.dismiss()
            self.waiting = None
        if self.process is None:
            return
        for number in (signal.SIGTERM, signal.SIGKILL) if ask else (0, signal.SIGTERM, signal.SIGKILL):
            if number:
                self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
                return


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
