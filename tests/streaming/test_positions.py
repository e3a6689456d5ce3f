"""A dense layer by positions: in pieces as whole, and one vector held is the dense layer's whole output."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.streaming.positions import PositionDense


@pytest.fixture(scope="module")
def dense() -> PositionDense:
    """Give a layer of four positions."""
    torch.manual_seed(2)
    return PositionDense(3, 5, 4)


@settings(deadline=None, max_examples=50)
@given(vectors=st.integers(1, 11), cuts=st.lists(st.integers(0, 5), max_size=8))
def test_any_chunking_gives_the_same_bits(
    in_pieces: Any, dense: PositionDense, vectors: int, cuts: list[int]
) -> None:
    x = torch.randn(2, 3, vectors, generator=torch.Generator().manual_seed(vectors))
    assert torch.equal(in_pieces(dense, x, cuts), dense(x).detach())


def test_one_vector_held_is_what_a_dense_layer_makes_of_it(dense: PositionDense) -> None:
    z = torch.randn(2, 3)
    whole = z @ dense.weight.detach().reshape(20, 3).T + dense.bias.detach().reshape(20)
    held = dense(z[:, :, None].expand(-1, -1, 4)).detach()
    torch.testing.assert_close(held.transpose(1, 2).reshape(2, 20), whole)


def test_a_longer_stream_begins_anew(dense: PositionDense) -> None:
    z = torch.randn(1, 3, 1).expand(-1, -1, 8)
    y = dense(z).detach()
    assert torch.equal(y[:, :, :4], y[:, :, 4:])
    assert not torch.equal(y[:, :, 0], y[:, :, 1])


def test_a_copied_state_goes_on_at_its_own_position(dense: PositionDense) -> None:
    x = torch.randn(1, 4, 3)
    with torch.inference_mode():
        state = dense.new_state()
        dense.step(x[:, :1], state)
        copied = state.copy()
        dense.step(x[:, 1:3], state)
        assert torch.equal(dense.step(x[:, 1:], copied), dense(x.transpose(1, 2)).transpose(1, 2)[:, 1:])


def test_no_vector_gives_nothing(dense: PositionDense) -> None:
    assert dense(torch.zeros(1, 3, 0)).shape == (1, 5, 0)
