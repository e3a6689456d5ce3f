from __future__ import annotations

import itertools
import subprocess
import sys
import tempfile
from collections import deque
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.errors import ProcessError
from synthhost.core.region import Region
from synthhost.core.rings import HEADER_BYTES, AudioRing, ByteRing


def byte_ring(capacity_bytes: int) -> ByteRing:
    with tempfile.TemporaryDirectory() as folder:
        return ByteRing(Region.create(Path(folder) / "ring", HEADER_BYTES + capacity_bytes))


def audio_ring(channels: int, capacity: int) -> AudioRing:
    with tempfile.TemporaryDirectory() as folder:
        region = Region.create(Path(folder) / "ring", AudioRing.size_bytes(channels, capacity))
        return AudioRing(region, channels)


@given(st.lists(st.one_of(st.none(), st.binary(max_size=60)), max_size=80), st.integers(8, 150))
def test_a_ring_is_a_bounded_queue_of_records(steps: list[bytes | None], capacity: int) -> None:
    ring, model, refused = byte_ring(capacity), deque[bytes](), 0
    for record in steps:
        if record is None:
            assert ring.peek() == (model[0] if model else None)
            assert ring.pop() == (model.popleft() if model else None)
            continue
        fits = sum(4 + len(each) for each in model) + 4 + len(record) <= capacity
        assert ring.push(record) is fits
        if fits:
            model.append(record)
        refused += not fits
    assert ring.refused == refused
    assert ring.filled_bytes == sum(4 + len(each) for each in model)


WRITE_NUMBERS = """
import sys
from pathlib import Path
from synthhost.core.region import Region
from synthhost.core.rings import ByteRing

ring = ByteRing(Region.open(Path(sys.argv[1])))
for number in range(5_000):
    while not ring.push(number.to_bytes(4, "big") * (1 + number % 40)):
        pass
"""


def test_records_arrive_whole_and_in_order_from_another_process(tmp_path: Path) -> None:
    path = tmp_path / "ring"
    ring = ByteRing(Region.create(path, HEADER_BYTES + 1000))
    writer = subprocess.Popen([sys.executable, "-c", WRITE_NUMBERS, str(path)])
    for number in range(5_000):
        while (record := ring.pop()) is None:
            assert not writer.poll(), "the writer died"
        assert record == number.to_bytes(4, "big") * (1 + number % 40)
    assert writer.wait() == 0


@given(st.lists(st.integers(0, 40), min_size=1, max_size=30), st.integers(1, 3))
def test_audio_is_found_by_its_sample_until_it_is_overwritten(sizes: list[int], channels: int) -> None:
    capacity = 64
    ring = audio_ring(channels, capacity)
    written = 0
    for size in sizes:
        number = np.arange(written, written + size, dtype=np.float32)
        ring.write(np.stack([number + 1000 * channel for channel in range(channels)]))
        written += size
        first = max(written - capacity, 0)
        out = np.full((capacity + 8, channels), -1.0, np.float32)
        count = ring.read(first, out)
        assert count == written - first
        for channel in range(channels):
            np.testing.assert_array_equal(out[:count, channel], np.arange(first, written) + 1000 * channel)
        assert (out[count:] == -1.0).all()
    assert ring.write_sample == written


def test_audio_that_is_gone_or_not_there_yet_is_not_read() -> None:
    ring = audio_ring(1, 16)
    for _ in itertools.repeat(None, 4):
        ring.write(np.ones((1, 8), np.float32))
    out = np.zeros((4, 1), np.float32)
    assert ring.read(15, out) == 0
    assert ring.read(32, out) == 0
    assert ring.read(30, out) == 2
    ring.read_sample = 30
    assert ring.read_sample == 30


def test_a_region_is_made_once_and_found_by_name(tmp_path: Path) -> None:
    made = Region.create(tmp_path / "r", 100)
    made.view[3] = 7
    assert Region.open(tmp_path / "r").view[3] == 7
    with pytest.raises(ProcessError, match="cannot be made"):
        Region.create(tmp_path / "r", 100)
    with pytest.raises(ProcessError, match="not there"):
        Region.open(tmp_path / "absent")
