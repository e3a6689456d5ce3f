"""A window looks no further than it says, is the same in any chunking, and nears the exact sound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.pointwise import Tanh
from synthhost.streaming.repeat import Repeat
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import burst_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.window import Window, windowed

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


def network(layers: int = 4, hop: int = 2) -> Sequence:
    torch.manual_seed(3)
    parts: dict[str, AnyBlock] = {"up": Repeat(hop)}
    for place in range(layers):
        parts[f"conv_{place}"] = Conv(2, 2, 5, padding=(2, 2))
        parts[f"tanh_{place}"] = Tanh()
    return Sequence(parts)


@settings(deadline=None, max_examples=15)
@given(cuts=st.lists(st.integers(0, 4), max_size=6), rest=st.integers(0, 9), samples=st.integers(0, 7))
def test_any_chunking_gives_the_same_samples(
    in_pieces: InPieces, cuts: list[int], rest: int, samples: int
) -> None:
    block = windowed(network(), samples)
    x = torch.randn(2, 2, 1 + rest + sum(cuts))
    torch.testing.assert_close(in_pieces(block, x, cuts), in_pieces(block, x, [1] * x.shape[2]))


@pytest.mark.parametrize(("ahead", "layers"), [(0, 4), (1, 4), (3, 4), (0, 1), (1, 2)])
def test_a_hop_is_the_networks_where_the_sound_ends_ahead_of_it(
    in_pieces: InPieces, ahead: int, layers: int
) -> None:
    body = network(layers)
    x = torch.randn(1, 2, 12)
    sound = in_pieces(Window(body, ahead), x, [5])
    with torch.inference_mode():
        for hop in range(12):
            cut_off = body(x[:, :, : min(hop + ahead + 1, 12)])
            here = slice(2 * hop, 2 * hop + 2)
            torch.testing.assert_close(sound[:, :, here], cut_off[:, :, here])


def test_it_looks_ahead_so_far_and_no_further() -> None:
    assert look_ahead_samples(network()) == 8
    block = Window(network(), 2)
    assert look_ahead_samples(block) == 4
    assert burst_samples(block) == 0
    assert receptive_frames(block) == 4 + 1 + 2


def test_more_window_is_less_error_until_there_is_none(in_pieces: InPieces) -> None:
    x = torch.randn(1, 2, 40)
    exact = network()(x).detach()
    errors = [float((in_pieces(windowed(network(), n), x, []) - exact).abs().max()) for n in (0, 2, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)
    assert errors[0] > 0.01
    assert errors[-1] < 1e-6
    assert not isinstance(windowed(network(), 8), Window)


def test_a_look_ahead_within_one_hop_can_be_bounded_too(in_pieces: InPieces) -> None:
    body, x = network(1, hop=5), torch.randn(1, 2, 6)
    block = windowed(body, 0)
    sound = in_pieces(block, x, [2])
    exact = body(x).detach()
    assert (look_ahead_samples(body), look_ahead_samples(block)) == (2, 0)
    wrong = (sound - exact).abs().amax(1)[0].reshape(6, 5) > 1e-6
    assert wrong[:-1, 3:].all()
    assert not wrong[:, :3].any()


def test_a_copied_state_continues_alike() -> None:
    block = Window(network(), 1)
    with torch.inference_mode():
        state = block.new_state()
        block.step(torch.randn(1, 5, 2), state)
        copied, more = state.copy(), torch.randn(1, 4, 2)
        assert torch.equal(block.finish(more, state), block.finish(more, copied))
