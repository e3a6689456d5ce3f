"""The mean and scale kan-bayashi/ParallelWaveGAN keeps beside a checkpoint: `stats.h5` or `stats.npy`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.checkpoints.hdf5 import read_arrays
from synthhost.core.errors import CheckpointError

_MAX_FILE_BYTES = 16 * 1024**2


def read_statistics(places: tuple[Path, ...], form: str | None, bands: int) -> dict[str, Tensor]:
    """Return `stats.mean` and `stats.scale`, `[bands]` each.

    Args:
        places: Folders to look in, in order.
        form: The configuration's `format`: "npy" or "hdf5"; the other is taken where that is not there.
        bands: Of a frame.

    Raises:
        CheckpointError: They are not there, or are no such numbers.
    """
    names = ("stats.npy", "stats.h5") if form == "npy" else ("stats.h5", "stats.npy")
    paths = [place / name for name in names for place in places]
    path = next((path for path in paths if path.is_file()), None)
    if path is None:
        raise CheckpointError(
            f"{places[0]}: there is no {names[0]} beside the checkpoint, and the weights do not hold the "
            "mean and the scale its features were standardised by. Put the file there; its trainer wrote it "
            "into the folder of the dumped features."
        )
    mean, scale = _npy(path) if path.suffix == ".npy" else _hdf5(path)
    _check(path, mean, scale, bands)
    return {"stats.mean": _tensor(mean), "stats.scale": _tensor(scale)}


def _hdf5(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    arrays = read_arrays(path)
    if not {"mean", "scale"} <= arrays.keys():
        raise CheckpointError(f"{path}: holds no 'mean' and 'scale'. Take the file its trainer wrote.")
    return arrays["mean"].reshape(-1), arrays["scale"].reshape(-1)


def _npy(path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two rows of an array file; nothing in it is run."""
    if path.stat().st_size > _MAX_FILE_BYTES:
        raise CheckpointError(f"{path}: is larger than statistics need; it was not read.")
    try:
        rows: Any = np.load(path, allow_pickle=False)
        plain = np.asarray(rows, dtype=np.float64)
    except (OSError, ValueError, TypeError, EOFError, MemoryError) as error:
        why = str(error)[:80]
        raise CheckpointError(f"{path}: is no array of numbers ({why}). Fetch it again.") from error
    if plain.ndim != 2 or plain.shape[0] != 2:
        raise CheckpointError(
            f"{path}: has the shape {list(plain.shape)}; row 0 must be the mean and row 1 the scale."
        )
    return plain[0], plain[1]


def _check(path: Path, mean: NDArray[np.float64], scale: NDArray[np.float64], bands: int) -> None:
    if mean.shape != (bands,) or scale.shape != (bands,):
        raise CheckpointError(
            f"{path}: holds {mean.size} means and {scale.size} scales, but the network takes {bands} bands. "
            "Take the file of this very checkpoint."
        )
    if not (np.isfinite(mean).all() and np.isfinite(scale).all() and (scale > 0).all()):
        raise CheckpointError(
            f"{path}: a mean or scale is no number, or no positive scale. Take the file its trainer wrote."
        )


def _tensor(values: NDArray[np.float64]) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
