"""The torch runner of GPUs: running streams replay a recorded step, all else is computed as ever."""

from __future__ import annotations

import dataclasses
from collections import deque
from dataclasses import dataclass, field

import torch
from torch import Tensor

from synthhost.backends.lane import Lane, LaneError, Recorder, record_graph
from synthhost.backends.state_tree import noise_states, shape_of, tensor_places
from synthhost.backends.torch_runner import TorchRunner, TorchState
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import Draws
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.noise import NoiseState


class Hold:
    """A stream's hold on a lane, which others may have once it is let go of."""

    def __init__(self, lane: Lane, free: deque[Lane]) -> None:
        self.lane = lane
        self._free = free

    def __del__(self) -> None:
        self._free.append(self.lane)


@dataclass(slots=True)
class GraphState(TorchState):
    """One running stream. While it holds a lane, its tensors lie there; a copy keeps them in one piece.

    Attributes:
        hold: On the lane that holds the tensors.
        packed: The tensors in one piece, in the order of `layout`; the network's state has stale ones then.
        layout: The lane they lay in.
        replayed: Steps that the counts in the network's state do not know of yet.
        noises: The network's states of noise, while a lane is held.
    """

    hold: Hold | None = None
    packed: Tensor | None = None
    layout: Lane | None = None
    replayed: int = 0
    noises: list[NoiseState] = field(default_factory=list)

    def copy(self) -> GraphState:
        """Return an independent state with the same future. [render thread]"""
        packed = self.packed if self.hold is None else self.hold.lane.arena.flat.clone()
        network = self.network.copy()
        return dataclasses.replace(self, network=network, hold=None, packed=packed, noises=[])

    def unpack(self) -> None:
        """Bring the network's state up to date, and let go of the lane. [render thread]"""
        if self.hold is not None:
            self.packed = self.hold.lane.arena.flat.clone()
        if self.packed is None or self.layout is None:
            return
        tensors = self.layout.arena.split(self.packed)
        for place, tensor in zip(tensor_places(self.network), tensors, strict=True):
            place.put(tensor)
        self.layout.grow(self.network, self.replayed)
        self.hold, self.packed, self.layout, self.replayed, self.noises = None, None, None, 0, []

    def enter(self, lane: Lane, free: deque[Lane]) -> bool:
        """Move into a lane whose step fits the stream; tell whether it does. [render thread]"""
        if self.packed is not None and self.layout is not None and self.layout.shape == lane.shape:
            lane.arena.flat.copy_(self.packed)
            self.layout.grow(self.network, self.replayed)
        else:
            self.unpack()
            if shape_of(self.network) != lane.shape:
                return False
            lane.load(self.network)
        self.hold, self.packed, self.layout, self.replayed = Hold(lane, free), None, lane, 0
        self.noises = noise_states(self.network)
        return True


class GraphRunner(TorchRunner):
    """One model computed by torch on a GPU, running streams by a CUDA graph for each number of frames.

    A step is recorded when it is asked for with `reserve`, on whatever thread that is; streams take it up by
    themselves as soon as they run. Sums are those of float32, unless torch was told to round to TF32.

    It was run on an NVIDIA H100 80GB HBM3 with torch 2.11.0+cu130, and on no other GPU; see
    `bench/gpu.py` and `tests/backends/test_cuda.py`.

    Args:
        spec: Of the model.
        block: The network, on its device.
        controls: What its streams can be told.
        record: Records a step: as a CUDA graph, or in a test as the step itself.

    Raises:
        ConfigError: `spec` says something else than the network does.
    """

    def __init__(
        self,
        spec: ModelSpec,
        block: AnyBlock,
        controls: tuple[ParamSpec, ...] = (),
        record: Recorder = record_graph,
    ) -> None:
        super().__init__(spec, block, controls)
        self._record = record
        self._free: dict[tuple[int, int], deque[Lane]] = {}  # by voices and frames
        self._wanted: dict[tuple[int, int], int] = {}  # streams that have not moved in yet
        self._refused: dict[tuple[int, int], str] = {}

    def reserve(self, chunk_frames: int, batch: int = 1) -> str:
        """Record a step of so many frames for one more stream; say in a few words what came of it."""
        key = (batch, chunk_frames)
        free = self._free.setdefault(key, deque())
        self._wanted[key] = self._wanted.get(key, 0) + 1
        try:
            if key not in self._refused and len(free) < self._wanted[key]:
                with torch.inference_mode():
                    free.append(Lane(self._block, chunk_frames, batch, self._record))
        except LaneError as error:
            self._refused[key] = str(error)
        if key in self._refused:
            return f"steps are launched one by one, as {self._refused[key]}"
        rounded = ", in TF32" if torch.backends.cuda.matmul.allow_tf32 else ""
        return f"steps of {chunk_frames} frames are replayed as one graph{rounded}"

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> GraphState:
        """Return the state of a stream that has not begun, of `batch` voices in step."""
        return GraphState(super().new_state(batch, draws).network)

    def step(self, frames: Features, state: TorchState, out: Audio) -> int:
        """Turn `frames` `[batch, bands, frames]` into audio `[batch, samples]`; as `TorchRunner.step`.

        [render thread]
        """
        assert isinstance(state, GraphState)
        batch, count = int(frames.shape[0]), int(frames.shape[2])
        self._check_out(count * self.spec.hop_samples + self.spec.burst_samples, batch, state, out)
        with torch.inference_mode():
            stays = state.hold is not None and state.hold.lane.frames == count
            if stays or self._moved_in(state, batch, count):
                assert state.hold is not None
                state.replayed += 1
                return state.hold.lane.run(frames, state.noises, out)
            state.unpack()
            return super().step(frames, state, out)

    def flush(self, state: TorchState, out: Audio) -> int:
        """End the stream: write what was still held back; as `TorchRunner.flush`. [render thread]"""
        assert isinstance(state, GraphState)
        with torch.inference_mode():
            state.unpack()
        return super().flush(state, out)

    def _moved_in(self, state: GraphState, batch: int, frames: int) -> bool:
        """Let a stream that runs move into a free lane; tell whether there is one. [render thread]"""
        key = (batch, frames)
        free = self._free.get(key)
        if not free:
            return False
        try:
            lane = free.popleft()
        except IndexError:  # another thread was faster
            return False
        if not state.enter(lane, free):
            free.append(lane)
            return False
        self._wanted[key] = max(self._wanted.get(key, 0) - 1, 0)
        return True
