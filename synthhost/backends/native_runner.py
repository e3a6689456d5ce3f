"""The native runner: a network compiled to a flat plan and run in C++ behind the Runner seam."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.backends.plan import compile_plan
from synthhost.backends.torch_runner import check_spec, check_start
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws, SeededDraws
from synthhost.core.errors import FeatureError
from synthhost.core.options import FLOAT32, INT8
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import compiled_plans
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.noise import SEED, TEMPERATURE


@dataclass(slots=True)
class NativeState:
    """Streams in step, one native state a voice; owned by the caller."""

    voices: list[Any]
    draws: Draws
    temperature: float = 1.0
    seen_frames: int = 0
    noise_made: list[int] = dataclasses.field(default_factory=list)
    ended: bool = False

    def copy(self) -> NativeState:
        """Return an independent state with the same future. [render thread]"""
        voices = [voice.copy() for voice in self.voices]
        return dataclasses.replace(self, voices=voices, noise_made=list(self.noise_made))


class NativeRunner:
    """One model computed by the native executor on the processor.

    Raises:
        ConfigError: `spec` says something else than the network does, or a part of the network has no native
            operation.
    """

    def __init__(
        self,
        spec: ModelSpec,
        block: AnyBlock,
        controls: tuple[ParamSpec, ...] = (),
        level: str = "",
        *,
        threads: int = 1,
        precision: str = FLOAT32,
        int8_way: str = "",
    ) -> None:
        """Compile a network.

        Args:
            spec: Of the model.
            block: The network; its weights are copied, and it is kept for its timing.
            controls: What its streams can be told.
            level: Of processor; "": the one in use.
            threads: That work together on a step at most; their number changes no bit.
            precision: "float32", or "int8" for wide convolutions in 8-bit integers.
            int8_way: How these are multiplied, by its name; "": the fastest.
        """
        self.spec = spec
        self.controls = controls
        self._block = block.eval()
        check_spec(spec, block)
        check_start(spec, block)
        self._plan = compile_plan(block, spec.bands, level, int8=precision == INT8, int8_way=int8_way)
        self._run = compiled_plans().run
        self.threads = compiled_plans().grow_crew(threads)
        self.noise_streams = max(self._plan.noise_streams, default=-1) + 1
        self.uniform_streams = 0

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> NativeState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        voices = [self._plan.native.new_state() for _ in range(batch)]
        made = [0] * len(self._plan.noise_streams)
        return NativeState(voices, draws or SeededDraws.of(0, batch), noise_made=made)

    def set_control(self, state: NativeState, name: str, value: float) -> None:
        """Take over `temperature` or `seed` from the next sample on. [render thread]"""
        if name == TEMPERATURE:
            state.temperature = value
        elif name == SEED:
            state.draws = state.draws.reseeded(int(value))

    def step(self, frames: Features, state: NativeState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Frames are trusted: they are checked where they enter.

        Raises:
            FeatureError: The stream has ended, or `out` holds fewer samples than a step may give.

        [render thread]
        """
        needed = frames.shape[2] * self.spec.hop_samples + self.spec.burst_samples
        self._check_out(needed, frames.shape[0], state, out)
        return self._advance(frames, state, out, ending=False)

    def step_each(
        self, frames: Sequence[Features], states: Sequence[NativeState], outs: Sequence[Audio]
    ) -> list[int]:
        """Step streams that have nothing to do with each other; raises as `step` does. [render thread]"""
        shares: list[Any] = []
        firsts: list[int] = []
        for x, state, out in zip(frames, states, outs, strict=True):
            needed = x.shape[2] * self.spec.hop_samples + self.spec.burst_samples
            self._check_out(needed, x.shape[0], state, out)
            firsts.append(len(shares))
            shares += self._shares(x, state, out, ending=False)
        written = self._run(shares, False, self.threads)
        return [int(written[first]) for first in firsts]

    def flush(self, state: NativeState, out: Audio) -> int:
        """End the stream: write what was still held back (at most `look_ahead_samples + burst_samples`).

        Raises:
            FeatureError: The stream has ended before, is too short for the network, or `out` is too small.

        [render thread]
        """
        self._check_out(self.spec.look_ahead_samples + self.spec.burst_samples, len(state.voices), state, out)
        state.ended = True
        self._block.total(state.seen_frames)  # refuses a stream that was too short
        none = np.zeros((len(state.voices), self.spec.bands, 0), np.float32)
        return self._advance(none, state, out, ending=True)

    def _advance(self, frames: Features, state: NativeState, out: Audio, *, ending: bool) -> int:
        """Run all voices over `[batch, bands, frames]`. [render thread]"""
        return int(self._run(self._shares(frames, state, out, ending=ending), ending, self.threads)[0])

    def _shares(self, frames: Features, state: NativeState, out: Audio, *, ending: bool) -> list[Any]:
        """Return every voice's part of a run; the state counts it as done. [render thread]"""
        state.seen_frames += frames.shape[2]
        rows = np.ascontiguousarray(frames.transpose(0, 2, 1))
        firsts = list(state.noise_made)
        noise = self._noise(state, ending=ending)
        return [(voice, rows[n], noise[n], firsts, out[n, :, None]) for n, voice in enumerate(state.voices)]

    def _noise(self, state: NativeState, *, ending: bool) -> NDArray[np.float32]:
        """Return the noise that the voices' next run needs, `[batch, rows, samples]`. [render thread]

        Every row begins where it stands; where one goes less far than another, zeros nobody reads follow.
        """
        streams, firsts = self._plan.noise_streams, state.noise_made
        if not streams:
            return np.zeros((len(state.voices), 0, 0), np.float32)
        ends = self._plan.native.ends(state.seen_frames, ending)
        state.noise_made = [ends[value] for value in self._plan.noise_values]
        counts = [end - first for end, first in zip(state.noise_made, firsts, strict=True)]
        noise = np.zeros((len(state.voices), len(streams), max(counts)), np.float32)
        for row, (stream, first, count) in enumerate(zip(streams, firsts, counts, strict=True)):
            noise[:, row, :count] = state.draws.normals(stream, first, count)
        noise *= np.float32(state.temperature)
        return noise

    def _check_out(self, needed: int, batch: int, state: NativeState, out: Audio) -> None:
        """Refuse an ended stream, another number of voices, or too little room. [render thread]"""
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        voices = len(state.voices)
        if batch != voices or out.shape[0] != batch or out.shape[1] < needed:
            raise FeatureError(
                f"Frames of {batch} voices into a stream of {voices} with room for {list(out.shape)}; give "
                f"the stream's voices and room for [{batch}, {needed}] samples."
            )
