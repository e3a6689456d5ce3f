"""A step of a fixed number of frames, recorded once and replayed: one launch for hundreds.

A lane belongs to one stream at a time. Its arena holds the stream's tensors; a replay reads and writes them
there; counts and chance stay with the stream. What is recorded is the step of a stream that runs: the
start and the end, where shapes change, are computed as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.backends.state_tree import (
    Arena,
    count_places,
    noise_states,
    shape_of,
    tensor_places,
    unknown_part,
)
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock, State
from synthhost.streaming.interpolation import Decimate
from synthhost.streaming.noise import NoiseState
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames

Recorder: TypeAlias = Callable[[Callable[[], None], torch.device], Callable[[], None]]
"""Takes work over fixed memory and its device; returns what does that work again and waits for its end."""

_STEADY_STEPS = 6  # at least, of equal shapes, before a step is recorded
_PIECE_FRAMES = 64
_SAME = 1e-6  # of the peak, between a replay and the step that was recorded
_WARM_UPS = 3


class LaneError(ConfigError):
    """A step cannot be recorded; the reason is a few words."""


class Lane:
    """A recorded step of `frames` frames of `batch` voices.

    Attributes:
        shape: Of the states it can move on.

    Raises:
        LaneError: The network's steps are not all alike, or recording failed.
    """

    def __init__(self, block: AnyBlock, frames: int, batch: int, record: Recorder) -> None:
        self.frames, self.batch = frames, batch
        self.samples = frames * hop_samples(block)
        self._block = block
        state = _running(block, frames, batch)
        self.shape = shape_of(state)
        self._growth = _growth(block, state, frames, self.samples)
        tensors = [place.get() for place in tensor_places(state)]
        if any(tensor.dtype != torch.float32 for tensor in tensors):
            raise LaneError("it does not remember in float32 alone")
        self.arena = Arena(tensors)
        self._device = block.no_input(1).device
        self._draws = [_Given(batch) for _ in noise_states(state)]
        self._template = self._laid_out(state)
        self._x = _host((batch, frames, block.in_channels or 0), self._device)
        self._y = _host((batch, self.samples), self._device)
        self._noise: list[Tensor] = []
        self._work()  # learns how much noise a step draws
        self._noise = [_host((batch, one.count), self._device) for one in self._draws]
        self._replay = self._recorded(record)
        self._check(state)

    def load(self, state: State) -> None:
        """Take over a stream's tensors. [render thread]"""
        self.arena.load([place.get() for place in tensor_places(state)])

    def grow(self, state: State, steps: int) -> None:
        """Let a state's counts grow as so many steps do. [render thread]"""
        for place, growth in zip(count_places(state), self._growth, strict=True):
            if not isinstance(place.owner, NoiseState):  # they grew when they drew
                place.put(place.get() + steps * growth)

    def run(self, frames: Features, noises: list[NoiseState], out: Audio) -> int:
        """Move the stream in the arena on by a step; as `Runner.step`.

        Args:
            frames: `[batch, bands, frames]`.
            noises: The stream's states of noise, in order.
            out: `[batch, samples]` and more, written in place.

        [render thread]
        """
        self._x.copy_(torch.from_numpy(frames.transpose(0, 2, 1).copy()))
        for buffer, given, noise in zip(self._noise, self._draws, noises, strict=True):
            drawn = noise.draws.normals(given.stream, noise.first, given.count)
            buffer.copy_(torch.from_numpy(np.asarray(drawn, np.float32) * np.float32(noise.temperature)))
            noise.first += given.count
        self._replay()
        out[:, : self.samples] = self._y.numpy()
        return self.samples

    def _work(self) -> None:
        """Do one step over the lane's memory: this is what is recorded."""
        for given, buffer in zip(self._draws, self._noise, strict=False):
            given.values = buffer.to(self._device, non_blocking=True)
        state = self._template.copy()
        y: Tensor = self._block.step(self._x.to(self._device, non_blocking=True), state)
        self._y.copy_(y[:, :, 0], non_blocking=True)
        self.arena.load([place.get() for place in tensor_places(state)])

    def _recorded(self, record: Recorder) -> Callable[[], None]:
        try:
            return record(self._work, self._device)
        except RuntimeError as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise LaneError(f"recording failed: {said[0][:120]}") from error

    def _laid_out(self, state: State) -> State:
        """Return a copy of a state whose tensors are the arena's, and whose noise is given."""
        copy = state.copy()
        for place, view in zip(tensor_places(copy), self.arena.views, strict=True):
            place.put(view)
        for noise, given in zip(noise_states(copy), self._draws, strict=True):
            noise.draws, noise.temperature = given, 1.0
        return copy

    def _check(self, state: State) -> None:
        """Play on with a replay and with a step; they must be the same."""
        random = np.random.default_rng(1)
        bands = self._block.in_channels or 0
        frames = random.standard_normal((self.batch, bands, self.frames)).astype(np.float32)
        replayed = np.zeros((self.batch, self.samples), np.float32)
        stepped, ahead = state.copy(), state.copy()
        for _ in range(2):
            self.load(ahead)
            self.run(frames, noise_states(ahead), replayed)
            x = torch.from_numpy(frames.transpose(0, 2, 1).copy()).to(self._device)
            expected = self._block.step(x, stepped)[:, :, 0].cpu().numpy()
            after = self.arena.split(self.arena.flat.clone())
            for place, tensor in zip(tensor_places(ahead), after, strict=True):
                place.put(tensor)
            if not np.abs(replayed - expected).max() <= _SAME * max(float(np.abs(expected).max()), 1e-3):
                raise LaneError("its replay does not sound like its steps")


