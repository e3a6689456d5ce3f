"""Convolution, transposed convolution and pointwise blocks: in pieces as whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from synthhost.core.errors import FeatureError
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.kernels import MatrixKernel
from synthhost.streaming.pointwise import LeakyReLU, Tanh
from synthhost.streaming.transposed import ConvTranspose

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]
cuts_of = st.lists(st.integers(0, 5), max_size=12)
EDGES = ["zeros", "reflect", "replicate"]


@st.composite
def convs(draw: st.DrawFn) -> Conv:
    """Draw any convolution, odd and even kernels, lopsided edges longer than the kernel included."""
    edges = st.integers(0, 7)
    return Conv(
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(1, 6)),
        dilation=draw(st.integers(1, 3)),
        padding=(draw(edges), draw(edges)),
        edge=draw(st.sampled_from(EDGES)),
        bias=draw(st.booleans()),
    )


@st.composite
def transposed(draw: st.DrawFn) -> ConvTranspose:
    """Draw any transposed convolution, kernels that are no multiple of the stride included."""
    stride = draw(st.integers(1, 5))
    return ConvTranspose(
        draw(st.integers(1, 3)),
        draw(st.integers(1, 3)),
        draw(st.integers(stride, 3 * stride + 2)),
        stride,
        padding=draw(st.integers(0, 7)),
        output_padding=draw(st.integers(-4, stride - 1)),
        bias=draw(st.booleans()),
    )


def noise(block: AnyBlock, samples: int, batch: int = 1) -> Tensor:
    """Return reproducible noise `[batch, channels, samples]` a block can take."""
    generator = torch.Generator().manual_seed(samples)
    return torch.randn(batch, block.in_channels or 2, samples, generator=generator)


def shortest(block: AnyBlock) -> int:
    """Return the shortest stream that has an output."""
    for samples in range(1, 100):
        try:
            block.total(samples)
        except FeatureError:
            continue
        return samples
    raise AssertionError("no length up to 99 samples has an output")


@settings(deadline=None, max_examples=150)
@given(block=st.one_of(convs(), transposed()), extra=st.integers(0, 30), cuts=cuts_of)
def test_any_chunking_gives_the_offline_output(
    in_pieces: InPieces, block: AnyBlock, extra: int, cuts: list[int]
) -> None:
    x = noise(block, shortest(block) + extra, batch=2)
    torch.testing.assert_close(in_pieces(block, x, cuts), block(x).detach(), atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(block=st.one_of(convs(), transposed()), extra=st.integers(0, 20), cuts=cuts_of)
def test_the_matrix_kernel_gives_the_offline_output(
    in_pieces: InPieces, block: AnyBlock, extra: int, cuts: list[int]
) -> None:
    block.prepare(MatrixKernel)
    x = noise(block, shortest(block) + extra)
    torch.testing.assert_close(in_pieces(block, x, cuts), block(x).detach(), atol=1e-5, rtol=1e-5)


@settings(deadline=None, max_examples=60)
@given(block=convs(), extra=st.integers(0, 9))
def test_the_offline_pass_is_torch_convolution(block: Conv, extra: int) -> None:
    x = noise(block, block.minimum_inputs + extra)
    mode = {"zeros": "constant"}.get(block.edge, block.edge)
    expected = F.conv1d(
        F.pad(x, (block.left, block.right), mode=mode), block.weight, block.bias, dilation=block.dilation
    )
    assert torch.equal(block(x), expected)


@settings(deadline=None, max_examples=60)
@given(block=st.one_of(convs(), transposed()))
def test_a_stream_too_short_is_refused_whole_and_at_flush_alike(block: AnyBlock) -> None:
    for samples in range(1, shortest(block)):
        x = noise(block, samples)
        with pytest.raises(FeatureError, match="too short"):
            block(x)
        state = block.new_state()
        with torch.inference_mode():
            block.step(x.transpose(1, 2), state)
            with pytest.raises(FeatureError, match="too short"):
                block.flush(state)


@settings(deadline=None, max_examples=60)
@given(block=st.one_of(convs(), transposed()), cuts=cuts_of)
def test_a_copied_state_has_the_same_future_and_leaves_the_first_alone(
    block: AnyBlock, cuts: list[int]
) -> None:
    before, after = noise(block, sum(cuts)).transpose(1, 2), noise(block, 40).transpose(1, 2)
    with torch.inference_mode():
        state = block.new_state()
        block.step(before, state)
        copied = state.copy()
        futures = [torch.cat((block.step(after, one), block.flush(one)), 1) for one in (copied, state)]
    assert torch.equal(*futures)


@pytest.mark.parametrize("block", [LeakyReLU(0.1), Tanh()])
def test_pointwise_blocks_emit_at_once(in_pieces: InPieces, block: AnyBlock) -> None:
    x = torch.randn(2, 3, 9)
    assert torch.equal(in_pieces(block, x, [0, 4, 0, 1]), block(x))
    assert block.ready(5) == block.total(5) == 5


@pytest.mark.parametrize("block", [Conv(2, 3, 3, padding=(3, 1)), ConvTranspose(2, 3, 4, 2), Tanh()])
def test_a_stream_without_input_has_no_output(block: AnyBlock) -> None:
    with torch.inference_mode():
        state = block.new_state(2)
        assert block.step(torch.zeros(2, 0, 2), state).shape[:2] == (2, 0)
        assert block.flush(state).shape[:2] == (2, 0)
    assert block(torch.zeros(2, 2, 0)).shape[2] == block.total(0) == block.ready(0) == 0


def test_zero_edges_are_silence_and_not_bias_driven_values(in_pieces: InPieces) -> None:
    block = Conv(1, 1, 3, padding=(1, 1))
    with torch.no_grad():
        block.weight.fill_(1.0)
        assert block.bias is not None
        block.bias.fill_(5.0)
    y = in_pieces(block, torch.ones(1, 1, 4), [1, 1])
    assert y.flatten().tolist() == [7.0, 8.0, 8.0, 7.0]


def test_a_reflecting_edge_waits_for_the_samples_it_mirrors() -> None:
    block = Conv(1, 1, 7, padding=(3, 3), edge="reflect")
    assert [block.ready(n) for n in range(6)] == [0, 0, 0, 0, 1, 2]
    with pytest.raises(FeatureError, match="at least 4"):
        block.total(3)


def changed_by_load(block: Conv) -> None:
    block.load_state_dict({"weight": block.weight * 2, "bias": torch.zeros(2)})


def changed_by_training(block: Conv) -> None:
    block.train()
    with torch.no_grad():
        block.weight.mul_(2)


@pytest.mark.parametrize("change", [changed_by_load, changed_by_training])
def test_a_step_after_weights_changed_uses_the_new_ones(
    in_pieces: InPieces, change: Callable[[Conv], Any]
) -> None:
    block = Conv(2, 2, 3, padding=(1, 1))
    x = noise(block, 10)
    in_pieces(block, x, [5])  # packs the first weights
    change(block)
    torch.testing.assert_close(in_pieces(block, x, [5]), block(x).detach(), atol=1e-5, rtol=1e-5)


def test_the_offline_pass_trains() -> None:
    block = ConvTranspose(2, 1, 4, 2, padding=1)
    block(noise(block, 6)).square().sum().backward()
    assert block.weight.grad is not None
    assert block.weight.grad.abs().sum() > 0
