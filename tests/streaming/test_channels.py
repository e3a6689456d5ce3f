"""Affine maps, slices, gates and functions of one value: the same on either layout, in pieces as whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Affine, Channels, Standardise
from synthhost.streaming.gates import Gate
from synthhost.streaming.pointwise import Clamp, ReLU, Scale
from synthhost.streaming.sequence import Sequence

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


def drawn(block: AnyBlock) -> AnyBlock:
    """Give a block's parameters values that show a wrong axis."""
    with torch.no_grad():
        for index, parameter in enumerate(block.parameters()):
            parameter.copy_(torch.arange(1.0, parameter.numel() + 1.0) + index)
    return block


BLOCKS = [
    drawn(Affine(4)),
    drawn(Standardise(4)),
    Channels(1, 3, of=4),
    Gate(2, "tanh"),
    Gate(2, "sigmoid"),
    ReLU(),
    Scale(0.5),
    Clamp(-0.5, 0.25),
]


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_pieces_are_the_whole_at_once(in_pieces: InPieces, block: AnyBlock) -> None:
    x = torch.randn(2, 4, 9)
    assert torch.equal(in_pieces(block, x, [0, 4, 0, 1]), block(x).detach())
    assert block.ready(5) == block.total(5) == 5
    assert block.support(3, 7) == (3, 7)


def test_an_affine_map_scales_then_shifts_every_channel() -> None:
    x = torch.ones(1, 4, 1)
    assert drawn(Affine(4))(x).flatten().tolist() == [1 + 2, 2 + 3, 3 + 4, 4 + 5]


def test_standardising_takes_the_mean_off_and_divides() -> None:
    x = torch.full((1, 4, 1), 5.0)
    assert drawn(Standardise(4))(x).flatten().tolist() == pytest.approx([4 / 2, 3 / 3, 2 / 4, 1 / 5])


def test_a_gate_says_which_half_is_squashed_and_which_lets_through() -> None:
    a, b = torch.randn(1, 2, 5), torch.randn(1, 2, 5)
    x = torch.cat((a, b), 1)
    torch.testing.assert_close(Gate(2, "tanh")(x), a.tanh() * b.sigmoid())
    torch.testing.assert_close(Gate(2, "sigmoid")(x), a.sigmoid() * b.tanh())


def test_slices_and_gates_tell_a_sequence_how_many_channels_come_out() -> None:
    chain = Sequence({"gate": Gate(4, "tanh"), "slice": Channels(2, 3, of=4), "relu": ReLU()})
    assert (chain.in_channels, chain.out_channels) == (8, 1)
    assert Channels(2, 4, of=4)(torch.arange(4.0).view(1, 4, 1)).flatten().tolist() == [2, 3]
