"""Joins weigh, modulate, take channels and hold back, whole and in pieces."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.channels import Offset
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Graph, GraphBuilder
from synthhost.streaming.joins import AddChannels, Beside, Modulate, Weigh

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


def modulated() -> Graph:
    """Lay a stream that is modulated by a later one, and added to channels of it."""
    graph = GraphBuilder(2)
    film = graph.add("film", Conv(2, 4, 5, padding=(2, 2)), graph.input)
    waiting = graph.join("waiting", Beside(), graph.input, film)
    shifted = graph.add("shifted", Offset(torch.tensor([1.0, -2.0])), waiting)
    both = graph.join("both", Modulate(), shifted, film)
    taken = graph.join("taken", AddChannels(1, 3, 0.5), both, film)
    return graph.build(graph.join("weighed", Weigh(2.0, -1.0), taken, waiting))


def test_each_join_computes_what_it_says() -> None:
    x = torch.randn(1, 2, 9)
    graph = modulated()
    film = graph.nodes[0].action(x)
    shifted = x + torch.tensor([[1.0], [-2.0]])
    both = film[:, :2] + film[:, 2:] * shifted
    expected = 2.0 * 0.5 * (both + film[:, 1:3]) - x
    torch.testing.assert_close(graph(x), expected)
    assert graph.out_channels == 2


@settings(deadline=None, max_examples=40)
@given(cuts=st.lists(st.integers(0, 5), max_size=6), rest=st.integers(1, 9))
def test_joins_in_any_chunking_give_their_offline_output(
    in_pieces: InPieces, cuts: list[int], rest: int
) -> None:
    graph = modulated()
    x = torch.randn(2, 2, rest + sum(cuts))
    torch.testing.assert_close(in_pieces(graph, x, cuts), graph(x).detach())


def test_a_stream_held_back_waits_once(in_pieces: InPieces) -> None:
    graph = modulated()
    state = graph.new_state()
    with torch.inference_mode():
        graph.step(torch.randn(1, 10, 2), state)
    waiting = [0 if one is None else one.shape[1] for queues in state.waiting for one in queues]
    assert sum(waiting) == 2  # at the join that holds back alone
