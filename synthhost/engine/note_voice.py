"""A voice of notes: each begins on its very sample, follows the hands while it is held, and rings out.

A frame is computed when its first sample is heard. What moves a note is read at the frame's place in time, so
no block size changes the sound.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.messages import NoteOff, Trigger
from synthhost.core.note_frames import GAIN, NoteLine
from synthhost.core.seams import Effects, Runner
from synthhost.engine.clip import Clip, ClipConverter
from synthhost.engine.poly_voice import PolySource, PolyVoice

_SILENCE = 1e-5  # of full scale at a level of 0 dB: what stays below it is over
_SILENT_S = 0.25  # for so long
_REHEARSED_FRAMES = 16
_SEEDS, _SEEDS_APART = 2**31 - 1, 1_000_003


class NoteSource(PolySource, Protocol):
    """Says how notes are played, at any moment."""

    def stand_at(self, sample: int) -> None:
        """Say at which of the voice's samples whatever is set from now on takes effect. [render thread]"""

    def begin(self, line: NoteLine, number: int, key: float, velocity: float) -> None:
        """Let a note stand at its start. [render thread]"""

    def write(self, line: NoteLine, sample: int, own: Features | None, out: Features) -> None:
        """Write a note's next frames, `[bands, frames]`.

        Args:
            line: Of the note.
            sample: The voice's sample at which they begin.
            own: Its own timbre, `[dimensions]`; None: the one under the hands.
            out: Filled.

        [render thread]
        """


class NoteVoice(PolyVoice):
    """Plays notes of a model that is told of them; arguments as of `PolyVoice`.

    Args:
        seed: What is random in a note follows from this and from how many began before it.
    """

    source: NoteSource
    what = "notes"

    def __init__(
        self,
        source: NoteSource,
        runner: Runner,
        chunk_frames: int,
        converter: ClipConverter,
        effects: Effects,
        sample_rate: int,
        seed: int = 0,
    ) -> None:
        super().__init__(source, runner, chunk_frames, converter, effects, sample_rate, chunk_frames)
        spec = runner.spec
        assert spec.notes is not None
        assert spec.notes.own_gain or not spec.look_ahead_samples
        self._seed = seed
        self._own_gain = spec.notes.own_gain
        self._hop_samples = spec.hop_samples
        self._dimensions = spec.notes.dimensions
        self._hop_s = spec.hop_samples / spec.sample_rate
        for clip in self._spare:
            clip.line = NoteLine(spec.notes, spec.sample_rate, spec.hop_samples)
        self._rehearse()

    @property
    def dimensions(self) -> int:
        """Return the dimensions of a timbre. [any thread]"""
        return self._dimensions

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit. [render thread]"""
        self.source.stand_at(self._sample)
        super().set_param(name, value)

    def release(self, command: NoteOff) -> None:
        """End the notes of a key. [render thread]"""
        self._end_key(command.key)

    def _give_way(self, command: Trigger) -> None:
        """End the note that sounds on the same key; a string is struck again."""
        if command.key is not None:
            self._end_key(command.key)

    def _end_key(self, key: float) -> None:
        for clip in self.clips:
            if clip.key == key:
                clip.line.release()

    def _prepare(self, clip: Clip, command: Trigger) -> None:
        key = self.source.value("key") if command.key is None else command.key
        self.source.begin(clip.line, clip.number, key, clip.gain)
        clip.gain = 1.0  # the network knows how hard it was struck
        clip.start_sample = self._sample
        clip.silent_frames = 0
        clip.vector = (
            np.zeros(0, np.float32) if command.latent is None else np.array(command.latent, np.float32)
        )
        clip.note_gain = 0.0
        clip.state = self.runner.new_state(1, self._draws(clip.number))

    def _computed(self, clip: Clip, out: Audio) -> int:
        left = clip.line.frames_left
        if left == 0 or clip.silent_frames * self._hop_s >= _SILENT_S:
            written = self.runner.flush(clip.state, out[None])
            self._end(clip, written)
            return written
        count = self.chunk_frames if left is None else min(self.chunk_frames, left)
        frames = self._frames[:, :, :count]
        begins = clip.start_sample + round(clip.frames_made * self._hop_s * self._sample_rate)
        self.source.write(clip.line, begins, clip.vector if clip.vector.size else None, frames[0])
        written = self.runner.step(frames, clip.state, out[None])
        if not self._own_gain:
            self._make_loud(clip, frames[0, GAIN], out[:written])
        clip.frames_made += count
        clip.made_samples += written
        peak = max(-float(out[:written].min()), float(out[:written].max())) if written else 1.0
        quiet = peak < _SILENCE * min(float(frames[0, GAIN].max()), 1.0)  # hands may raise it again
        clip.silent_frames = clip.silent_frames + count if quiet else 0
        return written

    def _draws(self, number: int) -> SeededDraws:
        return SeededDraws.of((self._seed + _SEEDS_APART * (number + 1)) % _SEEDS)

    def _make_loud(self, clip: Clip, gains: Features, sound: Audio) -> None:
        """Let the gains of frames glide over what they became, `[frames]` over `[samples]`."""
        begins = np.concatenate(([clip.note_gain], gains[:-1])).astype(np.float32)
        glide = np.arange(1, self._hop_samples + 1, dtype=np.float32) / np.float32(self._hop_samples)
        sound *= (begins[:, None] + (gains - begins)[:, None] * glide).ravel()
        clip.note_gain = float(gains[-1])

    def _pull(self, out: Audio) -> None:
        super()._pull(out)
        self.source.stand_at(self._sample)

    def _rehearse(self) -> None:
        """Play a note into nothing, so that the first one heard finds everything at hand."""
        line, out = self._spare[0].line, np.empty((1, self._room_samples), dtype=np.float32)
        self.source.begin(line, 0, 60.0, 0.8)
        state = self.runner.new_state(1)
        for _ in range(_REHEARSED_FRAMES):
            self.source.write(line, 0, None, self._frames[0])
            self.runner.step(self._frames, state, out)
