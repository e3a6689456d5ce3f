"""Statistics out of an HDF5 file that h5py wrote; whatever else is refused with the way out."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest

from synthhost.checkpoints.hdf5 import read_arrays
from synthhost.core.errors import CheckpointError

STATS = Path(__file__).resolve().parents[1] / "golden" / "statistics" / "stats.h5"
MEAN = np.linspace(-2, 1, 10, dtype=np.float32)
SCALE = np.linspace(0.5, 1.5, 10, dtype=np.float32)


def changed(folder: Path, at: int, values: bytes) -> Path:
    """Write the file with a few bytes changed."""
    content = bytearray(STATS.read_bytes())
    content[at : at + len(values)] = values
    (folder / "stats.h5").write_bytes(content)
    return folder / "stats.h5"


def test_arrays_are_read_as_they_were_written() -> None:
    arrays = read_arrays(STATS)
    assert list(arrays) == ["mean", "scale"]
    assert np.array_equal(arrays["mean"], MEAN)
    assert np.array_equal(arrays["scale"], SCALE)


@pytest.mark.parametrize(
    ("at", "values", "words"),
    [
        (0, b"PK", "no HDF5 file"),
        (8, b"\x02", "newer version of HDF5"),
        (24, b"\x01", "kept in another way"),
        (0x88, b"XXXX", "table of names is damaged"),
        (0x8E, b"\xff\xff", "too many objects"),
    ],
)
def test_another_form_is_refused_with_the_way_out(tmp_path: Path, at: int, values: bytes, words: str) -> None:
    with pytest.raises(CheckpointError, match=rf"{words}.*numpy\.save\('stats\.npy'"):
        read_arrays(changed(tmp_path, at, values))


def test_a_file_cut_short_anywhere_is_refused_or_read_whole(tmp_path: Path) -> None:
    content = STATS.read_bytes()
    for length in range(0, len(content), 97):
        path = tmp_path / "stats.h5"
        path.write_bytes(content[:length])
        try:
            arrays = read_arrays(path)
        except CheckpointError:
            continue
        assert list(arrays) == ["mean", "scale"]


def test_damage_is_refused_and_never_followed(tmp_path: Path) -> None:
    content, chance = STATS.read_bytes(), random.Random(1)
    path = tmp_path / "stats.h5"
    for _ in range(600):
        damaged = bytearray(content)
        for _ in range(chance.choice([1, 2, 9])):
            damaged[chance.randrange(0x400)] = chance.choice([0, 1, 255, chance.randrange(256)])
        path.write_bytes(damaged)
        try:
            arrays = read_arrays(path)
        except CheckpointError:
            continue
        assert sum(array.size for array in arrays.values()) < 1 << 20


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"stats\.h5: cannot be read"):
        read_arrays(tmp_path / "stats.h5")
