"""The runner of `mode: window` in native code: a stream, and copies of it that end after each frame."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from synthhost.backends.native_runner import NativeRunner, NativeState
from synthhost.backends.torch_runner import check_spec, check_start
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.errors import FeatureError
from synthhost.core.options import FLOAT32
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.streaming.timing import burst_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.window import Window


@dataclass(slots=True)
class NativeWindowState:
    """Exact streams in step, how many samples they gave, how many frames came; room for a frame's sound."""

    body: NativeState
    sound: Audio
    exact: int = 0
    seen: int = 0
    ended: bool = False

    def copy(self) -> NativeWindowState:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self, body=self.body.copy(), sound=self.sound.copy())


class WindowRunner:
    """One model played through a window; see `synthhost.streaming.window` for what that is.

    Raises:
        ConfigError: As of a native runner.
    """

    def __init__(
        self,
        spec: ModelSpec,
        window: Window,
        controls: tuple[ParamSpec, ...] = (),
        *,
        threads: int = 1,
        precision: str = FLOAT32,
    ) -> None:
        """Compile the network inside; the arguments are a native runner's."""
        check_spec(spec, window)
        check_start(spec, window)
        self.spec, self.controls = spec, controls
        self._window = window
        inner = dataclasses.replace(
            spec,
            look_ahead_samples=look_ahead_samples(window.body),
            receptive_frames=receptive_frames(window.body),
            burst_samples=burst_samples(window.body),
        )
        self._native = NativeRunner(inner, window.body, controls, threads=threads, precision=precision)
        self._room = spec.hop_samples + inner.look_ahead_samples + 2 * inner.burst_samples
        self.noise_streams, self.uniform_streams = self._native.noise_streams, 0

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> NativeWindowState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        return NativeWindowState(
            self._native.new_state(batch, draws), np.zeros((batch, self._room), np.float32)
        )

    def set_control(self, state: NativeWindowState, name: str, value: float) -> None:
        """Take over `temperature` or `seed` from the next sample on. [render thread]"""
        self._native.set_control(state.body, name, value)

    def step(self, frames: Features, state: NativeWindowState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Each frame costs the network's whole look-ahead over again.

        Raises:
            FeatureError: The stream has ended, or `out` holds fewer samples than a step may give.

        [render thread]
        """
        needed = frames.shape[2] * self.spec.hop_samples + self.spec.burst_samples
        self._check_out(needed, frames.shape[0], state, out)
        written = 0
        for at in range(frames.shape[2]):
            written += self._advance(frames[:, :, at : at + 1], state, out[:, written:])
        return written

    def flush(self, state: NativeWindowState, out: Audio) -> int:
        """End the stream: write the rest; the end is the true one here.

        Raises:
            FeatureError: The stream has ended before, is too short for the network, or `out` is too small.

        [render thread]
        """
        needed = self.spec.look_ahead_samples + self.spec.burst_samples
        self._check_out(needed, state.sound.shape[0], state, out)
        state.ended = True
        late = self._window.ready(state.seen) - state.exact
        count = self._native.flush(state.body, state.sound) - late
        out[:, :count] = state.sound[:, late : late + count]
        return count

    def _advance(self, frame: Features, state: NativeWindowState, out: Audio) -> int:
        """Take one frame and write the hop that lies a window behind it, if there is one. [render thread]"""
        given = self._window.ready(state.seen)
        late = given - state.exact
        decided = self._native.step(frame, state.body, state.sound)
        state.exact += decided
        state.seen += 1
        count = self._window.ready(state.seen) - given
        if count:
            self._native.flush(state.body.copy(), state.sound[:, decided:])
            out[:, :count] = state.sound[:, late : late + count]
        return count

    def _check_out(self, needed: int, batch: int, state: NativeWindowState, out: Audio) -> None:
        """Refuse an ended stream, another number of voices, or too little room. [render thread]"""
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        voices = state.sound.shape[0]
        if batch != voices or out.shape[0] != batch or out.shape[1] < needed:
            raise FeatureError(
                f"Frames of {batch} voices into a stream of {voices} with room for {list(out.shape)}; give "
                f"the stream's voices and room for [{batch}, {needed}] samples."
            )
