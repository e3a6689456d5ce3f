"""How long the machine stands still now and then: a witness that works beside the models' measuring.

Virtual and busy machines hold a thread up for 10 to 50 ms at p99.9, whatever it does. No step of a model
costs that, so no timing of few steps shows it; the ring between engine and sink must hold it all the same.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from time import perf_counter, sleep

import numpy as np

from synthhost.backends.cost import TAIL_STEPS
from synthhost.host.realtime import raise_thread

LONGEST_STALL_S = 0.1
"""What a stall may add to the ring at most: longer ones are said, and left to `--ahead-ms`."""

WORK_S = 0.0003
"""What the witness does in every millisecond, other threads' Python going on meanwhile."""

_PERIOD_S = 0.001
_FEWEST = 200  # looks: fewer say nothing of one in a thousand
_GRAIN_BYTES = 1 << 14  # hashed at a time: within the fastest cache
_MOST = 20_000
_PRIORITY = 65  # above what it watches, so that it sees the machine and not the models


class StallWitness:
    """Works for a third of every millisecond, as a render thread would, and notes how late it is each time.

    Virtual machines do not only stop: for a tenth of a second they compute at a tenth of their speed. Who
    sleeps sees nothing of it, and who works falls behind further with every block.

    Args:
        nap: Sleeps for so many seconds.
        clock: Tells the time in seconds.
        work: Takes about `WORK_S` where nothing is in the way; None: `some_work`.
    """

    def __init__(
        self,
        nap: Callable[[float], None] = sleep,
        clock: Callable[[], float] = perf_counter,
        work: Callable[[], None] | None = None,
    ) -> None:
        self._nap = nap
        self._clock = clock
        self._work = work
        self._due_s: float | None = None
        self._usual_s = float("inf")  # what the work takes undisturbed
        self._late_s: list[float] = []

    def look(self) -> None:
        """Do the next millisecond's work and note how late it was done; sleep until the next one."""
        work = self._work = self._work or some_work()
        begun_s = self._clock()
        due_s = begun_s if self._due_s is None else self._due_s
        work()
        done_s = self._clock()
        self._usual_s = min(self._usual_s, done_s - begun_s)
        if len(self._late_s) < _MOST:
            self._late_s.append(max(done_s - due_s - self._usual_s, 0.0))
        self._due_s = (due_s if done_s - due_s < LONGEST_STALL_S else done_s) + _PERIOD_S  # or given up
        left_s = self._due_s - self._clock()
        if left_s > 0.0:
            self._nap(left_s)

    @contextmanager
    def beside(self) -> Iterator[None]:
        """Look on a thread of its own as long as the block lasts."""
        self._due_s = None  # what was done since it last looked was no stall
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
        """Return how often it has looked. [any thread]"""
        return len(self._late_s)

    @property
    def stall_s(self) -> float:
        """Return how late it is at p99.9, held to `LONGEST_STALL_S`; 0 after too few. [any thread]"""
        late_s = self._late_s[:]
        return min(float(np.quantile(late_s, 0.999)), LONGEST_STALL_S) if len(late_s) >= _FEWEST else 0.0

    def stalled_s(self, steps: int) -> float:
        """Return what of the longest of so many steps may be the machine's doing. [any thread]

        Like with like: p99.9 where steps are enough for one, else the longest stall, to the same bound.
        """
        return self.stall_s if steps >= TAIL_STEPS else min(self.longest_s, LONGEST_STALL_S)

    @property
    def longest_s(self) -> float:
        """Return how late it was at most. [any thread]"""
        return max(self._late_s[:], default=0.0)


def some_work() -> Callable[[], None]:
    """Return work of about `WORK_S` that does not hold the interpreter."""
    grain = bytes(_GRAIN_BYTES)
    taken_s = []
    for _ in range(9):
        begun_s = perf_counter()
        sha256(grain)
        taken_s.append(perf_counter() - begun_s)
    times = max(round(WORK_S / float(np.median(taken_s))), 1)

    def work() -> None:
        for _ in range(times):
            sha256(grain)

    return work
