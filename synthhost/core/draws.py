"""Where a running stream takes its random numbers from: by stream and absolute index, never by call order."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from synthhost.core.errors import FeatureError
from synthhost.core.noise import normals, uniforms

_RANGES = MappingProxyType({"noise": (-1e3, 1e3), "uniforms": (0.0, 1.0)})


class Draws(Protocol):
    """Random numbers for every voice of a batch. Immutable: copies of a stream's state share it."""

    @property
    def batch(self) -> int:
        """Return how many voices draw."""

    def normals(self, stream: int, first: int, count: int) -> NDArray[np.float32]:
        """Return standard normal values at indices `first ...` of a stream, `[batch, count]`."""

    def uniforms(self, stream: int, first: int, count: int) -> NDArray[np.float64]:
        """Return values in (0, 1) at indices `first ...` of a stream, `[batch, count]`."""

    def reseeded(self, seed: int) -> Draws:
        """Return what draws by another seed, for as many voices; 0 is what it began with."""


@dataclass(frozen=True, slots=True)
class SeededDraws:
    """Draws by one seed for each voice.

    Attributes:
        seeds: One for each voice.
        own: The seeds it began with, which seed 0 brings back; None: these.
    """

    seeds: tuple[int, ...]
    own: tuple[int, ...] | None = None

    @classmethod
    def of(cls, seed: int, batch: int = 1) -> Self:
        """Return draws for voices that all have the same seed."""
        return cls((seed,) * batch)

    @property
    def batch(self) -> int:
        """Return how many voices draw."""
        return len(self.seeds)

    def normals(self, stream: int, first: int, count: int) -> NDArray[np.float32]:
        """Return standard normal values, `[batch, count]`."""
        return np.stack([normals(seed, stream, first, count) for seed in self.seeds]).astype(np.float32)

    def uniforms(self, stream: int, first: int, count: int) -> NDArray[np.float64]:
        """Return values uniform in (0, 1), `[batch, count]`."""
        return np.stack([uniforms(seed, stream, first, count) for seed in self.seeds])

    def reseeded(self, seed: int) -> SeededDraws:
        """Return draws by another seed for every voice, or for 0 by those it began with."""
        own = self.seeds if self.own is None else self.own
        return SeededDraws(own if seed == 0 else (seed,) * self.batch, own)


@dataclass(frozen=True, slots=True)
class TapeDraws:
    """Draws read off recorded tapes, for one voice.

    Attributes:
        noise: Normal values, `[streams, indices]`, or None.
        levels: Uniform values, `[streams, indices]`, or None.
    """

    noise: NDArray[np.float64] | None = None
    levels: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        noise: ArrayLike | None,
        levels: ArrayLike | None,
        noise_streams: int | None = None,
        level_streams: int | None = None,
    ) -> Self:
        """Return draws from anything that is an array of one stream or of several.

        Axes of length 1 do not count, and where it is known how many streams there are, a tape that was
        recorded index by index is turned.

        Args:
            noise: Normal values, `[streams, indices]`, `[indices, streams]` or `[indices]`.
            levels: Uniform values, likewise.
            noise_streams: How many streams of noise are drawn.
            level_streams: How many streams of uniform values are drawn.

        Raises:
            FeatureError: A tape is no such array of finite numbers.
        """
        return cls(_tape("noise", noise, noise_streams), _tape("uniforms", levels, level_streams))

    def lengthened(self, heard: int, made: int) -> Self:
        """Return tapes that reach `made` indices where they reach `heard`: the rest is made and cut away."""
        return type(self)(_lengthened(self.noise, heard, made), _lengthened(self.levels, heard, made))

    @property
    def batch(self) -> int:
        """Return 1."""
        return 1

    def normals(self, stream: int, first: int, count: int) -> NDArray[np.float32]:
        """Return the recorded values, `[1, count]`.

        Raises:
            FeatureError: The tape is too short.
        """
        return _read("noise", self.noise, stream, first, count).astype(np.float32)

    def uniforms(self, stream: int, first: int, count: int) -> NDArray[np.float64]:
        """Return the recorded values, `[1, count]`.

        Raises:
            FeatureError: The tape is too short.
        """
        return _read("uniforms", self.levels, stream, first, count)

    def reseeded(self, seed: int) -> SeededDraws:
        """Return draws by a seed: the tape is left."""
        return SeededDraws.of(seed)


def _tape(name: str, values: ArrayLike | None, streams: int | None) -> NDArray[np.float64] | None:
    if values is None:
        return None
    try:
        given = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise FeatureError(f"{name}: no array of numbers ({error}).") from error
    tape = _laid_out(given, streams)
    if streams == 0:
        raise FeatureError(f"{name}: this model draws none of it. Leave {name}= out.")
    if tape is None or not np.isfinite(tape).all():
        wanted = "streams" if streams is None else str(streams)
        raise FeatureError(
            f"{name}: a tape of shape {list(given.shape)}; give finite numbers, [{wanted}, indices]."
        )
    low, high = _RANGES[name]
    if tape.min() < low or tape.max() > high:
        raise FeatureError(
            f"{name}: values from {tape.min():g} to {tape.max():g}; they must lie in {low:g} to {high:g}."
        )
    return tape


def _laid_out(given: NDArray[np.float64], streams: int | None) -> NDArray[np.float64] | None:
    """Return a tape as `[streams, indices]`, or None if it is none."""
    tape = given if given.ndim <= 2 else given.squeeze()
    if tape.ndim > 2 or tape.size == 0:
        return None
    tape = np.atleast_2d(tape)
    if streams is not None and tape.shape[0] != streams and tape.shape[1] == streams:
        tape = tape.T
    return tape if streams is None or tape.shape[0] == streams else None


def _lengthened(tape: NDArray[np.float64] | None, heard: int, made: int) -> NDArray[np.float64] | None:
    if tape is None or not heard <= tape.shape[1] < made:
        return tape
    return np.pad(tape, ((0, 0), (0, made - tape.shape[1])), mode="edge")


def _read(
    name: str, tape: NDArray[np.float64] | None, stream: int, first: int, count: int
) -> NDArray[np.float64]:
    if tape is None:
        raise FeatureError(f"this model draws from {name}, but no such tape was given. Pass {name}=.")
    if stream >= tape.shape[0] or first + count > tape.shape[1]:
        raise FeatureError(
            f"{name}: the tape {list(tape.shape)} ends before index {first + count} of stream {stream}. "
            "Give a longer one."
        )
    return tape[stream : stream + 1, first : first + count]
