"""How long the machine stands still now and then: a witness that sleeps beside the models' measuring.

Virtual and busy machines stop a thread for 10 to 20 ms at p99.9, whatever it does. No step of a model costs
that, so no timing of few steps shows it; the ring between engine and sink must hold it all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter, sleep

import numpy as np

from synthhost.backends.cost import TAIL_STEPS
from synthhost.host.realtime import raise_thread

LONGEST_STALL_S = 0.1
"""What a stall may add to the ring at most: longer ones are said, and left to `--ahead-ms`."""

_NAP_S = 0.0005
_FEWEST = 200  # naps: fewer say nothing of one in a thousand
_MOST = 20_000
_PRIORITY = 65  # above what it watches, so that it sees the machine and not the models


class StallWitness:
    """Sleeps for half a millisecond again and again and notes how much longer that took.

    Args:
        nap: Sleeps for so many seconds.
        clock: Tells the time in seconds.
    """

    def __init__(
        self, nap: Callable[[float], None] = sleep, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._nap = nap
        self._clock = clock
        self._late_s: list[float] = []

    def look(self) -> None:
        """Sleep once and note how late the waking was."""
        begun_s = self._clock()
        self._nap(_NAP_S)
        if len(self._late_s) < _MOST:
            self._late_s.append(max(self._clock() - begun_s - _NAP_S, 0.0))

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Look on a thread of its own as long as the block lasts."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,), name="stall-witness", daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    def _watch(self, over: threading.Event) -> None:
        raise_thread(_PRIORITY)  # as the render thread will be; a refusal is told of that one
        while not over.is_set():
            self.look()

    @property
    def looks(self) -> int:
        """Return how often it has slept. [any thread]"""
        return len(self._late_s)

    @property
    def stall_s(self) -> float:
        """Return how late a waking is at p99.9, held to `LONGEST_STALL_S`; 0 after too few. [any thread]"""
        late_s = self._late_s[:]
        return min(float(np.quantile(late_s, 0.999)), LONGEST_STALL_S) if len(late_s) >= _FEWEST else 0.0

    def stalled_s(self, steps: int) -> float:
        """Return what of the longest of so many steps may be the machine's doing. [any thread]

        Like with like: p99.9 where steps are enough for one, else the longest stall, to the same bound.
        """
        return self.stall_s if steps >= TAIL_STEPS else min(self.longest_s, LONGEST_STALL_S)

    @property
    def longest_s(self) -> float:
        """Return how late the latest waking was. [any thread]"""
        return max(self._late_s[:], default=0.0)
