"""Pictures of sounds."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError

_FFT, _HOP = 2048, 256
_RANGE_DB = 90.0
_LEAST_TOP_DB = -50.0  # so that silence is dark
_MOST_COLUMNS = 1200
_NO_MATPLOTLIB = "Pictures need Matplotlib: pip install -e '.[train]' in synthhost's folder."
_WIDTH, _HEIGHT = 14.0, 3.6


def spectrogram(sound: Audio, sample_rate: int, path: Path, title: str = "") -> None:
    """Write the spectrogram of a sound, `[samples]`, as a PNG file: dB over time and frequency.

    Raises:
        TrainingError: Matplotlib, which draws it, is not there.
    """
    spectrograms({title: (sound, sample_rate)}, path)


def check_drawing() -> None:
    """Refuse to go on where nothing can be drawn.

    Raises:
        TrainingError: Matplotlib is not there.
    """
    if find_spec("matplotlib") is None:
        raise TrainingError(_NO_MATPLOTLIB)


def spectrograms(sounds: Mapping[str, tuple[Audio, int]], path: Path) -> None:
    """Write the spectrograms of sounds, with their sample rates, below each other; as `spectrogram`."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TrainingError(_NO_MATPLOTLIB) from error
    figure = Figure(figsize=(_WIDTH, _HEIGHT * len(sounds) + 1.0), layout="constrained")
    rows: Any = figure.subplots(len(sounds), 1, squeeze=False)
    highest = max(rate for _, rate in sounds.values()) / 2000.0
    for axes, (title, (sound, sample_rate)) in zip(rows[:, 0], sounds.items(), strict=True):
        levels = _levels(np.asarray(sound, np.float32))
        top = max(float(levels.max()), _LEAST_TOP_DB)
        image = axes.imshow(
            levels,
            origin="lower",
            aspect="auto",
            cmap="magma",
            vmin=top - _RANGE_DB,
            vmax=top,
            extent=(0.0, sound.shape[0] / sample_rate, 0.0, sample_rate / 2000.0),
        )
        axes.set_ylim(0.0, highest)
        axes.set_ylabel("kHz")
        axes.set_title(title)
        figure.colorbar(image, ax=axes, label="dB")
    rows[-1, 0].set_xlabel("s")
    figure.savefig(path, dpi=90)


def _levels(sound: Audio) -> NDArray[np.float32]:
    """Return dB, `[bins, columns]`; a column is the loudest of the moments that it stands for."""
    padded = np.concatenate([sound, np.zeros(_FFT, np.float32)])
    starts = np.arange(0, sound.shape[0], _HOP)
    together = -(-starts.shape[0] // _MOST_COLUMNS)
    window = np.hanning(_FFT).astype(np.float32)
    columns = []
    for first in range(0, starts.shape[0], together):
        pieces = padded[starts[first : first + together, None] + np.arange(_FFT)] * window
        columns.append(np.abs(np.fft.rfft(pieces)).max(0))
    magnitudes = np.stack(columns, 1) / (_FFT / 4)
    return np.asarray(20.0 * np.log10(magnitudes + 1e-7), dtype=np.float32)
