"""Starting, watching and ending the processes of a run."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

_RESTART_GAP_S = 1.0


class ParentWatch:
    """Tells a process whether the one that started it is gone."""

    def __init__(self) -> None:
        self._parent = os.getppid()

    @property
    def orphaned(self) -> bool:
        """Whether the parent has ended."""
        return os.getppid() != self._parent


@dataclass(slots=True)
class Child:
    """One process of a run, by the module it runs."""

    name: str
    module: str
    run_folder: Path
    threads: int
    process: subprocess.Popen[bytes] | None = None
    started_s: float = 0.0

    def start(self) -> None:
        """Start it, out of reach of the terminal's Ctrl-C."""
        pool = str(self.threads)
        environment = {
            **os.environ,
            "OMP_NUM_THREADS": pool,
            "MKL_NUM_THREADS": pool,
            "OPENBLAS_NUM_THREADS": "1",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", self.module, str(self.run_folder)],
            env=environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.started_s = monotonic()

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, or None while it runs."""
        return None if self.process is None else self.process.poll()

    @property
    def may_restart(self) -> bool:
        """Whether enough time has passed since it was last started."""
        return monotonic() - self.started_s > _RESTART_GAP_S

    def end(self, patience_s: float) -> None:
        """Wait for it to end; then ask, then insist."""
        if self.process is None:
            return
        for number in (0, signal.SIGTERM, signal.SIGKILL):
            if number:
                self.process.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(patience_s)
                return
