"""The ways to compute a valid convolution agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from synthhost.streaming.kernels import (
    MatrixKernel,
    OneDnnKernel,
    Pack,
    onednn_usable,
    pack_convolution,
    pack_for,
    pack_large,
)

needs_onednn = pytest.mark.skipif(not onednn_usable(torch.zeros(1)), reason="this torch has no oneDNN")
PACKS = [pack_convolution, pytest.param(OneDnnKernel, marks=needs_onednn)]


@pytest.mark.parametrize("pack", PACKS)
@settings(deadline=None, max_examples=60)
@given(
    batch=st.integers(1, 3),
    channels=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    taps=st.integers(1, 7),
    dilation=st.integers(1, 5),
    outputs=st.integers(1, 20),
    sliced=st.booleans(),
)
def test_a_kernel_is_a_valid_convolution(
    pack: Pack,
    batch: int,
    channels: tuple[int, int],
    taps: int,
    dilation: int,
    outputs: int,
    sliced: bool,
) -> None:
    inputs, width = channels
    time = outputs + (taps - 1) * dilation
    x = torch.randn(batch, time + 2, inputs)[:, 2:] if sliced else torch.randn(batch, time, inputs)
    weight, bias = torch.randn(width, inputs, taps), torch.randn(width)
    expected = F.conv1d(x.transpose(1, 2), weight, bias, dilation=dilation).transpose(1, 2)
    torch.testing.assert_close(pack(weight, bias, dilation)(x), expected, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("pack", PACKS)
@pytest.mark.parametrize(
    ("inputs", "width", "taps", "dilation"), [(128, 64, 3, 1), (32, 32, 11, 5), (8, 1, 7, 1)]
)
def test_pieces_of_any_length_give_the_same_bits(
    pack: Pack, inputs: int, width: int, taps: int, dilation: int
) -> None:
    torch.set_num_threads(1)
    reach = (taps - 1) * dilation
    weight, bias = torch.randn(width, inputs, taps) / 16, torch.randn(width)
    kernel = pack(weight, bias, dilation)
    x = torch.randn(1, 320 + reach, inputs)
    whole = kernel(x)
    for length in (1, 2, 3, 5, 8, 13, 31, 64, 100):
        pieces = [kernel(x[:, start : start + length + reach]) for start in range(0, 320, length)]
        assert torch.equal(torch.cat(pieces, 1), whole), f"pieces of {length}"


def test_large_networks_take_onednn_where_it_exists_and_small_ones_the_matrix() -> None:
    weight, bias = torch.randn(2, 2, 3), torch.zeros(2)
    small = pack_for(1_000_000)(weight, bias, 1)
    large = pack_for(10_000_000)(weight, bias, 1)
    assert isinstance(small, MatrixKernel)
    assert isinstance(large, OneDnnKernel if onednn_usable(weight) else MatrixKernel)


def test_double_precision_weights_take_the_matrix_kernel() -> None:
    kernel = pack_large(torch.randn(2, 2, 3, dtype=torch.float64), torch.zeros(2).double(), 1)
    assert isinstance(kernel, MatrixKernel)
