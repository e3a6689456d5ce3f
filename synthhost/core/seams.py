"""The seams between rooms: small Protocols, each with more than one implementation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec


class StreamState(Protocol):
    """Everything one running stream remembers; owned by the caller, never by the model."""

    def copy(self) -> StreamState:
        """Return an independent state with the same future."""


class Runner(Protocol):
    """One model ready to run: weights shared, state brought by the caller."""

    spec: ModelSpec
    controls: tuple[ParamSpec, ...]  # what a running stream can be told, such as temperature
    noise_streams: int  # how many streams of normal values one voice draws
    uniform_streams: int  # how many of uniform ones

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> Any:
        """Return the state of a stream that has not begun; chance comes from `draws`."""

    def set_control(self, state: Any, name: str, value: float) -> None:
        """Take over a control of one stream from its next sample on. [render thread]"""

    def step(self, frames: Features, state: Any, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; return the samples written.

        Fewer than `frames * hop_samples` while look-ahead fills, so nothing undecided is emitted.
        `out` must hold `frames * hop_samples + burst_samples` samples. [render thread]
        """

    def flush(self, state: Any, out: Audio) -> int:
        """End the stream: write what was still held back (at most `look_ahead_samples + burst_samples`)."""


@runtime_checkable
class Reserving(Protocol):
    """A runner that lays out steps of one size beforehand, so that a stream's steps cost less."""

    def reserve(self, chunk_frames: int, batch: int = 1) -> str:
        """Get ready for one more stream of steps of so many frames; say in a few words what came of it.

        It may take seconds. A stream goes without where it was not called.
        """


@runtime_checkable
class Joining(Protocol):
    """A runner that can take the next steps of several streams together, each with the same bits as alone."""

    def step_each(
        self, frames: Sequence[Features], states: Sequence[Any], outs: Sequence[Audio]
    ) -> list[int]:
        """Step streams that have nothing to do with each other; return the samples that each wrote.

        Arguments as of `step`, one of each a stream. What is no number in one stays out of the others. A
        runner whose steps can fail while they play (`ModelError`) steps each stream alone instead.

        [render thread]
        """


class Source(Protocol):
    """What makes the feature stream a model eats."""

    kind: str
    params: tuple[ParamSpec, ...]

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit; it glides there. [render thread]"""

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value at once (before a stream begins)."""

    def next_frames(self, out: Features) -> None:
        """Write the next columns of the stream, `out` `[bands, frames]`. [render thread]"""

    def push(self, index: int | None, frames: Features) -> None:
        """Take frames from outside, `[bands, frames]`; sources that take none ignore them. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return what went wrong or was held so far, by name."""


class Effects(Protocol):
    """A chain of effects over a stereo stream with exact block bookkeeping."""

    params: tuple[ParamSpec, ...]  # named "fx.I.NAME", I from 0 in chain order
    latency_samples: int

    def set_param(self, name: str, value: float) -> None:
        """Set one effect's parameter, in its own unit. [render thread]"""

    def process(self, block: Audio) -> Audio:
        """Return the processed block, `[2, samples]` in and out, any length. [render thread]"""

    def reset(self) -> None:
        """Forget tails and histories. [render thread]"""
