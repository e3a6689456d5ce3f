"""Pictures of sounds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError

_FFT, _HOP = 2048, 512
_RANGE_DB = 90.0
_MOST_COLUMNS = 2400


def spectrogram(sound: Audio, sample_rate: int, path: Path, title: str = "") -> None:
    """Write the spectrogram of a sound, `[samples]`, as a PNG file: dB over time and frequency.

    Raises:
        TrainingError: Matplotlib, which draws it, is not there.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise TrainingError("Pictures need Matplotlib: pip install 'synthhost[train]'.") from error
    hop = max(_HOP, sound.shape[0] // _MOST_COLUMNS)
    padded = np.concatenate([np.asarray(sound, np.float32), np.zeros(_FFT, np.float32)])
    pieces = np.lib.stride_tricks.sliding_window_view(padded, _FFT)[::hop]
    levels = 20.0 * np.log10(np.abs(np.fft.rfft(pieces * np.hanning(_FFT))).T / (_FFT / 4) + 1e-7)
    figure = Figure(figsize=(14.0, 5.0), layout="constrained")
    axes = figure.subplots()
    top = float(levels.max())
    image = axes.imshow(
        levels,
        origin="lower",
        aspect="auto",
        cmap="magma",
        vmin=top - _RANGE_DB,
        vmax=top,
        extent=(0.0, sound.shape[0] / sample_rate, 0.0, sample_rate / 2000.0),
    )
    axes.set_xlabel("s")
    axes.set_ylabel("kHz")
    axes.set_title(title)
    figure.colorbar(image, label="dB")
    figure.savefig(path, dpi=100)
