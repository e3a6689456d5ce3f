"""Rings in shared memory with one writer and one reader each; no locks.

Positions only grow. The writer publishes a position after the bytes below it are written, the reader after
it has copied them out. Both are single aligned 8-byte stores, which x86-64 keeps in order; on processors
with weaker ordering this has not been tried.
"""

from __future__ import annotations

import struct

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.region import Region

HEADER_BYTES = 64
_LENGTH = struct.Struct("<I")


class ByteRing:
    """Records of bytes, in order, from one process to another."""

    def __init__(self, region: Region) -> None:
        self._head = region.view[:HEADER_BYTES].cast("q")  # 0 written, 1 read, 2 refused
        self._bytes = region.view[HEADER_BYTES:]
        self.capacity_bytes = len(self._bytes)

    @property
    def refused(self) -> int:
        """Return how many records found no room."""
        return self._head[2]

    @property
    def filled_bytes(self) -> int:
        """Return how many bytes wait to be read."""
        return self._head[0] - self._head[1]

    def push(self, record: bytes) -> bool:
        """Append a record; False (and counted) when it does not fit. [render thread]"""
        written = self._head[0]
        needed = _LENGTH.size + len(record)
        if needed > self.capacity_bytes - (written - self._head[1]):
            self._head[2] += 1
            return False
        self._copy_in(written, _LENGTH.pack(len(record)))
        self._copy_in(written + _LENGTH.size, record)
        self._head[0] = written + needed
        return True

    def pop(self) -> bytes | None:
        """Take the oldest record, or None. [render thread]"""
        read = self._head[1]
        if self._head[0] == read:
            return None
        (length,) = _LENGTH.unpack(self._copy_out(read, _LENGTH.size))
        record = self._copy_out(read + _LENGTH.size, length)
        self._head[1] = read + _LENGTH.size + length
        return record

    def peek(self) -> bytes | None:
        """Return the oldest record and leave it there, so that a restarted reader finds it again."""
        read = self._head[1]
        if self._head[0] == read:
            return None
        (length,) = _LENGTH.unpack(self._copy_out(read, _LENGTH.size))
        return self._copy_out(read + _LENGTH.size, length)

    def _copy_in(self, position: int, piece: bytes) -> None:
        start = position % self.capacity_bytes
        first = min(len(piece), self.capacity_bytes - start)
        self._bytes[start : start + first] = piece[:first]
        if first < len(piece):
            self._bytes[: len(piece) - first] = piece[first:]

    def _copy_out(self, position: int, length: int) -> bytes:
        start = position % self.capacity_bytes
        first = min(length, self.capacity_bytes - start)
        head = bytes(self._bytes[start : start + first])
        return head if first == length else head + bytes(self._bytes[: length - first])


class AudioRing:
    """Samples by absolute engine time, from the engine to the sink.

    The writer never waits for the reader: what is overwritten before it was read is gone, and the reader
    can tell. `read_sample` is the sink's clock.
    """

    def __init__(self, region: Region, channels: int) -> None:
        self._head = region.view[:HEADER_BYTES].cast("q")  # 0 written, 1 read
        flat = np.frombuffer(region.view[HEADER_BYTES:], dtype=np.float32)
        self.channels = channels
        self.capacity_samples = flat.shape[0] // channels
        self._samples = flat[: self.capacity_samples * channels].reshape(self.capacity_samples, channels)

    @staticmethod
    def size_bytes(channels: int, capacity_samples: int) -> int:
        """Return the region size a ring needs."""
        return HEADER_BYTES + 4 * channels * capacity_samples

    @property
    def write_sample(self) -> int:
        """Return the first sample that has not been written. [render thread]"""
        return self._head[0]

    @property
    def read_sample(self) -> int:
        """Return the first sample the sink has not asked for. [render thread]"""
        return self._head[1]

    @read_sample.setter
    def read_sample(self, sample: int) -> None:
        self._head[1] = sample

    def write(self, block: Audio) -> None:
        """Append a block, `[channels, samples]`. [render thread]"""
        count = block.shape[1]
        written = self._head[0]
        start = written % self.capacity_samples
        first = min(count, self.capacity_samples - start)
        self._samples[start : start + first] = block[:, :first].T
        if first < count:
            self._samples[: count - first] = block[:, first:].T
        self._head[0] = written + count

    def read(self, first_sample: int, out: Audio) -> int:
        """Copy what exists from `first_sample` on into `out` `[samples, channels]`; return how many."""
        written = self._head[0]
        count = int(max(min(out.shape[0], written - first_sample), 0))
        if count == 0 or first_sample < written - self.capacity_samples:
            return 0
        start = first_sample % self.capacity_samples
        head = min(count, self.capacity_samples - start)
        out[:head] = self._samples[start : start + head]
        if head < count:
            out[head:count] = self._samples[: count - head]
        return count
