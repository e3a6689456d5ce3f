"""Losses between sounds: magnitudes over several windows, and the level's course."""

from __future__ import annotations

import torch
from torch import Tensor

_FLOOR = 1e-4


def multi_resolution_loss(made: Tensor, wanted: Tensor, fft_sizes: tuple[int, ...]) -> Tensor:
    """Return the mean over windows of linear and log magnitude differences, both `[batch, samples]`.

    As in Yamamoto, Song, Kim 2020, with the linear part as a plain mean: its ratio to the sound's own norm
    grows without bounds in silence.
    """
    total = made.new_zeros(())
    for size in fft_sizes:
        window = torch.hann_window(size, device=made.device, dtype=made.dtype)
        first, second = (_magnitudes(sound, size, window) for sound in (made, wanted))
        scale = second.mean(dim=(1, 2), keepdim=True) + _FLOOR
        linear = ((first - second).abs() / scale).mean()
        logarithmic = (torch.log(first + _FLOOR) - torch.log(second + _FLOOR)).abs().mean()
        total = total + linear + logarithmic
    return total / len(fft_sizes)


def _magnitudes(sound: Tensor, size: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(sound, size, size // 4, window=window, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-12) / window.sum()
