"""One running instance of a preset: source, model, rate conversion and effects, pulled block by block."""

from __future__ import annotations

from time import perf_counter
from typing import Protocol

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.draws import Draws
from synthhost.core.errors import ModelError
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Effects, Runner, Source
from synthhost.engine.fifo import SampleFifo

_PIECE_SAMPLES = 512  # asked of the model at a time, so that the queue's size does not depend on the block's
_WARM_PIECE_SAMPLES = 2048  # converted at a time while warming up: the converter's windows stay in the cache


class RateConverter(Protocol):
    """Joins a model's rate to the engine's, in any block sizes, with the same samples."""

    delay_ms: float

    def needed(self, n_out: int) -> int:
        """Return how many samples at the input rate the next `n_out` outputs need. [render thread]"""

    def take(self, n_out: int, samples: Audio) -> Audio:
        """Return exactly `n_out` samples from `needed(n_out)` new ones. [render thread]"""


class Voice:
    """What sounds while a preset plays. All state lives here, so a voice can be built and warmed anywhere.

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
        spec = runner.spec
        self.source = source
        self.runner = runner
        self.effects = effects
        self.converter = converter
        self.chunk_frames = chunk_frames
        self.trim = 1.0  # the preset's own gain, linear
        self.model_seconds = 0.0  # spent in the model since `take_cost`
        self.bad_samples = 0  # not finite, or of a step that failed: played as silence
        self._state = runner.new_state(1, draws)
        self._controls = frozenset(spec.name for spec in runner.controls)
        self._frames = np.zeros((1, spec.bands, chunk_frames), dtype=np.float32)
        self._chunk_samples = chunk_frames * spec.hop_samples
        self._room_samples = self._chunk_samples + spec.burst_samples
        self._fifo = SampleFifo(converter.needed(_PIECE_SAMPLES + 1) + self._room_samples)
        self._stereo = np.zeros((2, 0), dtype=np.float32)

    @property
    def params(self) -> tuple[ParamSpec, ...]:
        """Return every parameter of the source, the model and the chain."""
        return (*self.source.params, *self.runner.controls, *self.effects.params)

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit. [render thread]"""
        if name.startswith("fx."):
            self.effects.set_param(name, value)
        elif name in self._controls:
            self.runner.set_control(self._state, name, value)
        else:
            self.source.set_param(name, value)

    def render(self, wet: Audio, dry: Audio) -> None:
        """Write the next samples: `wet` `[2, samples]` after the chain, `dry` `[samples]` before.

        [render thread]
        """
        count = dry.shape[0]
        for begin in range(0, count, _PIECE_SAMPLES):
            self._pull(dry[begin : begin + _PIECE_SAMPLES])
        if self._stereo.shape[1] != count:
            self._stereo = np.empty((2, count), dtype=np.float32)
        self._stereo[:] = dry
        np.multiply(self.effects.process(self._stereo), np.float32(self.trim), out=wet)

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

    def take_cost(self) -> float:
        """Return the seconds spent in the model since the last call. [render thread]"""
        spent, self.model_seconds = self.model_seconds, 0.0
        return spent

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

    def _finite(self, fresh: Audio) -> Audio:
        """Silence and count what is not finite, in place. [render thread]"""
        if not np.isfinite(fresh).all():
            self.bad_samples += int(np.count_nonzero(~np.isfinite(fresh)))
            np.nan_to_num(fresh, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
        return fresh
