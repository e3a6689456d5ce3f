"""The mean and scale beside a checkpoint, in both forms."""

from __future__ import annotations

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from synthhost.checkpoints.statistics import read_statistics
from synthhost.core.errors import CheckpointError

STATS = Path(__file__).resolve().parents[1] / "golden" / "statistics" / "stats.h5"
ROWS = np.stack([np.linspace(-2, 1, 10), np.linspace(0.5, 1.5, 10)]).astype(np.float32)


def test_both_forms_give_the_same(tmp_path: Path) -> None:
    np.save(tmp_path / "stats.npy", ROWS)
    from_npy = read_statistics((tmp_path,), "npy", 10)
    (tmp_path / "stats.npy").unlink()
    shutil.copy(STATS, tmp_path)
    from_hdf5 = read_statistics((tmp_path,), "npy", 10)  # the other form, where that one is not there
    for name, row in (("stats.mean", ROWS[0]), ("stats.scale", ROWS[1])):
        assert from_npy[name].dtype == torch.float32
        assert np.array_equal(from_npy[name], row)
        assert np.array_equal(from_hdf5[name], row)


def test_they_may_lie_beside_the_configuration(tmp_path: Path) -> None:
    shutil.copy(STATS, tmp_path)
    assert read_statistics((tmp_path / "elsewhere", tmp_path), None, 10)["stats.mean"].shape == (10,)


def test_missing_ones_are_asked_for(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"there is no stats\.h5 beside the checkpoint.*Put the file there"
    ):
        read_statistics((tmp_path,), "hdf5", 10)


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (ROWS[:, :9], "holds 9 means and 9 scales, but the network takes 10"),
        (ROWS[0], "row 0 must be the mean"),
        (np.stack([ROWS[0], ROWS[1] * 0]), "no positive scale"),
        (np.stack([ROWS[0] * np.nan, ROWS[1]]), "is no number"),
        (np.array([["a"] * 10] * 2), "is no array of numbers"),
    ],
)
def test_what_are_no_statistics_is_refused(tmp_path: Path, rows: np.ndarray, words: str) -> None:
    np.save(tmp_path / "stats.npy", rows)
    with pytest.raises(CheckpointError, match=words):
        read_statistics((tmp_path,), "npy", 10)


def test_a_pickle_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "stats.npy").write_bytes(pickle.dumps({"mean": 1}))
    with pytest.raises(CheckpointError, match="is no array of numbers"):
        read_statistics((tmp_path,), "npy", 10)
