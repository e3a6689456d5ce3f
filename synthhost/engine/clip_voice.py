"""A voice of clips: sounds that are triggered, overlap and end by themselves.

A clip begins at the very sample of its trigger: its first step takes as many frames as the model looks
ahead, each later one a chunk, the last what look-ahead held back. What moves a clip while it sounds (its
`morph`, the vector under the hands) is heard from the next chunk on.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.messages import NoteOff, Trigger
from synthhost.core.seams import Effects, Runner
from synthhost.engine.clip import Clip, ClipConverter
from synthhost.engine.poly_voice import PolySource, PolyVoice

CHOKE_KEY, CHOKE_ALL = 1, 2
"""Values of the parameter `choke`: a clip silences earlier ones of its key, or all."""


class ClipSource(PolySource, Protocol):
    """Says how clips are played, and which vectors they are made of."""

    def vector(self, number: int, key: float | None) -> Features:
        """Return the vector drawn for a clip, `[dimensions]`. [render thread]"""

    def completed(self, vector: Features, key: float | None) -> Features:
        """Return a vector with the class of its clip, `[bands]`. [render thread]"""

    def draws(self, number: int, key: float | None) -> Draws:
        """Return the chance of a clip whose model draws. [render thread]"""

    def write(self, own: Features, out: Features) -> None:
        """Write frames of a clip, `[dimensions, frames]`, from its own vector. [render thread]"""


class ClipVoice(PolyVoice):
    """Plays a model whose stream is a clip of so many frames; arguments as of `PolyVoice`."""

    source: ClipSource
    what = "clips"

    def __init__(
        self,
        source: ClipSource,
        runner: Runner,
        chunk_frames: int,
        converter: ClipConverter,
        effects: Effects,
        sample_rate: int,
    ) -> None:
        spec = runner.spec
        first_frames = min(spec.look_ahead_samples // spec.hop_samples + 1, spec.clip_frames)
        super().__init__(source, runner, chunk_frames, converter, effects, sample_rate, first_frames)
        self._rehearse()

    @property
    def dimensions(self) -> int:
        """Return the length of the model's vectors, without what chooses a class. [any thread]"""
        return self.runner.spec.bands - len(self.runner.spec.classes)

    def release(self, command: NoteOff) -> None:
        """Fade the clips of a note that ended, if the preset lets them. [render thread]"""
        release_ms = self.source.value("release_ms")
        if release_ms > 0.0:
            for clip in self.clips:
                if clip.key == command.key:
                    clip.fade(self._samples(release_ms))

    def _give_way(self, command: Trigger) -> None:
        """Fade what a new clip silences."""
        mode, samples = int(self.source.value("choke")), self._samples(self.source.value("choke_ms"))
        for clip in self.clips:
            same_group = command.choke > 0 and clip.choke == command.choke
            same_key = mode == CHOKE_KEY and command.key is not None and clip.key == command.key
            if same_group or same_key or mode == CHOKE_ALL:
                clip.fade(samples)

    def _prepare(self, clip: Clip, command: Trigger) -> None:
        if command.latent is None:
            clip.vector = self.source.vector(clip.number, command.key)
        else:
            clip.vector = self.source.completed(np.array(command.latent, np.float32), command.key)
        clip.state = self.runner.new_state(1, self.source.draws(clip.number, command.key))

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
