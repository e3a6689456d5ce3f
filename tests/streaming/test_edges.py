"""What stands before a stream and after it, in pieces as whole."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.edges import Lead, Tail
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import hop_samples, look_ahead_samples
from synthhost.streaming.transposed import ConvTranspose

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]


@settings(deadline=None, max_examples=30)
@given(count=st.integers(0, 3), frames=st.integers(1, 6), cuts=st.lists(st.integers(0, 3), max_size=4))
def test_a_lead_repeats_the_first_sample(
    in_pieces: InPieces, count: int, frames: int, cuts: list[int]
) -> None:
    x = torch.randn(2, 3, frames)
    expected = F.pad(x, (count, 0), mode="replicate") if count else x
    assert torch.equal(in_pieces(Lead(count), x, cuts), expected)
    assert torch.equal(Lead(count)(x), expected)


def test_a_lead_before_a_transposed_convolution_makes_it_causal(in_pieces: InPieces) -> None:
    up = ConvTranspose(2, 3, 8, 4, padding=4)
    block = Sequence({"lead": Lead(1), "up": up})
    x = torch.randn(1, 2, 5)
    raw = F.conv_transpose1d(F.pad(x, (1, 0), mode="replicate"), up.weight, up.bias, 4)
    torch.testing.assert_close(in_pieces(block, x, [1, 2]), raw[:, :, 4:-4].detach())
    assert (hop_samples(block), look_ahead_samples(block)) == (4, 0)


def network() -> Sequence:
    """A small network that raises the rate and looks ahead, mirroring at its edges."""
    return Sequence(
        {
            "before": Conv(2, 3, 3, padding=(1, 1), edge="reflect"),
            "up": ConvTranspose(3, 2, 4, 2, padding=1),
            "after": Conv(2, 1, 5, padding=(2, 2), edge="reflect"),
        }
    )


@settings(deadline=None, max_examples=30)
@given(more=st.integers(0, 5), frames=st.integers(1, 6), cuts=st.lists(st.integers(0, 3), max_size=4))
def test_a_tail_is_computed_and_dropped(in_pieces: InPieces, more: int, frames: int, cuts: list[int]) -> None:
    inner = network()
    block = Tail(inner, more + 1, -3.0)
    x = torch.randn(2, 2, frames)
    expected = inner(F.pad(x, (0, more + 1), value=-3.0))[:, :, : 2 * frames].detach()
    torch.testing.assert_close(block(x).detach(), expected)
    torch.testing.assert_close(in_pieces(block, x, cuts), expected)
    assert look_ahead_samples(block) == look_ahead_samples(inner)


def test_a_stream_without_input_has_no_tail() -> None:
    block = Tail(network(), 3, 0.0)
    with torch.inference_mode():
        assert block.flush(block.new_state()).shape[1] == 0
    assert block.total(0) == block(torch.zeros(1, 2, 0)).shape[2] == 0
