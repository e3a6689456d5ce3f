"""One clip while it sounds: where it stands in its stream, and how loud it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol, Self

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.smoothing import Ramp
from synthhost.engine.fifo import SampleFifo
from synthhost.engine.sounding import RateConverter


class ClipConverter(RateConverter, Protocol):
    """A rate converter that can be had anew for every clip."""

    def reset(self) -> None:
        """Forget the stream: silence lies before the next sample. [render thread]"""

    def copy(self) -> Self:
        """Return an independent one."""


@dataclass(slots=True, eq=False)
class Clip:
    """What one clip needs, made once and used again.

    Attributes:
        converter: Its own, so that a clip begins on its very sample whatever the rates.
        fifo: What its model has made and nobody has heard.
        number: How many clips of the voice began before it.
        key: Of the note that began it, or None.
        choke: Its choke group; 0: none.
        state: Of its model.
        vector: Its own latent vector, `[dimensions]`.
        gain: Linear.
        frames_made: Frames its model has taken.
        made_samples: Samples its model has made, at the model's rate.
        played_samples: Samples heard, at the engine's.
        total_samples: Samples it has in all, at the engine's rate, once it is known.
        fade_left: Samples until it is silent; None while it does not fade.
        stolen: Whether it fades because its place was needed.
        line: Of a note: what writes its frames.
        start_sample: Of a note: the voice's sample it began at.
        silent_frames: Of a note: how many of its last frames were silent.
        note_gain: Of a note: the linear gain at the end of its last frame.
    """

    converter: ClipConverter
    fifo: SampleFifo
    number: int = -1
    key: float | None = None
    choke: int = 0
    state: Any = None
    vector: Features = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    gain: float = 1.0
    frames_made: int = 0
    made_samples: int = 0
    played_samples: int = 0
    total_samples: int | None = None
    fade_left: int | None = None
    stolen: bool = False
    line: Any = None
    start_sample: int = 0
    silent_frames: int = 0
    note_gain: float = 0.0
    _level: Ramp = field(default_factory=lambda: Ramp(1.0, 1))

    def begin(self, number: int, key: float | None, choke: int, gain: float) -> None:
        """Stand at a clip's start. [render thread]"""
        self.number, self.key, self.choke, self.gain = number, key, choke, gain
        self.frames_made = self.made_samples = self.played_samples = 0
        self.total_samples = self.fade_left = None
        self.stolen = False
        self.fifo.clear()
        self.converter.reset()
        self._level = Ramp(1.0, 1)

    @property
    def over(self) -> bool:
        """Whether nothing more is heard of it. [render thread]"""
        return self.fade_left == 0 or self.played_samples == self.total_samples

    def fade(self, samples: int) -> None:
        """Be silent after so many samples, or sooner if it fades already. [render thread]"""
        if self.fade_left is not None and self.fade_left <= samples:
            return
        self._level = Ramp(self._level.value, samples)
        self._level.move_to(0.0)
        self.fade_left = samples

    def left(self, count: int) -> int:
        """Return how many of the next samples can be heard. [render thread]"""
        if self.fade_left is not None:
            count = min(count, self.fade_left)
        return count if self.total_samples is None else min(count, self.total_samples - self.played_samples)

    def add(self, sound: Audio, out: Audio) -> None:
        """Add its next samples at their level to `out`, both `[samples]`. [render thread]"""
        self.played_samples += sound.shape[0]
        if self.fade_left is None:
            out += sound * np.float32(self.gain)
            return
        curve = np.empty(sound.shape[0], dtype=np.float32)
        self._level.fill(curve)
        self.fade_left -= sound.shape[0]
        out += sound * (curve * np.float32(self.gain))
