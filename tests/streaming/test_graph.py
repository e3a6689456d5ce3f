"""Graphs: streams that meet wait for each other, in pieces as whole; noise is where it belongs in time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.core.draws import SeededDraws, TapeDraws
from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.graph import Add, Concat, Graph, GraphBuilder
from synthhost.streaming.noise import Noise
from synthhost.streaming.repeat import Repeat
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


def same(inputs: int, outputs: int, kernel: int, dilation: int = 1) -> Conv:
    edge = (kernel - 1) * dilation // 2
    return Conv(inputs, outputs, kernel, dilation=dilation, padding=(edge, edge))


def denoiser(steps: int = 3) -> Graph:
    """Lay out noise that is refined in steps, beside the frames that condition it, with shared weights."""
    body = same(3, 1, 5, 2)
    graph = GraphBuilder(2)
    condition = graph.add("up", Repeat(4), graph.add("smooth", same(2, 2, 3), graph.input))
    signal = graph.add("start", Noise(0), condition)
    for step in range(steps):
        both = graph.join(f"both_{step}", Concat(), signal, condition)
        found = graph.add(f"body_{step}", body, both)
        fresh = graph.add(f"noise_{step}", Noise(step + 1), condition)
        signal = graph.join(f"next_{step}", Add(0.5), signal, found, fresh)
    return graph.build(signal)


@settings(deadline=None, max_examples=60)
@given(cuts=st.lists(st.integers(0, 7), max_size=8), rest=st.integers(1, 12), steps=st.integers(1, 4))
def test_a_graph_in_any_chunking_gives_its_offline_output(
    in_pieces: InPieces, cuts: list[int], rest: int, steps: int
) -> None:
    graph = denoiser(steps)
    x = torch.randn(2, 2, rest + sum(cuts))
    torch.testing.assert_close(in_pieces(graph, x, cuts), graph(x).detach(), atol=1e-5, rtol=1e-5)


def test_look_ahead_adds_up_over_the_steps() -> None:
    for steps in (1, 2, 3):
        graph = denoiser(steps)
        assert hop_samples(graph) == 4
        assert look_ahead_samples(graph) == 4 * 1 + 4 * steps
        first, last = graph.support(0, 3)
        assert (first, last) == (-steps - 1, steps + 1)
        assert receptive_frames(graph) == 2 * steps + 3


def test_steps_share_their_weights_and_nothing_else() -> None:
    graph = denoiser(3)
    assert len(list(graph.parameters())) == 4
    before, after = torch.randn(1, 9, 2), torch.randn(1, 30, 2)
    with torch.inference_mode():
        state = graph.new_state()
        graph.step(before, state)
        copied = state.copy()
        first, second = graph.finish(after, state), graph.finish(after, copied)
    assert torch.equal(first, second)


def test_streams_of_different_length_cannot_meet() -> None:
    graph = GraphBuilder(1)
    shorter = graph.add("shorter", Conv(1, 1, 3), graph.input)
    with pytest.raises(ConfigError, match="meet"):
        graph.build(graph.join("sum", Add(), shorter, graph.input))


def test_a_batch_of_seeds_is_the_single_voices() -> None:
    graph = denoiser()
    x = torch.randn(3, 12, 2)
    with torch.inference_mode():
        together = graph.finish(x, graph.new_state(3, SeededDraws((4, 5, 6))))
        for row, seed in enumerate((4, 5, 6)):
            alone = graph.finish(x[row : row + 1], graph.new_state(1, SeededDraws.of(seed)))
            torch.testing.assert_close(together[row : row + 1], alone)


def test_a_tape_is_played_stream_by_stream() -> None:
    tape = torch.randn(2, 6, dtype=torch.float64).numpy()
    block = Noise(1)
    state = block.new_state(1, TapeDraws.of(tape, None))
    x = torch.zeros(1, 3, 0)
    drawn = torch.cat((block.step(x, state), block.step(x, state)), 1)
    torch.testing.assert_close(drawn[0, :, 0].double(), torch.from_numpy(tape[1]), atol=1e-6, rtol=1e-6)


def test_controls_reach_the_noise() -> None:
    graph = denoiser(1)
    x = torch.zeros(1, 20, 2)
    with torch.inference_mode():
        quiet, other = graph.new_state(), graph.new_state()
        quiet.set_control("temperature", 0.0)
        other.set_control("seed", 7.0)
        loud = graph.finish(x, graph.new_state())
        assert not torch.equal(graph.finish(x, other), loud)
        fixed = graph.finish(x, quiet)
    assert float(fixed.std()) < 0.1 * float(loud.std())
