"""The runner of autoregressive networks: conditions computed a chunk ahead, samples in a compiled loop."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.backends.torch_runner import check_spec, check_start
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws, SeededDraws
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.native.processor import processor_in_use
from synthhost.streaming.autoregressive import Autoregressive, SampleLoop
from synthhost.streaming.block import State
from synthhost.streaming.kernels import pack_for


@dataclass(slots=True)
class LoopRunnerState:
    """Streams in step: the conditioner's state, each voice's recurrence, and where they stand in time."""

    conditions: State
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
        self._conditioner = network.conditioner.eval()
        check_spec(spec, self._conditioner)
        check_start(spec, self._conditioner)
        with torch.inference_mode():
            parameters = sum(tensor.numel() for tensor in self._conditioner.parameters())
            self._conditioner.prepare(pack_for(parameters))
            self._loop = _loop_of(network, spec.name)
        self.noise_streams, self.uniform_streams = self._loop.normals, self._loop.uniforms

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> LoopRunnerState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        voices = [self._loop.new_state() for _ in range(batch)]
        with torch.inference_mode():
            conditions = self._conditioner.new_state(batch)
        return LoopRunnerState(conditions, voices, draws or SeededDraws.of(0, batch))

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
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        with torch.inference_mode():
            x = torch.from_numpy(frames.transpose(0, 2, 1).copy())
            return self._make(self._conditioner.step(x, state.conditions).numpy(), state, out)

    def flush(self, state: LoopRunnerState, out: Audio) -> int:
        """End the stream: write what look-ahead still held back.

        Raises:
            FeatureError: The stream has ended before, or `out` is too small.

        [render thread]
        """
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        state.ended = True
        with torch.inference_mode():
            return self._make(self._conditioner.flush(state.conditions).numpy(), state, out)

    def _make(self, conditions: NDArray[np.float32], state: LoopRunnerState, out: Audio) -> int:
        """Run the loop over `[batch, samples, channels]` of conditions. [render thread]"""
        voices, samples = int(conditions.shape[0]), int(conditions.shape[1])
        if out.shape[0] < voices or out.shape[1] < samples:
            raise FeatureError(
                f"Room for {list(out.shape)} samples; this step makes [{voices}, {samples}]. Give more."
            )
        loop, first = self._loop, state.made_samples
        levels = [state.draws.uniforms(stream, first, samples) for stream in range(loop.uniforms)]
        noise = [state.draws.normals(stream, first, samples) for stream in range(loop.normals)]
        loop.run_together(
            np.ascontiguousarray(conditions),
            _columns(levels, voices, samples, np.float64),
            _columns(noise, voices, samples, np.float32),
            state.temperature,
            state.voices,
            out[:voices, :samples],
        )
        state.made_samples += samples
        return samples


def _loop_of(network: Autoregressive, name: str) -> SampleLoop:
    try:
        return network.loop()
    except ValueError as error:
        raise ConfigError(f"{name}: {error} Play it with precision=float32.") from error


def _columns(rows: list[NDArray[Any]], voices: int, samples: int, kind: type) -> NDArray[Any]:
    """Return all voices' draws, `[voices, samples, draws]`. [render thread]"""
    columns: NDArray[Any] = np.empty((voices, samples, len(rows)), dtype=kind)
    for place, row in enumerate(rows):
        columns[:, :, place] = row
    return columns
