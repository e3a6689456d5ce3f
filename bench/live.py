"""A running host to measure, always ended."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from synthhost.core.errors import ProcessError
from synthhost.host.planning import Wishes, make_plan
from synthhost.host.supervisor import Supervisor


@contextmanager
def live_host(wishes: Wishes, say: Callable[[str], None]) -> Iterator[Supervisor]:
    """Start a host and yield it when sound runs; its processes end with the block.

    Raises:
        SynthhostError: Something asked for is not there, or a process could not start.
    """
    planned = make_plan(wishes)
    supervisor = Supervisor(planned.plan, say)
    handler = signal.getsignal(signal.SIGTERM)
    try:
        supervisor.start()
        yield supervisor
    finally:
        supervisor.stop()
        signal.signal(signal.SIGTERM, handler)


def ticks(supervisor: Supervisor, gap_s: float, seconds: float) -> Iterator[float]:
    """Yield the seconds passed, every `gap_s` for so many seconds, as long as the host is whole.

    Raises:
        ProcessError: One of its processes has ended.
    """
    begun_s = monotonic()
    while (passed_s := monotonic() - begun_s) < seconds:
        for child in (supervisor.engine, supervisor.control, supervisor.sink):
            if child.exit_code is not None:
                raise ProcessError(
                    f"The {child.name} process ended (exit {child.exit_code}) while it was measured; "
                    "what it said is above."
                )
        yield passed_s
        sleep(gap_s)
