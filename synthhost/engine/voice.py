"""One running instance of a preset: source, model, rate conversion and effects, pulled block by block."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from time import perf_counter

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.draws import Draws
from synthhost.core.errors import ModelError
from synthhost.core.seams import Effects, Joining, Runner, Source
from synthhost.engine.fifo import SampleFifo
from synthhost.engine.sounding import PIECE_SAMPLES, RateConverter, Sounding

_WARM_PIECE_SAMPLES = 2048  # converted at a time while warming up: the converter's windows stay in the cache


class Voice(Sounding):
    """What sounds while a preset plays a stream without end.

    The source is read one chunk of frames at a time, as late as the output allows.
    """

    def __init__(
        self,
        source: Source,
        runner: Runner,
        chunk_frames: int,
        converter: RateConverter,
        effects: Effects,
        draws: Draws | None = None,
        *,
        joins: bool = False,
    ) -> None:
        """Begin a stream; `joins` says whether its steps cost less together with others of its runner."""
        super().__init__(source, runner, chunk_frames, converter, effects)
        self.joins = joins and isinstance(runner, Joining)
        spec = runner.spec
        self._state = runner.new_state(1, draws)
        self._frames = np.zeros((1, spec.bands, chunk_frames), dtype=np.float32)
        self._chunk_samples = chunk_frames * spec.hop_samples
        self._room_samples = self._chunk_samples + spec.burst_samples
        self._fifo = SampleFifo(converter.needed(PIECE_SAMPLES + 1) + self._room_samples)

    def warm_up(self, samples: int) -> None:
        """Play the first samples of the stream into nothing: look-ahead, rate conversion and effects fill.

        The same as playing them, to the bit, but in one step of the model: many small ones would make the
        render thread wait for the interpreter. The voice must not have played.
        """
        wanted = self.converter.needed(samples)
        sound = self._first(-(-(wanted + self.runner.spec.look_ahead_samples) // self._chunk_samples))
        while len(sound) < wanted:  # a start that mirrors what comes later waits for more
            sound = np.concatenate((sound, self._first(1)))
        for begin in range(0, samples, _WARM_PIECE_SAMPLES):
            count = min(_WARM_PIECE_SAMPLES, samples - begin)
            wanted = self.converter.needed(count)
            dry = self.converter.take(count, sound[:wanted])
            self.effects.process(np.stack((dry, dry)))
            sound = sound[wanted:]
        self._fifo.room(sound.shape[0])[:] = sound
        self._fifo.commit(sound.shape[0])

    def _first(self, chunks: int) -> Audio:
        """Return what the model makes of so many chunks in one step, before the voice plays."""
        frames = np.empty((1, self._frames.shape[1], chunks * self.chunk_frames), dtype=np.float32)
        sound = np.empty(chunks * self._chunk_samples + self.runner.spec.burst_samples, dtype=np.float32)
        self.source.next_frames(frames[0])
        return self._finite(sound[: self.runner.step(frames, self._state, sound[None])])

    def needs_step(self, count: int) -> bool:
        """Whether the next `count` samples need a step of the model first. [render thread]"""
        return len(self._fifo) < self.converter.needed(min(count, PIECE_SAMPLES))

    def _pull(self, out: Audio) -> None:
        count = out.shape[0]
        wanted = self.converter.needed(count)
        while len(self._fifo) < wanted:
            self._step()
        out[:] = self.converter.take(count, self._fifo.take(wanted))

    def _step(self) -> None:
        begun = perf_counter()
        self.source.next_frames(self._frames[0])
        out = self._fifo.room(self._room_samples)
        self._made(out, self._computed(out))
        self.model_seconds += perf_counter() - begun

    def _made(self, out: Audio, written: int) -> None:
        """Keep what a step wrote. [render thread]"""
        self._finite(out[:written])
        self._fifo.commit(written)

    def _computed(self, out: Audio) -> int:
        """Let the model write its next samples; one that fails leaves what is no number. [render thread]"""
        try:
            return self.runner.step(self._frames, self._state, out[None])
        except ModelError:
            out[: self._chunk_samples] = np.nan
            return self._chunk_samples

    def _set_control(self, name: str, value: float) -> None:
        self.runner.set_control(self._state, name, value)


def take_joint_steps(voices: Iterable[Sounding], count: int) -> None:
    """Let voices of one runner that need steps for the next `count` samples take them together.

    Each sounds as it does alone, to the bit; what is left for one alone, and what is beyond the first
    `PIECE_SAMPLES`, is pulled as it is heard.

    [render thread]
    """
    able: dict[tuple[int, int], list[Voice]] = {}
    for voice in voices:
        if isinstance(voice, Voice) and voice.joins:
            able.setdefault((id(voice.runner), voice.chunk_frames), []).append(voice)
    for group in able.values():
        while len(group) > 1 and len(due := [one for one in group if one.needs_step(count)]) > 1:
            _step_together(due)


def _step_together(voices: Sequence[Voice]) -> None:
    """Take one step of each; its cost is shared alike. [render thread]"""
    begun = perf_counter()
    runner = voices[0].runner
    assert isinstance(runner, Joining)
    outs = [voice._fifo.room(voice._room_samples) for voice in voices]
    for voice in voices:
        voice.source.next_frames(voice._frames[0])
    written = runner.step_each(
        [voice._frames for voice in voices],
        [voice._state for voice in voices],
        [out[None] for out in outs],
    )
    for voice, out, count in zip(voices, outs, written, strict=True):
        voice._made(out, count)
    each_s = (perf_counter() - begun) / len(voices)
    for voice in voices:
        voice.model_seconds += each_s
