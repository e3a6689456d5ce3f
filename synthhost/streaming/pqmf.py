"""The pseudo quadrature mirror filter bank that joins the bands of a multi-band vocoder.

A prototype low-pass, windowed by Kaiser's window, is moved to the middle of each band by a cosine (Nguyen
1994; Lin and Vaidyanathan 1998), with the phases of kan-bayashi/ParallelWaveGAN. The filters follow from four
numbers and are in no checkpoint.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.streaming.transposed import ConvTranspose


def synthesis_filters(bands: int, taps: int, cutoff: float, beta: float) -> NDArray[np.float64]:
    """Return the filter of every band, `[bands, taps + 1]`; those of the analysis are these backwards.

    Args:
        bands: Equally wide, the lowest first.
        taps: The filters' order; even.
        cutoff: Of the prototype, as a part of half the sample rate.
        beta: Of Kaiser's window.
    """
    assert taps % 2 == 0, taps
    place = np.arange(taps + 1) - taps / 2
    prototype = cutoff * np.sinc(cutoff * place) * np.kaiser(taps + 1, beta)
    band = np.arange(bands)[:, None]
    phase = (-1.0) ** band * np.pi / 4
    return np.asarray(2 * prototype * np.cos((2 * band + 1) * np.pi / (2 * bands) * place - phase))


class PqmfSynthesis(ConvTranspose):
    """The bands of a sound, each at the rate divided by their number, become the sound: `[bands]` to `[1]`.

    Every band is filled up with zeros to the full rate, made as loud again, filtered and summed. Zeros stand
    before and after; nothing is delayed. The weights are designed, not loaded.
    """

    def __init__(self, bands: int, taps: int, cutoff: float, beta: float) -> None:
        super().__init__(bands, 1, taps + 1, bands, padding=taps // 2, output_padding=bands - 1, bias=False)
        filters = bands * synthesis_filters(bands, taps, cutoff, beta)[:, ::-1]
        with torch.no_grad():
            self.weight.copy_(torch.from_numpy(filters.astype(np.float32))[:, None])
        self.weight.requires_grad_(False)
