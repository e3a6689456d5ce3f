"""Pitch frame by frame into the frames that oscillators follow: cycles go on where the last frame ended."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from synthhost.core.draws import Draws
from synthhost.core.note_frames import (
    AIR,
    FRACTION,
    GAIN,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    PLACE,
)
from synthhost.streaming.block import Block, State

PLACES = 1 << 16
"""Samples of noise after which its place begins anew."""


@dataclass(slots=True)
class TurnsState(State):
    """The last frame, `[batch, 0 or 1, OSCILLATOR_CHANNELS]`."""

    last: Tensor


class Turns(Block[TurnsState]):
    """Makes pitches, octaves above 1 Hz, one channel, into oscillators' frames that glide to the next.

    A frame says all that the next one needs, in float32 as it is handed on, so any chunking gives the same.
    """

    in_channels = 1
    out_channels = OSCILLATOR_CHANNELS

    def __init__(self, sample_rate: int, hop_samples: int, lowest_hz: float, highest_hz: float) -> None:
        super().__init__()
        assert 0.0 < lowest_hz <= highest_hz < sample_rate / 2
        assert 1 <= hop_samples < PLACES
        self.sample_rate, self.hop_samples = sample_rate, hop_samples
        self.lowest_hz, self.highest_hz = lowest_hz, highest_hz

    def forward(self, x: Tensor) -> Tensor:
        """Turn a whole stream, `[batch, 1, frames]`."""
        return self._frames(x.transpose(1, 2), None).transpose(1, 2)

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> TurnsState:
        """Return the state of a stream that has not begun."""
        return TurnsState(batch, torch.zeros(batch, 0, OSCILLATOR_CHANNELS))

    def step(self, x: Tensor, state: TurnsState) -> Tensor:
        """Turn the next frames. [render thread]"""
        if not x.shape[1]:
            return x.new_zeros(x.shape[0], 0, OSCILLATOR_CHANNELS)
        made = self._frames(x, state.last if state.last.shape[1] else None)
        state.last = made[:, -1:]
        return made

    def finish(self, x: Tensor, state: TurnsState) -> Tensor:
        """Turn the last frames. [render thread]"""
        return self.step(x, state)

    def ready(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def total(self, n_inputs: int) -> int:
        """Return `n_inputs`."""
        return n_inputs

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the range and the frame before, from which pitch glides; where cycles stand is left out."""
        return first - 1, last

    def _frames(self, x: Tensor, last: Tensor | None) -> Tensor:
        """Return frames behind the last one, `[batch, frames, OSCILLATOR_CHANNELS]`. [render thread]"""
        octaves = torch.nan_to_num(x[..., 0], nan=0.0)  # else cycles would stand nowhere ever after
        hertz = torch.exp2(octaves).clamp(self.lowest_hz, self.highest_hz)
        before = hertz[:, :1] if last is None else last[:, :, PITCH_HZ].to(hertz)
        came_from = torch.cat((before, hertz[:, :-1]), 1)
        frames = x.new_zeros(*x.shape[:2], OSCILLATOR_CHANNELS)
        frames[..., PITCH_FROM_HZ], frames[..., PITCH_HZ] = came_from, hertz
        frames[..., GAIN] = frames[..., AIR] = 1.0
        fraction = x.new_zeros(x.shape[0], dtype=torch.float32)
        place = 0
        if last is not None:
            fraction, place = self._after(last[:, 0]), self._place_after(last[:, 0])
        for number in range(x.shape[1]):
            frames[:, number, FRACTION] = fraction
            frames[:, number, PLACE] = float((place + number * self.hop_samples) % PLACES)
            fraction = self._after(frames[:, number])
        return frames

    def _after(self, frame: Tensor) -> Tensor:
        """Return the fraction of a cycle at which the next frame begins, `[batch]`. [render thread]"""
        own = frame.detach().double()
        turned = self.hop_samples * 0.5 * (own[:, PITCH_FROM_HZ] + own[:, PITCH_HZ]) / self.sample_rate
        cycles = own[:, FRACTION] + turned
        return (cycles - torch.floor(cycles)).to(torch.float32)

    def _place_after(self, frame: Tensor) -> int:
        return (int(frame[0, PLACE]) + self.hop_samples) % PLACES
