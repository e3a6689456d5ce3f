from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from synthhost.core.board import (
    BLOCK_BUCKETS,
    MAX_TRACKS,
    STATUS_FIELDS,
    JsonBoard,
    StatusPage,
    block_bucket,
    block_quantile_ms,
)
from synthhost.core.region import Region


@pytest.fixture
def region(tmp_path: Path) -> Region:
    return Region.create(tmp_path / "board", 1 << 16)


def test_a_board_without_a_value_says_none(region: Region) -> None:
    assert JsonBoard(region).read() is None


def test_the_last_value_is_read_whole_and_the_version_grows(region: Region) -> None:
    board = JsonBoard(region)
    versions = [board.version]
    for value in ({"long": "x" * 1000}, {"a": [1, 2.5, None]}):
        board.write(value)
        assert board.read() == value
        versions.append(board.version)
    assert versions == sorted(set(versions))
    assert all(version % 2 == 0 for version in versions)


def test_a_description_too_large_is_our_mistake(region: Region) -> None:
    with pytest.raises(AssertionError, match="too small"):
        JsonBoard(region).write("x" * (1 << 16))


REWRITE = """
import sys
from pathlib import Path
from synthhost.core.board import JsonBoard
from synthhost.core.region import Region

board = JsonBoard(Region.open(Path(sys.argv[1])))
for number in range(3_000):
    board.write([number] * (1 + number % 500))
"""


def test_a_reader_never_sees_half_a_value(tmp_path: Path) -> None:
    path = tmp_path / "shared"
    board = JsonBoard(Region.create(path, 1 << 16))
    board.write([-1])
    writer = subprocess.Popen([sys.executable, "-c", REWRITE, str(path)])
    last = -1
    while last < 2_999:
        assert not writer.poll(), "the writer died"
        value = board.read()
        assert value == [value[0]] * (1 + max(value[0], 0) % 500)
        assert value[0] >= last
        last = value[0]
    assert writer.wait() == 0


def test_status_numbers_keep_their_place_and_type(tmp_path: Path) -> None:
    region = Region.create(tmp_path / "status", STATUS_FIELDS.itemsize)
    writer, reader = StatusPage(region), StatusPage(Region.open(tmp_path / "status"))
    writer["sample"] = 1 << 40
    writer["worst_late_ms"] = 1.25
    writer["master_peak"] = (0.5, 0.25)
    writer.track(MAX_TRACKS - 1)["peak"] = (1.0, 2.0)
    assert (reader["sample"], reader["worst_late_ms"]) == (1 << 40, 1.25)
    np.testing.assert_array_equal(reader["master_peak"], [0.5, 0.25])
    np.testing.assert_array_equal(reader.track(MAX_TRACKS - 1)["peak"], [1.0, 2.0])
    assert reader.track(0)["peak"].sum() == 0


def test_every_number_can_be_shown_as_json(tmp_path: Path) -> None:
    page = StatusPage(Region.create(tmp_path / "status", STATUS_FIELDS.itemsize))
    names = [name for name in STATUS_FIELDS.names or () if name != "tracks"]
    assert json.dumps({name: page[name].tolist() for name in names})


@pytest.mark.parametrize("spent_ms", [0.01, 0.05, 0.3, 5.0, 92.9, 1e6])
def test_a_quantile_of_block_times_is_right_within_a_bucket(spent_ms: float) -> None:
    times = np.zeros(BLOCK_BUCKETS, dtype=np.int64)
    times[block_bucket(spent_ms)] += 10
    found_ms = block_quantile_ms(times, 0.999)
    assert found_ms == pytest.approx(min(max(spent_ms, 0.05), 0.05 * 2**16), rel=0.1)
