"""The runner of TorchScript programs: every voice of every stream plays a copy of the module of its own."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import torch

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws, SeededDraws
from synthhost.core.errors import ConfigError, FeatureError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.streaming.script import Script, copied

_SEED_BITS = 53  # of a level in (0, 1)


@dataclass(slots=True)
class ScriptState:
    """Streams in step: a module for each voice, which remembers everything, and where they stand in time."""

    modules: list[Any]
    draws: Draws
    made_frames: int = 0
    ended: bool = False

    def copy(self) -> ScriptState:
        """Return an independent state with the same future. It takes milliseconds: no render thread waits."""
        return dataclasses.replace(self, modules=[copied(module) for module in self.modules])


class ScriptRunner:
    """One TorchScript program on the processor.

    A step gives all the sound of its vectors at once and a flush none: what a program holds back it holds
    back inside, where nobody sees it. Chance is drawn by a seed for each step, out of the stream's draws at
    the step's first frame: the same steps give the same sound, other steps may not.

    Raises:
        ConfigError: `spec` says something else than the module does.
    """

    def __init__(self, spec: ModelSpec, script: Script, controls: tuple[ParamSpec, ...] = ()) -> None:
        """Take a script.

        Args:
            spec: Of the model.
            script: Loaded and tried.
            controls: What its streams can be told beside its own attributes if it draws: `seed`.
        """
        if (spec.bands, spec.hop_samples) != (script.latents, script.hop_samples):
            raise ConfigError(
                f"{spec.name}: {spec.bands} dimensions and {spec.hop_samples} samples in the manifest, but "
                f"{script.latents} and {script.hop_samples} in the program; the manifest is another model's."
            )
        self.spec = spec
        own = tuple(control.spec for control in script.own_controls)
        self.controls = (*own, *controls) if script.draws else own
        self.noise_streams, self.uniform_streams = 0, int(script.draws)  # it is its seeds that are drawn
        self._script = script

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> ScriptState:
        """Return the state of a stream that has not begun, of `batch` voices in step.

        Raises:
            ModelError: The program cannot be copied.
        """
        modules = [self._script.fresh() for _ in range(batch)]
        return ScriptState(modules, draws or SeededDraws.of(0, batch))

    def set_control(self, state: ScriptState, name: str, value: float) -> None:
        """Set an attribute, or reseed, from the next step on.

        Raises:
            ModelError: The program failed, or refused the value.

        [render thread]
        """
        if name == "seed":
            state.draws = state.draws.reseeded(int(value))
            return
        for module in state.modules:
            self._script.set_control(module, name, value)

    def step(self, frames: Features, state: ScriptState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Raises:
            FeatureError: The stream has ended, or `out` is too small.
            ModelError: The program failed.

        [render thread]
        """
        batch, count = int(frames.shape[0]), int(frames.shape[2])
        samples = count * self.spec.hop_samples
        self._check(batch, samples, state, out)
        if count:
            seeds = self._seeds(state)
            vectors = torch.from_numpy(frames.copy())
            for voice, module in enumerate(state.modules):
                out[voice, :samples] = self._script.decode(module, vectors[voice], seeds[voice]).numpy()
        state.made_frames += count
        return samples

    def flush(self, state: ScriptState, out: Audio) -> int:
        """End the stream; nothing was held back.

        Raises:
            FeatureError: The stream has ended before.

        [render thread]
        """
        self._check(len(state.modules), 0, state, out)
        state.ended = True
        return 0

    def _seeds(self, state: ScriptState) -> list[int]:
        """Return what to seed each voice's next step with. [render thread]"""
        if not self._script.draws:
            return [0] * len(state.modules)
        levels = state.draws.uniforms(0, state.made_frames, 1)[:, 0]
        return [int(level * 2.0**_SEED_BITS) for level in levels]

    def _check(self, batch: int, samples: int, state: ScriptState, out: Audio) -> None:
        """Refuse an ended stream, another number of voices, or too little room. [render thread]"""
        if state.ended:
            raise FeatureError("This stream has been flushed; take a new state to play on.")
        voices = len(state.modules)
        if batch != voices or out.shape[0] != voices or out.shape[1] < samples:
            raise FeatureError(
                f"Frames of {batch} voices into a stream of {voices} with room for {list(out.shape)}; give "
                f"the stream's voices and room for [{voices}, {samples}] samples."
            )
