"""Losses between sounds: magnitudes over several windows, and the level's course."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

_FLOOR = 1e-4
_HEARD = 3e-4  # of full scale


def multi_resolution_loss(
    made: Tensor, wanted: Tensor, fft_sizes: tuple[int, ...], quietest: float = _FLOOR
) -> Tensor:
    """Return the mean over windows of linear and log magnitude differences, both `[batch, samples]`.

    As in Yamamoto, Song, Kim 2020, with the linear part as a plain mean over the sound's own, and `quietest`:
    a ratio to its norm grows without bounds in silence.
    """
    total = made.new_zeros(())
    for size in fft_sizes:
        window = torch.hann_window(size, device=made.device, dtype=made.dtype)
        first, second = (_magnitudes(sound, size, window) for sound in (made, wanted))
        scale = second.mean(dim=(1, 2), keepdim=True) + quietest
        linear = ((first - second).abs() / scale).mean()
        logarithmic = (torch.log(first + _FLOOR) - torch.log(second + _FLOOR)).abs().mean()
        total = total + linear + logarithmic
    return total / len(fft_sizes)


def octave_loss(made: Tensor, wanted: Tensor, fft_sizes: tuple[int, ...]) -> Tensor:
    """Return the mean difference of log levels in bands of a third of an octave, both `[batch, samples]`.

    A plain mean over bins hears little of what lies low: half of all bins are the highest octave.
    """
    total = made.new_zeros(())
    for size in fft_sizes:
        window = torch.hann_window(size, device=made.device, dtype=made.dtype)
        bands = _thirds(size // 2 + 1).to(made)
        first, second = (
            torch.log(torch.sqrt(bands @ _magnitudes(sound, size, window).square() + 1e-12) + _HEARD)
            for sound in (made, wanted)
        )
        total = total + (first - second).abs().mean()
    return total / len(fft_sizes)


def _thirds(bins: int) -> Tensor:
    """Return what takes the mean power of bands, `[bands, bins]`; the lowest have a bin each."""
    edges = [1]
    while edges[-1] < bins:
        edges.append(min(max(edges[-1] + 1, round(edges[-1] * 2.0 ** (1.0 / 3.0))), bins))
    bands = torch.zeros(len(edges) - 1, bins)
    for band, (first, last) in enumerate(pairwise(edges)):
        bands[band, first:last] = 1.0 / (last - first)
    return bands


def _magnitudes(sound: Tensor, size: int, window: Tensor) -> Tensor:
    spectrum = torch.stft(sound, size, size // 4, window=window, return_complex=True)
    return torch.sqrt(spectrum.real.square() + spectrum.imag.square() + 1e-12) / window.sum()
