"""What the processes show each other: numbers that change every block, a description that rarely does."""

from __future__ import annotations

import json
import math
from time import sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.region import Region

MAX_TRACKS = 32
BLOCK_BUCKETS = 128
_FIRST_BUCKET_MS = 0.05
_BUCKETS_PER_DOUBLING = 8
_READ_TRIES = 200
_READ_GAP_S = 0.001

TRACK_FIELDS = np.dtype(
    [
        ("peak", np.float32, 2),
        ("rms", np.float32, 2),
        ("cue_peak", np.float32),
        ("held_frames", np.int64),
    ]
)

STATUS_FIELDS = np.dtype(
    [
        # the engine's
        ("sample", np.int64),
        ("blocks", np.int64),
        ("late_blocks", np.int64),
        ("worst_late_ms", np.float64),
        ("load", np.float64),
        ("worst_block_ms", np.float64),
        ("block_times", np.int64, BLOCK_BUCKETS),
        ("commands", np.int64),
        ("late_commands", np.int64),
        ("worst_command_late_ms", np.float64),
        ("refused_commands", np.int64),
        ("merged_cuts", np.int64),
        ("queued_commands", np.int64),
        ("bad_samples", np.int64),
        ("reduction_db", np.float64),
        ("recording", np.int64),
        ("tap_drops", np.int64),
        ("lost_events", np.int64),
        ("realtime", np.int64),
        ("ahead_samples", np.int64),
        ("engine_beat_ns", np.int64),
        ("engine_ready", np.int64),
        ("master_peak", np.float32, 2),
        ("master_rms", np.float32, 2),
        ("tracks", TRACK_FIELDS, MAX_TRACKS),
        # the sink's
        ("sink_sample", np.int64),
        ("sink_clock_ns", np.int64),
        ("sink_beat_ns", np.int64),
        ("sink_ready", np.int64),
        ("underruns", np.int64),
        ("concealed_samples", np.int64),
        ("resyncs", np.int64),
        ("device_latency_ms", np.float64),
        ("device_flags", np.int64),
        # the control's
        ("control_beat_ns", np.int64),
        ("control_ready", np.int64),
        ("packets", np.int64),
        ("malformed", np.int64),
        ("messages", np.int64),
        ("rejected", np.int64),
        ("osc_port", np.int64),
        # the supervisor's
        ("stop", np.int64),
        ("sink_restarts", np.int64),
        ("control_restarts", np.int64),
    ],
    align=True,
)


def block_bucket(spent_ms: float) -> int:
    """Return the bucket of `block_times` that a block's work falls into, 9 % wide each. [render thread]"""
    place = _BUCKETS_PER_DOUBLING * math.log2(max(spent_ms, _FIRST_BUCKET_MS) / _FIRST_BUCKET_MS)
    return min(int(place), BLOCK_BUCKETS - 1)


def block_quantile_ms(block_times: NDArray[np.int64], share: float) -> float:
    """Return the work in ms that a share of all blocks stayed under (the upper edge of its bucket)."""
    total = int(block_times.sum())
    if total == 0:
        return 0.0
    bucket = int(np.searchsorted(np.cumsum(block_times), share * total))
    return float(_FIRST_BUCKET_MS * 2.0 ** ((bucket + 1) / _BUCKETS_PER_DOUBLING))


class StatusPage:
    """Named numbers in shared memory; each has one writer (the groups in `STATUS_FIELDS`)."""

    def __init__(self, region: Region) -> None:
        self._record = np.frombuffer(region.view, dtype=STATUS_FIELDS, count=1)

    def __getitem__(self, field: str) -> Any:
        return self._record[field][0]

    def __setitem__(self, field: str, value: Any) -> None:
        self._record[field][0] = value

    def track(self, index: int) -> Any:
        """Return the record of one track, by its place in the set. [render thread]"""
        return self._record["tracks"][0][index]


class JsonBoard:
    """A JSON value that one process rewrites now and then and others read whole (a sequence lock)."""

    def __init__(self, region: Region) -> None:
        self._head = region.view[:64].cast("q")  # 0 version (odd while writing), 1 length
        self._bytes = region.view[64:]

    @property
    def version(self) -> int:
        """Return a number that grows with every write."""
        return self._head[0]

    def write(self, value: Any) -> None:
        """Replace the value."""
        body = json.dumps(value).encode()
        assert len(body) <= len(self._bytes), "the board is too small for its description"
        self._head[0] += 1
        self._bytes[: len(body)] = body
        self._head[1] = len(body)
        self._head[0] += 1

    def read(self) -> Any:
        """Return the value, or None when nothing whole has been written yet."""
        for _ in range(_READ_TRIES):
            before = self._head[0]
            body = bytes(self._bytes[: self._head[1]])
            if before % 2 == 0 and before == self._head[0]:
                return json.loads(body) if body else None
            sleep(_READ_GAP_S)
        return None  # its writer died while writing
