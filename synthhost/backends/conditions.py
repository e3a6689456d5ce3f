"""What conditions a sample loop, computed ahead of it: by the native executor where it can, else by torch."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.backends.lowering import NotInPlanError
from synthhost.backends.plan import CompiledPlan, compile_plan
from synthhost.core.arrays import Features
from synthhost.native.compiled import compiled_plans
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.kernels import pack_for

Rows = NDArray[np.float32]


class Conditions(Protocol):
    """A conditioner ready to run; any chunking gives the same bits."""

    def new_state(self, batch: int) -> Any:
        """Return the state of a stream of `batch` voices that has not begun; it has a `copy()`."""

    def step(self, frames: Features, state: Any) -> Rows:
        """Turn `frames` `[batch, bands, frames]` into `[batch, samples, channels]`. [render thread]"""

    def flush(self, state: Any) -> Rows:
        """End the stream and return what look-ahead still held back. [render thread]"""


def conditions_of(conditioner: AnyBlock, bands: int) -> Conditions:
    """Return a conditioner as it is computed; one that has no bands, or no native form, runs in torch."""
    try:
        if bands:
            return PlannedConditions(compile_plan(conditioner, bands), conditioner)
    except NotInPlanError:
        pass
    return TorchConditions(conditioner)


class TorchConditions:
    """A conditioner computed by torch."""

    def __init__(self, conditioner: AnyBlock) -> None:
        self._conditioner = conditioner
        with torch.inference_mode():
            conditioner.prepare(pack_for(sum(tensor.numel() for tensor in conditioner.parameters())))

    def new_state(self, batch: int) -> Any:
        """Return the state of a stream of `batch` voices that has not begun."""
        with torch.inference_mode():
            return self._conditioner.new_state(batch)

    def step(self, frames: Features, state: Any) -> Rows:
        """Turn `frames` `[batch, bands, frames]` into `[batch, samples, channels]`. [render thread]"""
        with torch.inference_mode():
            x = torch.from_numpy(frames.transpose(0, 2, 1).copy())
            made: Rows = self._conditioner.step(x, state).numpy()
        return made

    def flush(self, state: Any) -> Rows:
        """End the stream and return what look-ahead still held back. [render thread]"""
        with torch.inference_mode():
            made: Rows = self._conditioner.flush(state).numpy()
        return made


@dataclass(slots=True)
class PlannedState:
    """Streams in step, one native state a voice, and how many frames they have seen."""

    voices: list[Any]
    seen_frames: int = 0

    def copy(self) -> PlannedState:
        """Return an independent state with the same future. [render thread]"""
        return dataclasses.replace(self, voices=[voice.copy() for voice in self.voices])


class PlannedConditions:
    """A conditioner computed by the native executor."""

    def __init__(self, plan: CompiledPlan, conditioner: AnyBlock) -> None:
        """Take a plan without noise, and the network it was compiled from, which is kept for its timing."""
        assert not plan.noise_streams
        self._plan, self._conditioner = plan.native, conditioner
        self._run = compiled_plans().run

    def new_state(self, batch: int) -> PlannedState:
        """Return the state of a stream of `batch` voices that has not begun."""
        return PlannedState([self._plan.new_state() for _ in range(batch)])

    def step(self, frames: Features, state: PlannedState) -> Rows:
        """Turn `frames` `[batch, bands, frames]` into `[batch, samples, channels]`. [render thread]"""
        before = self._conditioner.ready(state.seen_frames)
        state.seen_frames += frames.shape[2]
        count = self._conditioner.ready(state.seen_frames) - before
        return self._made(np.ascontiguousarray(frames.transpose(0, 2, 1)), state, count, ending=False)

    def flush(self, state: PlannedState) -> Rows:
        """End the stream and return what look-ahead still held back; raises as the network does.

        [render thread]
        """
        count = self._conditioner.total(state.seen_frames) - self._conditioner.ready(state.seen_frames)
        none = np.zeros((len(state.voices), 0, 0), np.float32)
        return self._made(none, state, count, ending=True)

    def _made(self, rows: Rows, state: PlannedState, count: int, *, ending: bool) -> Rows:
        """Run all voices over `[batch, frames, bands]`, which decide `count` samples. [render thread]"""
        made = np.empty((len(state.voices), count, self._plan.output_channels), np.float32)
        noise = np.zeros((0, 0), np.float32)
        self._run([(voice, rows[n], noise, [], made[n]) for n, voice in enumerate(state.voices)], ending)
        return made
