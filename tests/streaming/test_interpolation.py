"""Rates change as torch's interpolation does, in any chunking."""

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
from synthhost.streaming.interpolation import Decimate, Interpolate, Mode, stretch
from synthhost.streaming.repeat import Clock
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import hop_samples, look_ahead_samples

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]
FACTORS = [1, 2, 3, 4, 5]
MODES: list[Mode] = ["nearest", "linear"]


def interpolated(x: Tensor, size: int, mode: Mode) -> Tensor:
    return F.interpolate(x, size=size, mode=mode, align_corners=False if mode == "linear" else None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("factor", FACTORS)
def test_one_sample_of_a_group_is_torchs(factor: int, mode: Mode) -> None:
    x = torch.randn(2, 3, 7 * factor, dtype=torch.float64)
    torch.testing.assert_close(Decimate(factor, mode)(x), interpolated(x, 7, mode))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("factor", FACTORS)
@pytest.mark.parametrize("length", [1, 2, 7])
def test_many_samples_of_one_are_torchs(in_pieces: InPieces, factor: int, mode: Mode, length: int) -> None:
    x = torch.randn(2, 3, length, dtype=torch.float64)
    block = stretch(factor, mode)
    torch.testing.assert_close(in_pieces(block, x, [1]), interpolated(x, length * factor, mode))


@settings(deadline=None, max_examples=150)
@given(
    cuts=st.lists(st.integers(0, 7), max_size=8),
    rest=st.integers(5, 12),
    factor=st.sampled_from(FACTORS),
    mode=st.sampled_from(MODES),
    up=st.booleans(),
)
def test_any_chunking_gives_the_offline_output(
    in_pieces: InPieces, cuts: list[int], rest: int, factor: int, mode: Mode, up: bool
) -> None:
    block: AnyBlock = stretch(factor, mode) if up else Decimate(factor, mode)
    x = torch.randn(2, 3, rest + sum(cuts))
    torch.testing.assert_close(in_pieces(block, x, cuts), block(x))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("factor", FACTORS)
def test_an_output_is_given_as_soon_as_it_is_decided(factor: int, mode: Mode) -> None:
    for block in (stretch(factor, mode), Decimate(factor, mode)):
        for inputs in range(1, 12):
            first_unknown = next(n for n in range(200) if block.support(n, n)[1] >= inputs)
            assert block.ready(inputs) in (first_unknown, block.total(inputs))


def test_groups_are_counted_from_the_first_sample_on(in_pieces: InPieces) -> None:
    x = torch.arange(20.0)[None, None]
    assert in_pieces(Decimate(5), x, [3, 4, 1]).tolist() == [[[0.0, 5.0, 10.0, 15.0]]]


def test_down_and_up_again_looks_ahead_by_whole_groups() -> None:
    edge = Conv(1, 1, 3, padding=(1, 1))
    up = stretch(4, "nearest")
    there_and_back = Sequence({"up": up, "down": Decimate(4), "conv": edge, "up_again": up})
    assert hop_samples(there_and_back) == 4
    assert look_ahead_samples(there_and_back) == 4


def test_a_state_copied_mid_group_goes_on_alike() -> None:
    for block in (Decimate(4, "linear"), Interpolate(3)):
        state = block.new_state()
        block.step(torch.randn(1, 5, 2), state)
        copied, more = state.copy(), torch.randn(1, 6, 2)
        assert torch.equal(block.finish(more, state), block.finish(more, copied))


def test_a_clock_counts_samples_and_carries_nothing(in_pieces: InPieces) -> None:
    assert in_pieces(Clock(3), torch.randn(2, 4, 5), [2]).shape == (2, 0, 15)
