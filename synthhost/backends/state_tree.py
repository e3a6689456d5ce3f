"""The tensors, counts and noise inside a stream's state, in a fixed order: what a recorded step works on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, TypeAlias

import torch
from torch import Tensor

from synthhost.streaming.block import State
from synthhost.streaming.conv import ConvState
from synthhost.streaming.edges import LeadState, TailState
from synthhost.streaming.graph import GraphState
from synthhost.streaming.interpolation import PickState
from synthhost.streaming.noise import NoiseState
from synthhost.streaming.parallel import WaitingState
from synthhost.streaming.sequence import CompositeState
from synthhost.streaming.transposed import TransposeState

Shape: TypeAlias = tuple[Any, ...]
"""What two states must have in common so that the same recorded step moves both on."""

_KNOWN = (
    *(State, ConvState, TransposeState, LeadState, TailState, PickState),
    *(NoiseState, CompositeState, WaitingState, GraphState),
)
_COUNTS = frozenset(("seen", "first"))  # they grow by as much in every step, and decide nothing once it runs
_NO_SHAPE = frozenset((*_COUNTS, "draws", "temperature"))


@dataclass(frozen=True, slots=True)
class Place:
    """Where a value stands: an attribute of a state, or an entry of a list in one."""

    owner: Any
    key: Any

    def get(self) -> Any:
        """Return the value. [render thread]"""
        return self.owner[self.key] if isinstance(self.owner, list) else getattr(self.owner, self.key)

    def put(self, value: Any) -> None:
        """Put another value there. [render thread]"""
        if isinstance(self.owner, list):
            self.owner[self.key] = value
        else:
            setattr(self.owner, self.key, value)


def unknown_part(state: State) -> str | None:
    """Return the name of a state that no recorded step may work on, or None."""
    states = (place.owner for place in _places(state) if isinstance(place.owner, State))
    return next((type(one).__name__ for one in states if type(one) not in _KNOWN), None)


def tensor_places(state: State) -> list[Place]:
    """Return where all tensors of a state stand. [render thread]"""
    return [place for place in _places(state) if isinstance(place.get(), Tensor)]


def count_places(state: State) -> list[Place]:
    """Return where the counts that grow with every step stand. [render thread]"""
    return [place for place in _places(state) if place.key in _COUNTS]


def noise_states(state: State) -> list[NoiseState]:
    """Return the states of all blocks of noise. [render thread]"""
    return [place.owner for place in _places(state) if place.key == "draws"]


def shape_of(state: State) -> Shape:
    """Return a state's shape: its parts, its tensors' sizes, and whatever decides what a step does.

    [render thread]
    """
    return tuple(_told(place.get()) for place in _places(state) if place.key not in _NO_SHAPE)


def _told(value: Any) -> Any:
    return (tuple(value.shape), value.dtype) if isinstance(value, Tensor) else value


def _places(node: Any) -> Iterator[Place]:
    """Yield the place of every value that is no state or list itself. [render thread]"""
    keys = range(len(node)) if isinstance(node, list) else [field.name for field in fields(node)]
    for key in keys:
        place = Place(node, key)
        value = place.get()
        if isinstance(value, State | list):
            yield from _places(value)
        else:
            yield place


class Arena:
    """One flat tensor that holds all tensors of a state, each on a boundary of 256 bytes.

    Attributes:
        flat: `[numbers]`, float32.
        views: The tensors in it.
    """

    def __init__(self, tensors: list[Tensor]) -> None:
        """Make room for tensors like these and copy them in."""
        sizes = [-(-max(tensor.numel(), 1) // 64) * 64 for tensor in tensors]
        self._starts = [sum(sizes[:at]) for at in range(len(sizes))]
        self._like = [tuple(tensor.shape) for tensor in tensors]
        device = tensors[0].device if tensors else "cpu"
        self.flat = torch.zeros(sum(sizes), dtype=torch.float32, device=device)
        self.views = self.split(self.flat)
        self._rows = [view.view(-1) for view in self.views]  # of one axis: copied all at once
        self.load(tensors)

    def split(self, flat: Tensor) -> list[Tensor]:
        """Return the tensors in a copy of the arena. [render thread]"""
        return [
            flat[start : start + _numel(shape)].view(shape)
            for start, shape in zip(self._starts, self._like, strict=True)
        ]

    def load(self, tensors: list[Tensor]) -> None:
        """Copy tensors in; some may be views of the arena themselves. [render thread]"""
        if not tensors:
            return
        here = self.flat.untyped_storage().data_ptr()
        apart = [one.clone() if one.untyped_storage().data_ptr() == here else one for one in tensors]
        torch._foreach_copy_(self._rows, [one.reshape(-1) for one in apart])


def _numel(shape: tuple[int, ...]) -> int:
    total = 1
    for size in shape:
        total *= size
    return total
