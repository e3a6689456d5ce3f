"""The runner of autoregressive networks: conditions computed a chunk ahead, samples in a compiled loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.backends.conditions import conditions_of
from synthhost.backends.torch_runner import check_spec, check_start
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws, SeededDraws
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.native.processor import processor_in_use
from synthhost.streaming.autoregressive import Autoregressive, SampleLoop


@dataclass(slots=True)
class LoopRunnerState:
    """Streams in step: the conditioner's state, each voice's recurrence, and where they stand in time."""

    conditions: Any
    voices: list[Any]
    draws: Draws
    temperature: float = 1.0
    made_samples: int = 0
    ended: bool = False

    def copy(self) -> LoopRunnerState:
        """Return an independent state with the same future. [render thread]"""
        voices = [voice.copy() for voice in self.voices]
        return dataclasses.replace(self, conditions=self.conditions.copy(), voices=voices)


class LoopRunner:
    """One autoregressive model on the processor.

    Raises:
        ConfigError: `spec` says something else than the network does, or SYNTHHOST_PROCESSOR names a level
            that cannot run here, or its weights cannot be stored in the precision asked for.
    """

    def __init__(self, spec: ModelSpec, network: Autoregressive, controls: tuple[ParamSpec, ...]) -> None:
        processor_in_use()  # refuses a level that cannot run before anything is laid out
        self.spec = spec
        self.controls = controls
        conditioner = network.conditioner.eval()
        check_spec(spec, conditioner)
        check_start(spec, conditioner)
        self._conditioner = conditions_of(conditioner, spec.bands)
        with torch.inference_mode():
            self._loop = _loop_of(network, spec.name)
        self.noise_streams, self.uniform_streams = self._loop.normals, self._loop.uniforms

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> LoopRunnerState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        voices = [self._loop.new_state() for _ in range(batch)]
        return LoopRunnerState(self._conditioner.new_state(batch), voices, draws or SeededDraws.of(0, batch))

    def set_control(self, state: LoopRunnerState, name: str, value: float) -> None:
        """Take over `temperature` or `seed` from the next sample on. [render thread]"""
        if name == "temperature":
            state.temperature = value
        elif name == "seed":
            state.draws = state.draws.reseeded(int(value))

    def step(self, frames: Features, state: LoopRunnerState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Raises:
            FeatureError: The stream has ended, or `out` is too small.

        [render thread]
        """
        return self._make(self._conditions(frames, state), state, out)

    def step_each(
        self, frames: Sequence[Features], states: Sequence[LoopRunnerState], outs: Sequence[Audio]
    ) -> list[int]:
        """Step streams that have nothing to do with each other; raises as `step` does.

        Those run together that make as many samples at one temperature. [render thread]
        """
        conditions = [self._conditions(x, state) for x, state in zip(frames, states, strict=True)]
        alike: dict[tuple[int, float], list[int]] = {}
        for place, state in enumerate(states):
            alike.setdefault((conditions[place].shape[1], state.temperature), []).append(place)
        for places in alike.values():
            self._make_each(
                [conditions[n] for n in places], [states[n] for n in places], [outs[n] for n in places]
            )
        return [int(one.shape[1]) for one in conditions]

    def flush(self, state: LoopRunnerState, out: Audio) -> int:
        """End the stream: write what look-ahead still held back.

        Raises:
            FeatureError: The stream has ended before, or `out` is too small.

        [render thread]
        """
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        state.ended = True
        return self._make(self._conditioner.flush(state.conditions), state, out)

    def _conditions(self, frames: Features, state: LoopRunnerState) -> NDArray[np.float32]:
        """Return what the next samples are conditioned on, `[batch, samples, channels]`. [render thread]"""
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        return self._conditioner.step(frames, state.conditions)

    def _make(self, conditions: NDArray[np.float32], state: LoopRunnerState, out: Audio) -> int:
        """Run the loop over `[batch, samples, channels]` of conditions. [render thread]"""
        voices, samples = int(conditions.shape[0]), int(conditions.shape[1])
        _check_room(out, voices, samples)
        levels, noise = self._draws(state, voices, samples)
        states, made = state.voices, out[:voices, :samples]
        self._loop.run_together(
            np.ascontiguousarray(conditions), levels, noise, state.temperature, states, made
        )
        state.made_samples += samples
        return samples

    def _make_each(
        self, conditions: list[NDArray[np.float32]], states: list[LoopRunnerState], outs: list[Audio]
    ) -> None:
        """Run the loop over streams that make as many samples at one temperature. [render thread]"""
        if len(states) == 1:
            self._make(conditions[0], states[0], outs[0])
            return
        samples = int(conditions[0].shape[1])
        drawn = []
        for condition, state, out in zip(conditions, states, outs, strict=True):
            _check_room(out, condition.shape[0], samples)
            drawn.append(self._draws(state, condition.shape[0], samples))
            state.made_samples += samples
        levels, noise = (np.concatenate(kind) for kind in zip(*drawn, strict=True))
        voices = [voice for state in states for voice in state.voices]
        made = np.empty((len(voices), samples), np.float32)
        self._loop.run_together(
            np.concatenate(conditions), levels, noise, states[0].temperature, voices, made
        )
        first = 0
        for condition, out in zip(conditions, outs, strict=True):
            count = condition.shape[0]
            out[:count, :samples] = made[first : first + count]
            first += count

    def _draws(
        self, state: LoopRunnerState, voices: int, samples: int
    ) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return uniforms and normals of the next samples, `[voices, samples, draws]`. [render thread]"""
        first, loop = state.made_samples, self._loop
        levels = [state.draws.uniforms(stream, first, samples) for stream in range(loop.uniforms)]
        noise = [state.draws.normals(stream, first, samples) for stream in range(loop.normals)]
        return _columns(levels, voices, samples, np.float64), _columns(noise, voices, samples, np.float32)


def _loop_of(network: Autoregressive, name: str) -> SampleLoop:
    try:
        return network.loop()
    except ValueError as error:
        raise ConfigError(f"{name}: {error} Play it with precision=float32.") from error


def _check_room(out: Audio, voices: int, samples: int) -> None:
    if out.shape[0] < voices or out.shape[1] < samples:
        raise FeatureError(
            f"Room for {list(out.shape)} samples; this step makes [{voices}, {samples}]. Give more."
        )


def _columns(rows: list[NDArray[Any]], voices: int, samples: int, kind: type) -> NDArray[Any]:
    """Return all voices' draws, `[voices, samples, draws]`. [render thread]"""
    columns: NDArray[Any] = np.empty((voices, samples, len(rows)), dtype=kind)
    for place, row in enumerate(rows):
        columns[:, :, place] = row
    return columns
