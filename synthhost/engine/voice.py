"""One running instance of a preset: source, model, rate conversion and effects, pulled block by block."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.draws import Draws
from synthhost.core.errors import ModelError
from synthhost.core.seams import Effects, Runner, Source
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
    ) -> None:
        super().__init__(source, runner, chunk_frames, converter, effects)
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
        written = self._computed(out)
        self._finite(out[:written])
        self._fifo.commit(written)
        self.model_seconds += perf_counter() - begun

    def _computed(self, out: Audio) -> int:
        """Let the model write its next samples; one that fails leaves what is no number. [render thread]"""
        try:
            return self.runner.step(self._frames, self._state, out[None])
        except ModelError:
            out[: self._chunk_samples] = np.nan
            return self._chunk_samples

    def _set_control(self, name: str, value: float) -> None:
        self.runner.set_control(self._state, name, value)
