"""A picture of a sound is bright where it is loud, and dark where there is nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthhost.train.pictures import spectrogram

RATE = 8000


def brightness(sound: np.ndarray, path: Path) -> float:
    image = pytest.importorskip("matplotlib.image", reason="pictures need Matplotlib")
    spectrogram(sound, RATE, path)
    pixels = image.imread(path)[:, :, :3]
    middle = pixels[pixels.shape[0] // 3 : pixels.shape[0] // 2, pixels.shape[1] // 4 : pixels.shape[1] // 2]
    return float(middle.mean())


def test_silence_is_dark_and_noise_is_not(tmp_path: Path) -> None:
    silence = np.zeros(2 * RATE, np.float32)
    noise = np.random.default_rng(0).standard_normal(2 * RATE).astype(np.float32)
    assert brightness(silence, tmp_path / "silence.png") < 0.05
    assert brightness(noise, tmp_path / "noise.png") > 0.3
