"""Harmonics and noise bands that follow frames: the sounding end of a network that plays notes.

Additive synthesis under a network's control as in DDSP (Engel and others 2020), with noise made of bands
that were filtered beforehand and repeat (Barahona-Rios and Collins 2023), each after another time, so that
nothing delays the sound and the whole does not repeat. A frame says all that a note remembers
(`core/note_frames.py`), so a stream remembers only the frame before, from which everything glides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.core.noise import uniforms
from synthhost.core.note_frames import (
    AIR,
    CYCLES,
    FRACTION,
    GAIN,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    PLACE,
    STRETCH,
    TILT,
    band_edges_hz,
)
from synthhost.streaming.block import Block, State

LOUDEST = 3.0
"""The largest logarithm of an amplitude that is followed."""

_FADES_FROM, _SILENT_FROM = 0.45, 0.5  # of the sample rate, where partials are left out
_LONGEST_NOISE = 1 << 16  # samples after which a band of noise repeats at most
_PLACES = 1 << 24
_SEED = 0x6E6F6973


@dataclass(slots=True)
class OscillatorState(State):
    """The frame before, `[batch, 1, channels]`."""

    before: Tensor


class Oscillators(Block[OscillatorState]):
    """Turns frames into samples, `hop_samples` of each; amplitudes and pitch glide through a frame.

    A frame holds the channels of the oscillators, the logarithms of the harmonics' amplitudes and those of
    the noise bands' root mean squares.

    Attributes:
        noise: Of every band, `[bands, samples]`, behind its length repeating from its start.
        lengths: After how many samples each band repeats.
    """

    out_channels = 1
    noise: Tensor

    def __init__(self, sample_rate: int, hop_samples: int, harmonics: int, bands: int) -> None:
        super().__init__()
        assert min(hop_samples, harmonics, bands) >= 1
        self.sample_rate = sample_rate
        self.hop_samples = hop_samples
        self.harmonics, self.bands = harmonics, bands
        self.in_channels = OSCILLATOR_CHANNELS + harmonics + bands
        self.lengths = _lengths(bands)
        edges = band_edges_hz(bands, sample_rate)
        noise = _noise(sample_rate, hop_samples, bands).copy()
        self.register_buffer("noise", torch.from_numpy(noise), persistent=False)
        self.middles_hz = tuple(float(middle) for middle in 0.5 * (edges[1:] + edges[:-1]))
        with torch.device("cpu"):  # where only shapes are asked for, their arithmetic would load sympy: 2 s
            count = torch.arange(1, harmonics + 1)
            self.register_buffer("_partials", count.double(), persistent=False)
            self.register_buffer("_octaves", torch.log2(count.float()), persistent=False)
            middles = torch.tensor(self.middles_hz, dtype=torch.float32)
            self.register_buffer("_middles", middles, persistent=False)
            glide = torch.arange(1, hop_samples + 1, dtype=torch.float64)
            self.register_buffer("_glide", glide, persistent=False)

    _partials: Tensor
    _octaves: Tensor
    _middles: Tensor
    _glide: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Turn a whole stream into sound, `[batch, channels, frames]` to `[batch, 1, samples]`."""
        frames = x.transpose(1, 2)
        before = torch.cat((torch.zeros_like(frames[:, :1]), frames[:, :-1]), 1)
        return self._sounds(before, frames).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> OscillatorState:
        """Return the state of a stream that has not begun."""
        return OscillatorState(batch, self.noise.new_zeros(batch, 1, self.in_channels or 0))

    def step(self, x: Tensor, state: OscillatorState) -> Tensor:
        """Turn the next frames into sound. [render thread]"""
        if not x.shape[1]:
            return x.new_empty(state.batch, 0, 1)
        before = torch.cat((state.before, x[:, :-1]), 1)
        state.before = x[:, -1:]
        return self._sounds(before, x)

    def finish(self, x: Tensor, state: OscillatorState) -> Tensor:
        """Turn the last frames into sound. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return how many samples are decided after `n_inputs` frames."""
        return n_inputs * self.hop_samples

    def total(self, n_inputs: int) -> int:
        """Return how many samples a stream of `n_inputs` frames has in all."""
        return n_inputs * self.hop_samples

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last frame that samples `first` to `last` depend on."""
        return first // self.hop_samples - 1, last // self.hop_samples

    def levels(self, frames: Tensor) -> Tensor:
        """Return the amplitude of every harmonic and band, `[batch, frames, harmonics + bands]`."""
        own = frames[..., :OSCILLATOR_CHANNELS]
        pitch = own[..., PITCH_HZ, None]
        places = self._places(own)
        octaves = torch.log2((self._middles / pitch.clamp(min=1.0)).clamp(min=1.0))
        octaves = torch.cat((self._octaves.to(frames).expand(*octaves.shape[:-1], -1), octaves), -1)
        highest = (torch.maximum(own[..., PITCH_FROM_HZ, None], pitch) * places.to(frames.dtype)) / (
            self.sample_rate
        )
        heard = ((_SILENT_FROM - highest) / (_SILENT_FROM - _FADES_FROM)).clamp(0.0, 1.0)
        air = own[..., AIR, None].expand(*heard.shape[:-1], self.bands)
        shape = torch.cat((heard, air), -1)
        tilt = torch.exp(octaves * own[..., TILT, None] * (math.log(10.0) / 20.0))
        learned = torch.exp(frames[..., OSCILLATOR_CHANNELS:].clamp(max=LOUDEST))
        return own[..., GAIN, None] * learned * shape * tilt

    def _places(self, own: Tensor) -> Tensor:
        """Return where the partials lie, in fundamentals, `[batch, frames, harmonics]`, float64."""
        stiff = own[..., STRETCH, None].double()
        return self._partials * torch.sqrt(1.0 + stiff * self._partials * self._partials)

    def _sounds(self, before: Tensor, frames: Tensor) -> Tensor:
        """Return the sound of frames, each with the one before it, `[batch, samples, 1]`. [render thread]"""
        batch, count, _ = frames.shape
        first, last = self.levels(before), self.levels(frames)
        glide = (self._glide / self.hop_samples).to(frames.dtype)
        levels = first[..., None] + (last - first)[..., None] * glide
        cycles = self._cycles(frames)[:, :, None] * self._places(frames)[..., None]
        waves = torch.sin((cycles - torch.floor(cycles)).to(frames.dtype) * (2.0 * math.pi))
        tonal = (levels[:, :, : self.harmonics] * waves).sum(2)
        noisy = (levels[:, :, self.harmonics :] * self._noise_at(frames)).sum(2)
        return (tonal + noisy).reshape(batch, count * self.hop_samples, 1)

    def _cycles(self, frames: Tensor) -> Tensor:
        """Return where the fundamental stands at every sample, in cycles, `[batch, frames, samples]`."""
        own = frames[..., :OSCILLATOR_CHANNELS, None].double()
        begun = own[..., CYCLES, :] + own[..., FRACTION, :]
        start_hz, end_hz = own[..., PITCH_FROM_HZ, :], own[..., PITCH_HZ, :]
        passed = self._glide
        seconds = passed * start_hz + passed * passed * (end_hz - start_hz) / (2.0 * self.hop_samples)
        return begun + seconds / self.sample_rate

    def _noise_at(self, frames: Tensor) -> Tensor:
        """Return the noise of every band, `[batch, frames, bands, samples]`. [render thread]"""
        told = frames[..., PLACE, None]
        known = (told >= 0.0) & (told < _PLACES)  # or is no number
        begins = torch.where(known, told, 0.0).long() % torch.tensor(self.lengths, device=frames.device)
        places = begins[..., None] + torch.arange(self.hop_samples, device=frames.device)
        bands = torch.arange(self.bands, device=frames.device)[:, None]
        return self.noise[bands, places]


def _lengths(bands: int) -> tuple[int, ...]:
    """Return after how many samples each band repeats: odd, and each shorter than the one before.

    They have small factors, so that a spectrum is turned into sound at once.
    """
    smooth = (length for length in range(_LONGEST_NOISE - 1, 0, -2) if _is_smooth(length))
    return tuple(islice(smooth, bands))


def _is_smooth(number: int) -> bool:
    for factor in (3, 5, 7, 11):
        while number % factor == 0:
            number //= factor
    return number == 1


@lru_cache(maxsize=8)
def _noise(sample_rate: int, hop_samples: int, bands: int) -> NDArray[np.float32]:
    """Return every band's noise, `[bands, samples]`; a model is laid several times while it is loaded."""
    lengths, edges = _lengths(bands), band_edges_hz(bands, sample_rate) / sample_rate
    noise = np.zeros((bands, max(lengths) + hop_samples), np.float32)
    for band, length in enumerate(lengths):
        noise[band] = np.resize(_band_noise(band, length, edges[band], edges[band + 1]), noise.shape[1])
    return noise


def _band_noise(band: int, length: int, low: float, high: float) -> NDArray[np.float32]:
    """Return periodic noise between two frequencies, in parts of the sample rate, as loud as 1."""
    bins = length // 2 + 1
    first = math.ceil(low * length)
    last = min(max(math.ceil(high * length), first + 1), bins)
    spectrum = np.zeros(bins, np.complex128)
    turns = uniforms(_SEED, band, 0, last - first)
    spectrum[first:last] = np.exp(2j * np.pi * turns)
    spectrum[0] = 0.0
    noise = np.fft.irfft(spectrum, length)
    return np.asarray(noise / np.sqrt(np.mean(noise**2)), dtype=np.float32)