class _Given:
    """Draws that are handed in: a step takes what lies in fixed memory.

    Attributes:
        stream: The stream that is drawn from, learned when a step runs.
        count: How many values a step draws.
        values: `[batch, count]`; none yet while that is learned.
    """

    def __init__(self, batch: int) -> None:
        self.batch = batch
        self.stream, self.count = 0, 0
        self.values: Tensor | None = None

    def normals(self, stream: int, first: int, count: int) -> NDArray[np.float32]:
        """Return what was handed in, a tensor that stands where an array may."""
        if self.values is None:
            self.stream, self.count = stream, count
            return np.zeros((self.batch, count), np.float32)
        values: NDArray[np.float32] = self.values  # type: ignore[assignment]
        return values

    def uniforms(self, stream: int, first: int, count: int) -> NDArray[np.float64]:
        """No block draws these."""
        raise NotImplementedError

    def reseeded(self, seed: int) -> Draws:
        """Return itself: seeds are the stream's."""
        return self


def _host(shape: tuple[int, ...], device: torch.device) -> Tensor:
    """Return memory of the computer that a GPU reads and writes by itself."""
    return torch.zeros(shape, dtype=torch.float32, pin_memory=device.type == "cuda")


def _running(block: AnyBlock, frames: int, batch: int) -> State:
    """Return the state of a stream that steps by so many frames, its start far behind it."""
    state: State = block.new_state(batch)
    part = unknown_part(state)
    if part is not None:
        raise LaneError(f"its part {part.removesuffix('State')} is not the same in every step")
    wide = -(-_PIECE_FRAMES // frames) * frames
    reach = receptive_frames(block) + look_ahead_samples(block) // hop_samples(block) + 2 * frames
    for _ in range(-(-reach // wide)):
        block.step(_noise_like(block, wide, batch), state)
    return state


def _growth(block: AnyBlock, state: State, frames: int, samples: int) -> list[int]:
    """Play on until it is sure that all steps are alike; return how much each count grows in one."""
    factors = [part.factor for part in block.modules() if isinstance(part, Decimate)]
    shape, growth = shape_of(state), None
    for _ in range(max(_STEADY_STEPS, *factors, 0) + 2):
        before = [place.get() for place in count_places(state)]
        y = block.step(_noise_like(block, frames, state.batch), state)
        grown = [place.get() - was for place, was in zip(count_places(state), before, strict=True)]
        if y.shape[1] != samples or shape_of(state) != shape or growth not in (None, grown):
            raise LaneError(f"its steps of {frames} frames are not all alike")
        growth = grown
    assert growth is not None
    return growth


def _noise_like(block: AnyBlock, frames: int, batch: int) -> Tensor:
    x = torch.randn(batch, frames, block.in_channels or 0, generator=torch.Generator().manual_seed(frames))
    return x.to(block.no_input(1).device)


def record_graph(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """Record work on a GPU as a CUDA graph; other threads may use the GPU meanwhile."""
    with torch.cuda.device(device):
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(_WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            work()
    stream_of = torch.cuda.current_stream

    def replay() -> None:
        graph.replay()
        stream_of(device).synchronize()

    return replay
