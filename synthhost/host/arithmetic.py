"""How torch computes on a thread, as a plan wants it until it is put back."""

from __future__ import annotations

import numpy as np
import torch


class Arithmetic:
    """A number of threads, and denormal numbers as zeros, from its making until `put_back`."""

    def __init__(self, threads: int) -> None:
        """Set both; the threads count for the whole process, the zeros for the calling thread."""
        self._threads = torch.get_num_threads()
        self._flushed = flushes_denormal()
        torch.set_num_threads(threads)
        torch.set_flush_denormal(True)

    def put_back(self) -> None:
        """Let torch compute as it did before."""
        torch.set_num_threads(self._threads)
        torch.set_flush_denormal(self._flushed)


def flushes_denormal() -> bool:
    """Whether this thread takes numbers below the smallest normal one for zero (torch can only set it)."""
    return bool(np.float32(1e-40) * np.float32(1.0) == 0.0)
