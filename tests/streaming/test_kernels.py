"""The ways to compute a valid convolution agree."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from synthhost.streaming.kernels import (
    FasterKernel,
    MatrixKernel,
    OneDnnKernel,
    Pack,
    onednn_usable,
    pack_convolution,
)

needs_onednn = pytest.mark.skipif(not onednn_usable(torch.zeros(1)), reason="this torch has no oneDNN")
PACKS = [MatrixKernel, pytest.param(OneDnnKernel, marks=needs_onednn), pack_convolution]


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


@needs_onednn
@pytest.mark.parametrize("outputs", [1, 63, 64, 65, 300])
def test_small_and_large_calls_agree_across_the_switch(outputs: int) -> None:
    weight, bias = torch.randn(128, 64, 8) / 16, torch.randn(128)
    kernel = FasterKernel(weight, bias, 2)
    x = torch.randn(1, outputs + 14, 64)
    expected = F.conv1d(x.transpose(1, 2), weight, bias, dilation=2).transpose(1, 2)
    torch.testing.assert_close(kernel(x), expected, atol=2e-5, rtol=1e-5)


def test_double_precision_weights_take_the_matrix_kernel() -> None:
    kernel = pack_convolution(torch.randn(2, 2, 3, dtype=torch.float64), torch.zeros(2).double(), 1)
    assert isinstance(kernel, MatrixKernel)
