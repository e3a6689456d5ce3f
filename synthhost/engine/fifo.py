"""A small queue of samples with a fixed capacity, for one thread."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio


class SampleFifo:
    """Samples in order, `[samples]`; nothing is allocated after construction."""

    __slots__ = ("_end", "_samples", "_start")

    def __init__(self, capacity_samples: int) -> None:
        self._samples = np.zeros(capacity_samples, dtype=np.float32)
        self._start = 0
        self._end = 0

    def __len__(self) -> int:
        return self._end - self._start

    def room(self, count: int) -> Audio:
        """Return where the next `count` samples go; say with `commit` how many came. [render thread]"""
        if self._end + count > self._samples.shape[0]:
            waiting = len(self)
            self._samples[:waiting] = self._samples[self._start : self._end].copy()
            self._start, self._end = 0, waiting
        assert self._end + count <= self._samples.shape[0], "the queue is too small for its stream"
        return self._samples[self._end : self._end + count]

    def commit(self, count: int) -> None:
        """Keep the first `count` samples written into `room`. [render thread]"""
        self._end += count

    def take(self, count: int) -> Audio:
        """Return the oldest `count` samples, valid until the next `room`. [render thread]"""
        assert count <= len(self), "more samples asked for than wait"
        taken = self._samples[self._start : self._start + count]
        self._start += count
        return taken

    def clear(self) -> None:
        """Forget everything. [render thread]"""
        self._start = self._end = 0
