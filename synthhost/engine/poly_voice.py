"""What voices of many parts share: sounds that begin on their very sample, overlap, and give way.

Parts are computed as they are heard: when a step is computed follows from the samples heard alone, so no
block size changes the sound. The work is bounded: at most `voices` parts sound and as many more in their last
5 ms, since no more than `voices` begin in any 20 ms; each of them takes at most one step beyond what its
samples need.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from time import perf_counter
from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.errors import ModelError
from synthhost.core.messages import NoteOff, Trigger
from synthhost.core.seams import Effects, Runner, Source
from synthhost.core.timebase import ms_to_samples
from synthhost.engine.clip import Clip, ClipConverter
from synthhost.engine.fifo import SampleFifo
from synthhost.engine.sounding import PIECE_SAMPLES, Sounding

MOST_VOICES = 16
STEAL_MS = 5.0
START_WINDOW_MS = 20.0
"""So long after the first of them, as many parts as there are voices may have begun and no more."""


class PolySource(Source, Protocol):
    """Says how parts are played."""

    def value(self, name: str) -> float:
        """Return where a parameter stands. [render thread]"""


class PolyVoice(Sounding):
    """Plays a model several times at once.

    Args:
        source: Says how.
        runner: Of the model.
        chunk_frames: Frames a sounding part takes at a time.
        converter: At the start of a stream; every part has a copy.
        effects: Behind the sum of all parts.
        sample_rate: The engine's, in Hz.
        first_frames: What a part's first step takes.
    """

    source: PolySource
    what = "parts"

    def __init__(
        self,
        source: PolySource,
        runner: Runner,
        chunk_frames: int,
        converter: ClipConverter,
        effects: Effects,
        sample_rate: int,
        first_frames: int,
    ) -> None:
        super().__init__(source, runner, chunk_frames, converter, effects)
        spec = runner.spec
        self.clips: list[Clip] = []  # that sound, in the order they began
        self._sample_rate = sample_rate
        self._first_frames = first_frames
        most_frames = max(first_frames, chunk_frames)
        self._frames = np.zeros((1, spec.bands, most_frames), dtype=np.float32)
        self._room_samples = max(most_frames * spec.hop_samples, spec.look_ahead_samples) + spec.burst_samples
        self._spare = [self._new_clip(converter) for _ in range(2 * MOST_VOICES)]
        self._tail_samples = 2 * ms_to_samples(converter.delay_ms, sample_rate)
        self._values = {control.name: control.default for control in runner.controls}
        self._sample = 0
        self._numbers = 0
        self._starts: deque[int] = deque(maxlen=MOST_VOICES)

    @property
    @abstractmethod
    def dimensions(self) -> int:
        """Return the length of the vectors that a trigger may bring. [any thread]"""

    @abstractmethod
    def release(self, command: NoteOff) -> None:
        """End a note. [render thread]"""

    @abstractmethod
    def _give_way(self, command: Trigger) -> None:
        """Let those that sound give way to a new part."""

    @abstractmethod
    def _prepare(self, clip: Clip, command: Trigger) -> None:
        """Give a part that begins what it is made of, its state included."""

    @abstractmethod
    def _computed(self, clip: Clip, out: Audio) -> int:
        """Compute the next step of a part, or its end, and return the samples written."""

    def trigger(self, command: Trigger) -> str | None:
        """Begin a part with the next sample; return why not, if so. [render thread]"""
        voices = int(self.source.value("voices"))
        if command.latent is not None and len(command.latent) != self.dimensions:
            return (
                f"the model's vectors have {self.dimensions} dimensions, this one has {len(command.latent)}"
            )
        window = ms_to_samples(START_WINDOW_MS, self._sample_rate)
        if len(self._starts) >= voices and self._sample - self._starts[-voices] < window:
            return f"{voices} {self.what}, as many as there are voices, began within {START_WINDOW_MS:.0f} ms"
        self._starts.append(self._sample)
        self._give_way(command)
        self._make_room(voices)
        self._begin(command)
        return None

    def forget_tails(self) -> None:
        """Forget what sounds, and effect tails. [render thread]"""
        for clip in self.clips:
            clip.fade(0)
        self._let_go()
        super().forget_tails()

    def warm_up(self, samples: int) -> None:
        """Let silence through the effects."""
        for begin in range(0, samples, PIECE_SAMPLES):
            count = min(PIECE_SAMPLES, samples - begin)
            self.effects.process(np.zeros((2, count), dtype=np.float32))

    def _pull(self, out: Audio) -> None:
        out[:] = 0.0
        for clip in self.clips:
            self._sound(clip, out)
        self._sample += out.shape[0]
        self._let_go()

    def _set_control(self, name: str, value: float) -> None:
        self._values[name] = value
        for clip in self.clips:
            self.runner.set_control(clip.state, name, value)

    def _samples(self, ms: float) -> int:
        return max(ms_to_samples(ms, self._sample_rate), 1)

    def _make_room(self, voices: int) -> None:
        """Steal the oldest parts, those that fade first, until there is room for one more."""
        held = [clip for clip in self.clips if not clip.stolen]
        held.sort(key=lambda clip: (clip.fade_left is None, clip.number))
        for clip in held[: max(len(held) - voices + 1, 0)]:
            clip.stolen = True
            clip.fade(self._samples(STEAL_MS))

    def _begin(self, command: Trigger) -> None:
        clip, number = self._spare.pop(), self._numbers
        self._numbers += 1
        clip.begin(number, command.key, command.choke, min(max(command.velocity, 0.0), 1.0))
        self._prepare(clip, command)
        for name, value in self._values.items():
            self.runner.set_control(clip.state, name, value)
        self.clips.append(clip)

    def _sound(self, clip: Clip, out: Audio) -> None:
        """Add the next samples of one part to `out`, `[samples]`."""
        wanted = clip.converter.needed(clip.left(out.shape[0]))
        while len(clip.fifo) < wanted and clip.total_samples is None:
            self._advance(clip)
        count = clip.left(out.shape[0])
        wanted = clip.converter.needed(count)
        made = clip.fifo.take(min(wanted, len(clip.fifo)))
        if made.shape[0] < wanted:  # behind its end: the converter's tail
            made = np.concatenate((made, np.zeros(wanted - made.shape[0], dtype=np.float32)))
        clip.add(clip.converter.take(count, made), out[:count])

    def _advance(self, clip: Clip) -> None:
        """Let a part's next step be computed."""
        begun = perf_counter()
        out = clip.fifo.room(self._room_samples)
        try:
            written = self._computed(clip, out)
        except ModelError:
            out[:1] = np.nan
            written = 1
            self._end(clip, 1)
        self._finite(out[:written])
        clip.fifo.commit(written)
        self.model_seconds += perf_counter() - begun

    def _end(self, clip: Clip, written: int) -> None:
        """Note how long a part is, now that its last samples are there."""
        clip.made_samples += written
        heard = -(-clip.made_samples * self._sample_rate // self.runner.spec.sample_rate)
        clip.total_samples = heard + self._tail_samples

    def _let_go(self) -> None:
        """Take back what is over."""
        for clip in [clip for clip in self.clips if clip.over]:
            self.clips.remove(clip)
            clip.state = None
            self._spare.append(clip)

    def _new_clip(self, converter: ClipConverter) -> Clip:
        own = converter.copy()
        return Clip(own, SampleFifo(own.needed(PIECE_SAMPLES + 1) + self._room_samples))
