"""Sound of mel frames without anything learned, in real time: what a vocoder is measured beside.

Phases are sought for every frame that still reaches beyond what has sounded (after Zhu, Beauregard and Wyse
2007, real-time iterative spectrogram inversion with look-ahead): a block of sound is made as soon as the last
frame is there that reaches into it, and stays as it is.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.specs import MelSpec
from synthhost.features.filter_bank import filter_bank

_FITTINGS = 60
_ROUNDS = 12
_SMALL = 1e-9


def reconstructed(mel: Features, spec: MelSpec) -> Audio:
    """Return sound of log-mel frames, `[bands, frames]` -> `[samples]`, a hop a frame.

    A hop depends on no frame later than two after its own, where windows are four hops long.

    Args:
        mel: Natural logarithms of magnitudes.
        spec: How they were made; frames stand where jik876's trainer has them, and mirror nothing.
    """
    magnitudes = _magnitudes(np.exp(mel.astype(np.float64)), filter_bank(spec))
    size, hop = spec.n_fft, spec.hop_samples
    window, before = np.hanning(size + 1)[:-1], (size - hop) // 2
    reach = -(-before // hop)
    gain = hop / np.square(window).sum()
    frames = mel.shape[1]
    sounded = np.zeros(before + (frames + 2 * reach) * hop + size)  # frame m begins at m * hop
    parts = np.zeros((frames, size))
    angles = np.random.default_rng(0).uniform(0.0, 2.0 * np.pi, (2 * reach + 1, size // 2 + 1))
    unheard = _SMALL * np.exp(1j * angles)  # phases where there is no sound yet
    for block in range(frames):
        first, last = max(block - reach, 0), min(block + reach + 1, frames)
        settled = before + block * hop
        starts = hop * np.arange(first, last)
        places = starts[:, None] + np.arange(size)
        for _ in range(_ROUNDS):
            going_on = _added(parts[first:last], starts - starts[0], gain)
            begin = settled - starts[0]
            whole = sounded[starts[0] : starts[0] + going_on.size].copy()
            whole[begin:] = going_on[begin:]
            spectra = np.fft.rfft(whole[places - starts[0]] * window, axis=1)
            spectra += unheard[: last - first]
            spectra *= magnitudes[first:last] / np.abs(spectra)
            parts[first:last] = np.fft.irfft(spectra, size, axis=1) * window
        going_on = _added(parts[first:last], starts - starts[0], gain)
        begin = settled - starts[0]
        sounded[settled : settled + hop] = going_on[begin : begin + hop]
    return np.asarray(sounded[before : before + frames * hop], np.float32)


def _added(parts: NDArray[np.float64], starts: NDArray[np.int64], gain: float) -> NDArray[np.float64]:
    out = np.zeros(int(starts[-1]) + parts.shape[1])
    for part, start in zip(parts, starts, strict=True):
        out[start : start + part.size] += gain * part
    return out


def _magnitudes(mel: NDArray[np.float64], bank: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return magnitudes of no less than nothing that a filter bank makes such bands of, `[frames, bins]`."""
    found = np.maximum(mel.T @ bank, _SMALL)
    for _ in range(_FITTINGS):
        found *= (mel.T @ bank) / np.maximum(found @ bank.T @ bank, _SMALL)
    return found
