"""Asks the system for real-time treatment of the calling process; what it refuses is said."""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager

RENDER_PRIORITY = 60
"""Of the render thread, among those that the system lets go first."""

_LOCK_CURRENT_AND_FUTURE = 3
_RESET_ON_FORK = 0x40000000  # threads made later run with ordinary priority
_BEFORE_OTHERS = -15  # a niceness: others still get a little


def go_realtime(priority: int) -> list[str]:
    """Raise the calling thread to SCHED_FIFO and keep memory in place; return a note for each refusal."""
    notes = raise_thread(priority)
    try:
        if ctypes.CDLL(None, use_errno=True).mlockall(_LOCK_CURRENT_AND_FUTURE) != 0:
            notes.append(f"memory is not locked ({os.strerror(ctypes.get_errno())})")
    except (OSError, AttributeError) as error:
        notes.append(f"memory is not locked ({error})")
    return notes


def raise_thread(priority: int) -> list[str]:
    """Raise the calling thread to SCHED_FIFO; return a note if that is refused."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | _RESET_ON_FORK, os.sched_param(priority))
    except (OSError, AttributeError) as error:
        return [f"no real-time priority ({error}): blocks may be late when the machine is busy"]
    return []


@contextmanager
def raised(priority: int) -> Iterator[None]:
    """Let the calling thread run as `raise_thread` makes it for as long as the block lasts, where allowed."""
    refused = raise_thread(priority)
    try:
        yield
    finally:
        if not refused:
            os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def go_before_others() -> list[str]:
    """Prefer this thread, and those it begins, to ordinary ones; return a note if that is refused.

    A thread beside the render thread that is put to sleep while it holds the interpreter keeps the render
    thread waiting, whatever that one's priority. Measured on two cores with three busy processes, while a
    voice was built: the render thread woke up to 10 to 16 ms late, and 2 to 4 ms late with this.
    """
    try:
        os.setpriority(os.PRIO_PROCESS, 0, _BEFORE_OTHERS)
    except (OSError, AttributeError) as error:
        return [f"no preference over others ({error}): loading may make blocks late on a busy machine"]
    return []


def go_with_others() -> None:
    """Take this thread, and those it begins, back among the ordinary ones."""
    if hasattr(os, "setpriority"):
        os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), 0))


def quiet_collector() -> None:
    """Put everything made so far out of the collector's sight and stop collecting.

    What the engine makes while playing is freed by reference counting alone.
    """
    gc.collect()
    gc.freeze()
    gc.disable()
