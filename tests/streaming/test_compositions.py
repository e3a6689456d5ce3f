"""Sequences, shortcuts and branches: in pieces as whole, their timing derived."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.core.errors import ConfigError
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv, Edge
from synthhost.streaming.parallel import Branches, Residual
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames
from synthhost.streaming.transposed import ConvTranspose

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]
CHANNELS = 2


@st.composite
def same_conv(draw: st.DrawFn) -> Conv:
    """Draw a convolution that keeps the length, its edges split anyhow."""
    kernel, dilation = draw(st.integers(1, 5)), draw(st.integers(1, 3))
    left = draw(st.integers(0, (kernel - 1) * dilation))
    edge: Edge = draw(st.sampled_from(["zeros", "reflect", "replicate"]))
    padding = (left, (kernel - 1) * dilation - left)
    return Conv(CHANNELS, CHANNELS, kernel, dilation=dilation, padding=padding, edge=edge)


def sequences(parts: st.SearchStrategy[AnyBlock]) -> st.SearchStrategy[AnyBlock]:
    """Draw one to three blocks in a row."""
    rows = st.lists(parts, min_size=1, max_size=3)
    return rows.map(lambda row: Sequence({f"part_{i}": part for i, part in enumerate(row)}))


same_length = st.recursive(
    st.one_of(same_conv(), st.just(0.2).map(LeakyReLU)),
    lambda inner: st.one_of(
        sequences(inner),
        inner.map(Residual),
        st.tuples(st.lists(inner, min_size=1, max_size=3), st.sampled_from(["mean", "sum"])).map(
            lambda made: Branches(*made)
        ),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=120)
@given(inner=same_length, outer=same_length, cuts=st.lists(st.integers(0, 6), max_size=8))
def test_any_tree_in_any_chunking_gives_the_offline_output(
    in_pieces: InPieces, inner: AnyBlock, outer: AnyBlock, cuts: list[int]
) -> None:
    up = ConvTranspose(CHANNELS, CHANNELS, 5, 3, padding=1)
    tree = Sequence({"inner": inner, "up": up, "outer": outer})
    x = torch.randn(2, CHANNELS, 14 + sum(cuts))
    torch.testing.assert_close(in_pieces(tree, x, cuts), tree(x).detach(), atol=1e-4, rtol=1e-4)


@settings(deadline=None, max_examples=30)
@given(tree=same_length)
def test_a_copied_tree_state_is_independent(tree: AnyBlock) -> None:
    before, after = torch.randn(1, 9, CHANNELS), torch.randn(1, 30, CHANNELS)
    with torch.inference_mode():
        state = tree.new_state()
        tree.step(before, state)
        copied = state.copy()
        first, second = tree.finish(after, state), tree.finish(after, copied)
    assert torch.equal(first, second)


def test_timing_of_a_small_tree_is_what_counting_gives() -> None:
    wide = Residual(Conv(1, 1, 5, dilation=2, padding=(4, 4)))
    narrow = Conv(1, 1, 3, padding=(1, 1))
    up = ConvTranspose(1, 1, 4, 2, padding=1)
    tree = Sequence({"up": up, "branches": Branches([narrow, wide], "mean")})
    assert hop_samples(tree) == 2
    assert look_ahead_samples(tree) == 1 + 4
    assert receptive_frames(tree) == 7  # samples -4 ... +5 around a hop reach frames -3 ... +3


def test_parts_can_be_walked_by_name_and_in_order() -> None:
    conv, activation = Conv(1, 1, 1), LeakyReLU(0.1)
    tree = Sequence({"conv": conv, "activation": activation})
    assert tree["conv"] is conv
    assert tree.parts == (conv, activation)
    assert set(tree.state_dict()) == {"conv.weight", "conv.bias"}


def test_a_shortcut_around_a_body_that_changes_the_length_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be added"):
        Residual(Conv(1, 1, 3))


def test_branches_of_different_length_are_refused() -> None:
    with pytest.raises(ConfigError, match="cannot be added"):
        Branches([Conv(1, 1, 3), Conv(1, 1, 1)], "sum")
