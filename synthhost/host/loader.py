"""Carries out the engine's jobs: on threads of its own while playing, at once when rendering offline."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

import torch

from synthhost.core.errors import SynthhostError
from synthhost.engine.loading import Job, Loaded, Stems, StemsJob, TapeJob
from synthhost.host.factory import VoiceFactory
from synthhost.host.processes import LOADER_STOP_S

_TICKET_STREAMS = 1 << 20  # random streams of loaded voices lie behind those of the set's tracks
_IDLE_S = 0.02


class Workshop:
    """Does one job at a time, wherever it is called."""

    def __init__(self, factory: VoiceFactory, open_stems: Callable[[str, str], Stems]) -> None:
        self.factory = factory
        self._open_stems = open_stems

    def carry_out(self, job: Job) -> Loaded:
        """Return what the job came to; what goes wrong is part of it."""
        try:
            return self._result(job)
        except SynthhostError as error:
            return Loaded(job.ticket, None, error)
        except Exception as error:
            return Loaded(job.ticket, None, SynthhostError(f"could not be loaded: {error!r}"))

    def _result(self, job: Job) -> Loaded:
        if isinstance(job, StemsJob):
            return Loaded(job.ticket, self._open_stems(job.folder, job.format))
        if isinstance(job, TapeJob):
            tape = self.factory.tape(job.path, job.mel, job.sha256)
            return Loaded(job.ticket, tape, None, {"sounds": self.factory.sounds_of(job.path)})
        prepared = self.factory.build(job.body, _TICKET_STREAMS + job.ticket, job.values, kept=job.kept)
        return Loaded(job.ticket, prepared, None, self.factory.details(prepared))


class ImmediateLoader:
    """Does every job when it is asked for (offline: time stands still meanwhile)."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._done: deque[Loaded] = deque()

    def ask(self, job: Job) -> None:
        """Carry out a job now."""
        self._done.append(self._workshop.carry_out(job))

    def finished(self) -> Loaded | None:
        """Return the oldest finished job, or None."""
        return self._done.popleft() if self._done else None

    def retire(self, thing: Any) -> None:
        """Let go of it now."""
        _let_go(thing)


class ThreadedLoader:
    """Does jobs on two threads beside the render thread, which nothing that goes wrong there ends.

    The loader's thread does them in order; stems are opened on another, so that a take begins at once however
    long a voice takes to be made.

    Args:
        workshop: Where they are done.
        idle: Called on the loader's thread now and then.
        before: Called on the loader's thread before each of its jobs.
        complain: Takes a sentence on what went wrong beside a job; the same one is given once.
    """

    def __init__(
        self,
        workshop: Workshop,
        idle: Callable[[], None],
        before: Callable[[Job], None] = lambda _: None,
        complain: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._before = before
        self._complain = complain
        self._workshop = workshop
        self._idle = idle
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._openings: queue.SimpleQueue[StemsJob | None] = queue.SimpleQueue()
        self._done: deque[Loaded] = deque()  # of both threads
        self._retired: deque[Any] = deque()
        self._resting: deque[Any] = deque()  # retired a turn ago: by now the render thread has surely let go
        self._stopping = threading.Event()
        self._last_complaint = ""
        self._thread = threading.Thread(target=self._run, name="loader", daemon=True)
        self._thread.start()
        self._opener = threading.Thread(target=self._open, name="stems-opener", daemon=True)
        self._opener.start()

    def ask(self, job: Job) -> None:
        """Queue a job. [render thread]"""
        if isinstance(job, StemsJob):
            self._openings.put(job)
        else:
            self._jobs.put(job)

    def finished(self) -> Loaded | None:
        """Return the oldest finished job, or None. [render thread]"""
        return self._done.popleft() if self._done else None

    def retire(self, thing: Any) -> None:
        """Hand something over to be freed on the loader's thread. [render thread]"""
        self._retired.append(thing)

    def stop(self) -> None:
        """Close what was retired and end the threads; jobs that are not begun yet are forgotten.

        Jobs that are going on are waited for, up to `LOADER_STOP_S`. [render thread, after its last block]
        """
        limit_s = monotonic() + LOADER_STOP_S
        self._stopping.set()
        self._jobs.put(None)
        self._openings.put(None)
        self._let_go_of_everything()  # recordings above all, before a job that takes long
        for thread in (self._opener, self._thread):
            thread.join(timeout=max(limit_s - monotonic(), 0.0))
        self._retired.extend(loaded.result for loaded in self._done)  # what nobody fetched
        self._done.clear()
        self._let_go_of_everything()

    def _run(self) -> None:
        torch.set_flush_denormal(True)  # a setting of the thread: warm-up must sound as it does in a replay
        while not self._stopping.is_set():
            try:
                job = self._jobs.get(timeout=_IDLE_S)
            except queue.Empty:
                self._let_go_of_retired()
                self._guard("describing what plays", self._idle)
                continue
            if job is None:
                return
            self._guard("before loading", self._before, job)
            self._done.append(self._workshop.carry_out(job))
            self._let_go_of_retired()

    def _open(self) -> None:
        while (job := self._openings.get()) is not None and not self._stopping.is_set():
            self._done.append(self._workshop.carry_out(job))

    def _guard(self, what: str, act: Callable[..., None], *args: Any) -> None:
        """Do something of which an error is told and survived."""
        try:
            act(*args)
        except Exception as error:
            text = f"{what} went wrong, the show goes on: {error!r}"
            if text != self._last_complaint:
                self._last_complaint = text
                self._complain(text)

    def _let_go_of_retired(self) -> None:
        """Free what was handed over before the last turn; what came since waits for the next."""
        self._let_go_of(self._resting)
        while self._retired:
            self._resting.append(self._retired.popleft())

    def _let_go_of_everything(self) -> None:
        """Free all that was handed over, on whatever thread: each thing is taken by one of them."""
        self._let_go_of(self._resting)
        self._let_go_of(self._retired)

    def _let_go_of(self, things: deque[Any]) -> None:
        with contextlib.suppress(IndexError):  # none is left
            while True:
                self._guard("letting go of what has ended", _let_go, things.popleft())


def _let_go(thing: Any) -> None:
    """Close what can be closed; voices are simply dropped."""
    close = getattr(thing, "close", None)
    if close is not None:
        close()
