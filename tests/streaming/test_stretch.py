"""Upsampling shared by all bands is the published picture of one channel, in pieces as whole."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.conv import Conv
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stretch import OverBands, SmoothStretch
from synthhost.streaming.timing import hop_samples, look_ahead_samples
from synthhost.streaming.transposed import ConvTranspose

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]
BANDS = 5


def drawn(scale: int, neighbours: int, causal: bool) -> SmoothStretch:
    block = SmoothStretch(scale, neighbours=neighbours, causal=causal)
    with torch.no_grad():
        block.weight.normal_()
    return block


def picture(x: Tensor, block: SmoothStretch, causal: bool) -> Tensor:
    """Stretch `[batch, bands, time]` by nearest values and smooth it, as published."""
    scale, neighbours = block.stride, block.weight.shape[1]
    stretched = F.interpolate(x[:, None], scale_factor=(1, scale), mode="nearest")
    edge = (neighbours // 2, 2 * scale if causal else scale)
    smooth = F.conv2d(stretched, block.weight[None], padding=edge)
    return smooth[:, 0, :, : stretched.shape[3]].detach()


@settings(deadline=None, max_examples=40)
@given(
    scale=st.integers(1, 6),
    neighbours=st.sampled_from([1, 3, 5]),
    causal=st.booleans(),
    frames=st.integers(1, 9),
    cuts=st.lists(st.integers(0, 4), max_size=5),
)
def test_a_smoothed_stretch_is_the_published_one_in_any_chunking(
    in_pieces: InPieces, scale: int, neighbours: int, causal: bool, frames: int, cuts: list[int]
) -> None:
    stretch = drawn(scale, neighbours, causal)
    block = OverBands(BANDS, stretch)
    x = torch.randn(2, BANDS, frames)
    expected = picture(x, stretch, causal)
    torch.testing.assert_close(block(x).detach(), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(in_pieces(block, x, cuts), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("causal", "look_ahead"), [(False, 4), (True, 0)])
def test_a_causal_stretch_waits_for_nothing(causal: bool, look_ahead: int) -> None:
    block = OverBands(BANDS, drawn(4, 1, causal))
    assert hop_samples(block) == 4
    assert look_ahead_samples(block) == look_ahead


def test_a_convolution_over_the_bands_has_two_dimensions(in_pieces: InPieces) -> None:
    conv = Conv(3, 1, 5, padding=(2, 2))
    block = OverBands(BANDS, conv)
    x = torch.randn(2, BANDS, 7)
    expected = F.conv2d(x[:, None], conv.weight[None], conv.bias, padding=(1, 2))[:, 0].detach()
    torch.testing.assert_close(in_pieces(block, x, [1, 3]), expected)


def test_a_transposed_convolution_of_two_dimensions_is_one_over_the_bands_flipped(
    in_pieces: InPieces,
) -> None:
    up = ConvTranspose(3, 1, 8, 4, padding=2)
    block = OverBands(BANDS, up)
    x = torch.randn(2, BANDS, 7)
    weight = up.weight.flip(0).transpose(0, 1)[None]  # [1, 1, neighbours, kernel]
    expected = F.conv_transpose2d(x[:, None], weight, up.bias, stride=(1, 4), padding=(1, 2))
    torch.testing.assert_close(in_pieces(block, x, [1, 3]), expected[:, 0].detach())


def test_stages_follow_one_another_in_one_pass_over_the_bands(in_pieces: InPieces) -> None:
    first, second = drawn(2, 1, False), drawn(3, 1, False)
    chain = Sequence({"first": first, "between": LeakyReLU(0.4), "second": second})
    block = OverBands(BANDS, chain)
    x = torch.randn(1, BANDS, 6)
    expected = picture(F.leaky_relu(picture(x, first, False), 0.4), second, False)
    torch.testing.assert_close(in_pieces(block, x, [1, 3]), expected)


def test_a_state_copied_on_the_way_goes_on_alike() -> None:
    block = OverBands(BANDS, drawn(4, 3, False))
    with torch.inference_mode():
        state = block.new_state()
        block.step(torch.randn(1, 3, BANDS), state)
        copied, rest = state.copy(), torch.randn(1, 4, BANDS)
        assert torch.equal(block.finish(rest, state), block.finish(rest, copied))
