"""What is measured: one model in steps of one length, and how back ends play it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from typing import Any, Protocol

import numpy as np

from bench.exported import Exported, StepGraph, WholeGraph, export
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.streaming.block import AnyBlock

_UTTERANCE_FRAMES = 512


@dataclass
class Case:
    """One network in steps of one length, so many voices at once, on so many threads.

    Where it is `whole`, a step is a stream of its own, from its first frame to its end.
    """

    name: str
    spec: ModelSpec
    block: AnyBlock
    chunk_frames: int
    threads: int
    voices: int = 1
    whole: bool = False

    @cached_property
    def features(self) -> Features:
        """Noise in the range of log-mel frames, `[voices, bands, frames]`; what is in it costs nothing."""
        frames = max(_UTTERANCE_FRAMES // self.chunk_frames, 2) * self.chunk_frames
        noise = np.random.default_rng(0).standard_normal((self.voices, self.spec.bands, frames))
        return (2.0 * noise - 5.0).astype(np.float32)

    def pieces(self) -> Iterator[Features]:
        """Yield one step's frames after the other, without end."""
        frames = self.features.shape[2]
        for step in count():
            first = step * self.chunk_frames % frames
            yield self.features[:, :, first : first + self.chunk_frames]

    @property
    def settling_steps(self) -> int:
        """After so many steps nothing remembers the start."""
        return 1 if self.whole else self.spec.receptive_frames // self.chunk_frames + 3

    @property
    def sound_ms(self) -> float:
        """How much sound one step makes."""
        return 1000.0 * self.chunk_frames * self.spec.hop_samples / self.spec.sample_rate

    @cached_property
    def graph(self) -> StepGraph | WholeGraph:
        """One step in plain operations."""
        kind = WholeGraph if self.whole else StepGraph
        return kind(self.block, self.voices, self.spec.bands, self.chunk_frames)

    @cached_property
    def exported(self) -> Exported:
        """The same for other runtimes."""
        return export(self.graph, self.voices, self.spec.bands, self.chunk_frames)

    @property
    def gflop(self) -> float:
        """What the convolutions of one step compute, a multiplication and an addition counting two."""
        return self.graph.operations * 1e-9


class Player(Protocol):
    """One back end playing a case, step after step."""

    form: str  # what was made of the case, in a few words

    def step(self, frames: Features) -> Audio:
        """Turn the next frames, `[voices, bands, frames]`, into sound, `[voices, samples]`.

        The sound is valid until the next step.
        """


class RunnerPlayer:
    """A runner of this project, called as the host calls it."""

    def __init__(self, case: Case, runner: Runner) -> None:
        spec = case.spec
        self.form = "whole pass" if case.whole else "stream"
        self._runner, self._voices, self._whole = runner, case.voices, case.whole
        self._state: Any = runner.new_state(case.voices)
        room = case.chunk_frames * spec.hop_samples + 2 * spec.burst_samples
        self._out = np.zeros((case.voices, room + spec.look_ahead_samples), np.float32)

    def step(self, frames: Features) -> Audio:
        """Play the next frames, or a stream of them alone."""
        if self._whole:
            self._state = self._runner.new_state(self._voices)
        written = self._runner.step(frames, self._state, self._out)
        if self._whole:
            written += self._runner.flush(self._state, self._out[:, written:])
        return self._out[:, :written]


class NoiseFeed:
    """Draws the noises of one step after another into arrays, as a runner's blocks draw them."""

    def __init__(self, exported: Exported, voices: int, arrays: list[Audio]) -> None:
        """Take the arrays to write into, `[voices, samples]`, one for each noise."""
        self._draws = SeededDraws.of(0, voices)
        self._places = [(stream, first) for stream, first in exported.noises]
        self._arrays = arrays
        self._moves = not exported.whole

    def advance(self) -> None:
        """Draw the noises of the next step."""
        for place, array in enumerate(self._arrays):
            stream, first = self._places[place]
            array[:] = self._draws.normals(stream, max(first, 0), array.shape[1])
            self._places[place] = stream, first + array.shape[1] * self._moves


def sound_after_settling(player: Player, case: Case) -> list[Audio]:
    """Play a fresh player until nothing remembers the start, then as long again; return what that gave."""
    pieces, made = case.pieces(), []
    for step in range(2 * case.settling_steps):
        sound = player.step(next(pieces))
        if step >= case.settling_steps:
            made.append(sound.copy())
    return made
