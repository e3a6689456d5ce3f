"""A voice of clips: sounds that are triggered, overlap and end by themselves.

A clip begins at the very sample of its trigger and is computed as it is heard: its first step takes as many
frames as the model looks ahead, each later one a chunk, the last what look-ahead held back. When a step is
computed follows from the samples heard alone, so no block size changes the sound, and what moves a clip while
it sounds (its `morph`, the vector under the hands) is heard from the next chunk on.

The work is bounded: at most `voices` clips sound and as many more in their last 5 ms, since no more than
`voices` begin in any 20 ms; each of them takes at most one step beyond what its samples need.
"""

from __future__ import annotations

from collections import deque
from time import perf_counter
from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
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
"""So long after the first of them, as many clips as there are voices may have begun and no more."""

CHOKE_KEY, CHOKE_ALL = 1, 2
"""Values of the parameter `choke`: a clip silences earlier ones of its key, or all."""


class ClipSource(Source, Protocol):
    """Says how clips are played, and which vectors they are made of."""

    def value(self, name: str) -> float:
        """Return where a parameter stands. [render thread]"""

    def vector(self, number: int, key: float | None) -> Features:
        """Return the vector drawn for a clip, `[dimensions]`. [render thread]"""

    def draws(self, number: int, key: float | None) -> Draws:
        """Return the chance of a clip whose model draws. [render thread]"""

    def write(self, own: Features, out: Features) -> None:
        """Write frames of a clip, `[dimensions, frames]`, from its own vector. [render thread]"""


class ClipVoice(Sounding):
    """Plays a model whose stream is a clip of so many frames.

    Args:
        source: Says how.
        runner: Of the model.
        chunk_frames: Frames a sounding clip takes at a time.
        converter: At the start of a stream; every clip has a copy.
        effects: Behind the sum of all clips.
        sample_rate: The engine's, in Hz.
    """

    source: ClipSource

    def __init__(
        self,
        source: ClipSource,
        runner: Runner,
        chunk_frames: int,
        converter: ClipConverter,
        effects: Effects,
        sample_rate: int,
    ) -> None:
        super().__init__(source, runner, chunk_frames, converter, effects)
        spec = runner.spec
        self.clips: list[Clip] = []  # that sound, in the order they began
        self._sample_rate = sample_rate
        self._first_frames = min(spec.look_ahead_samples // spec.hop_samples + 1, spec.clip_frames)
        most_frames = max(self._first_frames, chunk_frames)
        self._frames = np.zeros((1, spec.bands, most_frames), dtype=np.float32)
        self._room_samples = max(most_frames * spec.hop_samples, spec.look_ahead_samples) + spec.burst_samples
        self._spare = [self._new_clip(converter) for _ in range(2 * MOST_VOICES)]
        self._tail_samples = 2 * ms_to_samples(converter.delay_ms, sample_rate)
        self._values = {control.name: control.default for control in runner.controls}
        self._sample = 0
        self._numbers = 0
        self._starts: deque[int] = deque(maxlen=MOST_VOICES)
        self._rehearse()

    def trigger(self, command: Trigger) -> str | None:
        """Begin a clip with the next sample; return why not, if so. [render thread]"""
        spec, voices = self.runner.spec, int(self.source.value("voices"))
        if command.latent is not None and len(command.latent) != spec.bands:
            return f"the model's vectors have {spec.bands} dimensions, this one has {len(command.latent)}"
        window = ms_to_samples(START_WINDOW_MS, self._sample_rate)
        if len(self._starts) >= voices and self._sample - self._starts[-voices] < window:
            return f"{voices} clips, as many as there are voices, began within {START_WINDOW_MS:.0f} ms"
        self._starts.append(self._sample)
        self._choke(command)
        self._make_room(voices)
        self._begin(command)
        return None

    def release(self, command: NoteOff) -> None:
        """Fade the clips of a note that ended, if the preset lets them. [render thread]"""
        release_ms = self.source.value("release_ms")
        if release_ms > 0.0:
            for clip in self.clips:
                if clip.key == command.key:
                    clip.fade(self._samples(release_ms))

    def forget_tails(self) -> None:
        """Forget clips and effect tails. [render thread]"""
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

    def _choke(self, command: Trigger) -> None:
        """Fade what a new clip silences."""
        mode, samples = int(self.source.value("choke")), self._samples(self.source.value("choke_ms"))
        for clip in self.clips:
            same_group = command.choke > 0 and clip.choke == command.choke
            same_key = mode == CHOKE_KEY and command.key is not None and clip.key == command.key
            if same_group or same_key or mode == CHOKE_ALL:
                clip.fade(samples)

    def _make_room(self, voices: int) -> None:
        """Steal the oldest clips, those that fade first, until there is room for one more."""
        held = [clip for clip in self.clips if not clip.stolen]
        held.sort(key=lambda clip: (clip.fade_left is None, clip.number))
        for clip in held[: max(len(held) - voices + 1, 0)]:
            clip.stolen = True
            clip.fade(self._samples(STEAL_MS))

    def _begin(self, command: Trigger) -> None:
        clip, number = self._spare.pop(), self._numbers
        self._numbers += 1
        clip.begin(number, command.key, command.choke, min(max(command.velocity, 0.0), 1.0))
        if command.latent is None:
            clip.vector = self.source.vector(number, command.key)
        else:
            clip.vector = np.array(command.latent, dtype=np.float32)
        clip.state = self.runner.new_state(1, self.source.draws(number, command.key))
        for name, value in self._values.items():
            self.runner.set_control(clip.state, name, value)
        self.clips.append(clip)

    def _sound(self, clip: Clip, out: Audio) -> None:
        """Add the next samples of one clip to `out`, `[samples]`."""
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
        """Compute the next step of a clip, or its end."""
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

    def _computed(self, clip: Clip, out: Audio) -> int:
        spec = self.runner.spec
        left = spec.clip_frames - clip.frames_made
        if left == 0:
            written = self.runner.flush(clip.state, out[None])
            self._end(clip, written)
            return written
        count = min(self.chunk_frames if clip.frames_made else self._first_frames, left)
        frames = self._frames[:, :, :count]
        self.source.write(clip.vector, frames[0])
        written = self.runner.step(frames, clip.state, out[None])
        clip.frames_made += count
        clip.made_samples += written
        return written

    def _end(self, clip: Clip, written: int) -> None:
        """Note how long a clip is, now that its last samples are there."""
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

    def _rehearse(self) -> None:
        """Play a clip into nothing, so that the first one heard finds everything at hand."""
        spec, out = self.runner.spec, np.empty((1, self._room_samples), dtype=np.float32)
        state = self.runner.new_state(1, self.source.draws(0, None))
        made = 0
        while made < spec.clip_frames:
            count = min(self.chunk_frames if made else self._first_frames, spec.clip_frames - made)
            self.runner.step(self._frames[:, :, :count], state, out)
            made += count
        self.runner.flush(state, out)
