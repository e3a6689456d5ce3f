"""A process of a run that starts before the run is known: it imports, which takes seconds, and waits.

Nothing but the standard library is imported here, so that the command line can start it first of all.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import IO

SUPERVISOR = "SYNTHHOST_SUPERVISOR"
"""The environment variable that tells a process who watches over it."""

ENGINE = "synthhost.host.engine_process"
SINK = "synthhost.host.sink_process"
_BEGINNING = "synthhost.host.beginning"


class Waiting:
    """A process that waits for its run folder on its standard input, and ends where none comes.

    Args:
        module: What it runs.
        threads: Of its libraries at most; None: as many as there are cores.
    """

    def __init__(self, module: str, threads: int | None = None) -> None:
        self._process = started(module, threads or os.cpu_count() or 1, None, None)
        self._told = False

    @property
    def exit_code(self) -> int | None:
        """Return how it ended, or None while it waits."""
        return self._process.poll()

    def told(self, run_folder: Path) -> subprocess.Popen[bytes]:
        """Tell it which run is its own, and return it."""
        assert self._process.stdin is not None
        self._told = True
        with contextlib.suppress(BrokenPipeError), self._process.stdin as stdin:  # it has ended: seen by all
            stdin.write(os.fsencode(run_folder))
        return self._process

    def dismiss(self) -> None:
        """End it if there is no run."""
        if not self._told:
            assert self._process.stdin is not None
            self._process.kill()
            self._process.stdin.close()
            self._process.wait()


def started(
    module: str, threads: int, run_folder: Path | None, said: IO[bytes] | None
) -> subprocess.Popen[bytes]:
    """Start a module as a process out of reach of the terminal's Ctrl-C.

    Args:
        module: It.
        threads: Of its libraries at most.
        run_folder: Of its run; None: it is told later.
        said: Where it writes what it would tell the terminal; None: there.
    """
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": "1",
        SUPERVISOR: str(os.getpid()),
    }
    return subprocess.Popen(
        [sys.executable, "-m", _BEGINNING, module, *([] if run_folder is None else [str(run_folder)])],
        env=environment,
        stdin=subprocess.PIPE if run_folder is None else subprocess.DEVNULL,
        stderr=said,
        start_new_session=True,
    )
