"""Streams computed from one another: a flat list of blocks and joins, each waiting for its slowest input.

Where a network has one line of blocks, `Sequence` says so; where several streams meet (a signal and what
conditions it, a signal and its earlier self), the network is laid out here, one node after the other. The
same block may stand at several nodes: they share its weights and each has its own state.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Literal, NewType, Self

import torch
from torch import Tensor, nn

from synthhost.core.draws import Draws
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock, Block, State

_PROBE = 1 << 12  # inputs, a multiple of every decimation, at which the lengths that meet are compared

Stream = NewType("Stream", int)
"""A stream inside a graph: 0 is its input, n + 1 what node n gives."""


class Join(nn.Module, ABC):
    """A function of several streams of one rate, each value of it of one moment alone."""

    @abstractmethod
    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return one stream of equally long ones; time is the other axis behind the batch. [render thread]"""

    @abstractmethod
    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return how many channels come out, by how many go in."""


class Add(Join):
    """The sum of streams, times `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the scaled sum. [render thread]"""
        total = streams[0]
        for stream in streams[1:]:
            total = total + stream
        return total if self.scale == 1.0 else total * self.scale

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return the first known number."""
        return next((count for count in inputs if count is not None), None)


class Concat(Join):
    """The channels of all streams, in order."""

    def combine(self, streams: tuple[Tensor, ...], channel_axis: int) -> Tensor:
        """Return the streams beside each other. [render thread]"""
        return torch.cat(streams, channel_axis)

    def channels(self, inputs: tuple[int | None, ...]) -> int | None:
        """Return the sum."""
        return None if None in inputs else sum(count or 0 for count in inputs)


@dataclass(frozen=True, slots=True)
class Node:
    """One place in a graph: a block on one stream, or a join of several."""

    name: str
    action: AnyBlock | Join
    inputs: tuple[Stream, ...]


@dataclass(slots=True)
class GraphState(State):
    """The state of each node's block, and what waits at each input of each join."""

    nodes: list[State | None]
    waiting: list[list[Tensor | None]]

    def copy(self) -> Self:
        """Return an independent state with the same future. [render thread]"""
        nodes = [None if one is None else one.copy() for one in self.nodes]
        return dataclasses.replace(self, nodes=nodes, waiting=[list(queues) for queues in self.waiting])

    def set_control(self, name: str, value: float) -> None:
        """Hand a control to every node. [render thread]"""
        for one in self.nodes:
            if one is not None:
                one.set_control(name, value)


class Graph(Block[GraphState]):
    """Blocks and joins in the order in which they are computed; the last node's stream comes out.

    Raises:
        ConfigError: Streams of different length meet in a join.
    """

    def __init__(self, in_channels: int | None, nodes: tuple[Node, ...], output: Stream) -> None:
        super().__init__()
        self.nodes = nodes
        self.output = output
        for node in nodes:
            self.add_module(node.name, node.action)
        self._blocks = tuple(node.action if isinstance(node.action, Block) else None for node in nodes)
        self.parts = tuple({id(block): block for block in self._blocks if block is not None}.values())
        self.in_channels = in_channels
        self.out_channels = self._channels()[output]
        self._spent = _last_uses(nodes, output)
        self._check_lengths()

    def forward(self, x: Tensor) -> Tensor:
        """Run over a whole stream, `[batch, channels, time]`."""
        streams = {0: x}
        for place, node in enumerate(self.nodes):
            given = tuple(streams[one] for one in node.inputs)
            action = node.action
            streams[place + 1] = action.combine(given, 1) if isinstance(action, Join) else action(given[0])
            for one in self._spent[place]:
                del streams[one]
        return streams[self.output]

    def new_state(self, batch: int = 1, draws: Draws | None = None) -> GraphState:
        """Return the state of a stream that has not begun."""
        states = [
            node.action.new_state(batch, draws) if isinstance(node.action, Block) else None
            for node in self.nodes
        ]
        return GraphState(batch, states, [[None] * len(node.inputs) for node in self.nodes])

    def step(self, x: Tensor, state: GraphState) -> Tensor:
        """Take the next piece and return what it decides. [render thread]"""
        return self._run(x, state, ending=False)

    def finish(self, x: Tensor, state: GraphState) -> Tensor:
        """Take the last piece and return the rest. [render thread]"""
        return self._run(x, state, ending=True)

    def ready(self, n_inputs: int) -> int:
        """Return how many outputs are decided after `n_inputs` inputs."""
        return self._counts(n_inputs, "ready")[self.output]

    def total(self, n_inputs: int) -> int:
        """Return how many outputs a stream of `n_inputs` inputs has in all."""
        return self._counts(n_inputs, "total")[self.output]

    def support(self, first: int, last: int) -> tuple[int, int]:
        """Return the first and last input that outputs `first` to `last` depend on."""
        needed: dict[int, tuple[int, int]] = {self.output: (first, last)}
        for place in range(len(self.nodes), 0, -1):
            if place not in needed:
                continue
            node = self.nodes[place - 1]
            low, high = needed[place]
            block = self._blocks[place - 1]
            if block is not None:
                low, high = block.support(low, high)
            for one in node.inputs:
                known = needed.get(one, (low, high))
                needed[one] = (min(low, known[0]), max(high, known[1]))
        return needed.get(0, (first, first))

    def _run(self, x: Tensor, state: GraphState, *, ending: bool) -> Tensor:
        """Compute every node once, on what its inputs have decided. [render thread]"""
        streams = {0: x}
        for place, node in enumerate(self.nodes):
            action = node.action
            if isinstance(action, Join):
                given = tuple(streams[one] for one in node.inputs)
                streams[place + 1] = action.combine(_aligned(given, state.waiting[place]), 2)
            else:
                run = action.finish if ending else action.step
                streams[place + 1] = run(streams[node.inputs[0]], state.nodes[place])
            for one in self._spent[place]:
                del streams[one]
        return streams[self.output]

    def _counts(self, n_inputs: int, of: Literal["ready", "total"]) -> list[int]:
        """Return how many samples every stream has, the graph's input first."""
        counts = [n_inputs]
        for node, block in zip(self.nodes, self._blocks, strict=True):
            if block is None:
                counts.append(min(counts[one] for one in node.inputs))
            else:
                counts.append(getattr(block, of)(counts[node.inputs[0]]))
        return counts

    def _channels(self) -> list[int | None]:
        found: list[int | None] = [self.in_channels]
        for node in self.nodes:
            given = tuple(found[one] for one in node.inputs)
            if isinstance(node.action, Join):
                found.append(node.action.channels(given))
            else:
                out = node.action.out_channels
                found.append(given[0] if out is None else out)
        return found

    def _check_lengths(self) -> None:
        totals = self._counts(_PROBE, "total")
        for node in self.nodes:
            lengths = [totals[one] for one in node.inputs]
            if len(set(lengths)) > 1:
                raise ConfigError(
                    f"{node.name}: streams of {lengths} samples meet and cannot be joined; give them rates "
                    "and paddings that end in the same length."
                )


class GraphBuilder:
    """Lays out a graph, a node at a time.

    Attributes:
        input: The stream that the graph is given.
    """

    def __init__(self, in_channels: int | None) -> None:
        self.input = Stream(0)
        self._in_channels = in_channels
        self._nodes: list[Node] = []
        self._names: set[str] = set()

    def add(self, name: str, block: AnyBlock, stream: Stream) -> Stream:
        """Put a block on a stream and return what it gives. Names hold no dot and stand once."""
        return self._put(Node(name, block, (stream,)))

    def join(self, name: str, join: Join, *streams: Stream) -> Stream:
        """Join streams of one rate and return the result."""
        return self._put(Node(name, join, streams))

    def build(self, output: Stream) -> Graph:
        """Return the graph that gives this stream."""
        return Graph(self._in_channels, tuple(self._nodes), output)

    def _put(self, node: Node) -> Stream:
        assert node.name not in self._names, node.name
        self._names.add(node.name)
        self._nodes.append(node)
        return Stream(len(self._nodes))


def _last_uses(nodes: tuple[Node, ...], output: Stream) -> tuple[tuple[int, ...], ...]:
    """Return, for every node, the streams that nothing behind it takes: a long graph must not keep them."""
    last = {place + 1: place for place in range(len(nodes))}
    for place, node in enumerate(nodes):
        last.update(dict.fromkeys(node.inputs, place))
    last.pop(output, None)
    spent: list[list[int]] = [[] for _ in nodes]
    for stream, place in last.items():
        spent[place].append(stream)
    return tuple(map(tuple, spent))


def _aligned(given: tuple[Tensor, ...], waiting: list[Tensor | None]) -> tuple[Tensor, ...]:
    """Return what all inputs of a join have decided; the rest waits. [render thread]"""
    joined = [
        new if old is None or not old.shape[1] else torch.cat((old, new), 1)
        for old, new in zip(waiting, given, strict=True)
    ]
    decided = min(one.shape[1] for one in joined)
    waiting[:] = [one[:, decided:] for one in joined]
    return tuple(one[:, :decided] for one in joined)
