"""Losses of sounds: nothing from itself, and what lies low is heard where a mean over bins hardly does."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from synthhost.train.stft_losses import multi_resolution_loss, octave_loss

RATE = 32000


def tone(hertz: float, level: float = 0.3) -> Tensor:
    times = np.arange(RATE // 2) / RATE
    return torch.from_numpy(level * np.sin(2 * np.pi * hertz * times)).float()[None]


@pytest.mark.parametrize("loss", [multi_resolution_loss, octave_loss])
def test_a_sound_is_nothing_from_itself_and_louder_is_further(loss) -> None:  # type: ignore[no-untyped-def]
    sound = tone(200.0) + 0.01 * torch.randn(1, RATE // 2, generator=torch.Generator().manual_seed(0))
    assert float(loss(sound, sound, (512, 2048))) == 0.0
    near, far = (float(loss(factor * sound, sound, (512, 2048))) for factor in (1.2, 2.0))
    assert 0.0 < near < far


def test_a_missing_low_tone_weighs_more_in_octaves_than_in_bins() -> None:
    floor = 0.02 * torch.randn(1, RATE // 2, generator=torch.Generator().manual_seed(1))
    whole, without = floor + tone(60.0), floor
    low = [float(loss(without, whole, (2048,))) for loss in (octave_loss, multi_resolution_loss)]
    whole = floor + tone(9000.0)
    high = [float(loss(without, whole, (2048,))) for loss in (octave_loss, multi_resolution_loss)]
    assert low[0] / high[0] > 2.0 * low[1] / high[1]


def test_its_gradient_is_finite_in_silence() -> None:
    silent = torch.zeros(1, 4096, requires_grad=True)
    octave_loss(silent, torch.zeros(1, 4096), (512,)).backward()
    assert torch.isfinite(silent.grad).all()  # type: ignore[union-attr]
