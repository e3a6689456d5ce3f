"""The filter bank joins bands as published: from the first sample to the last, in pieces as whole."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from synthhost.streaming.block import AnyBlock
from synthhost.streaming.pqmf import PqmfSynthesis, synthesis_filters
from synthhost.streaming.timing import hop_samples, look_ahead_samples

InPieces = Callable[[AnyBlock, Tensor, list[int]], Tensor]
REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)


def analysed(sound: Tensor, bands: int, taps: int, cutoff: float, beta: float) -> Tensor:
    """Split `[1, 1, samples]` into bands by the filters backwards, every `bands`-th sample kept."""
    filters = torch.from_numpy(synthesis_filters(bands, taps, cutoff, beta)[:, ::-1].copy()).float()
    return F.conv1d(F.pad(sound, (taps // 2, taps // 2)), filters[:, None])[:, :, ::bands]


def joined(bands: Tensor, block: PqmfSynthesis) -> Tensor:
    """Join bands as published: stuffed with zeros, padded on both sides, filtered and summed."""
    count, taps = bands.shape[1], block.kernel - 1
    stuffed = torch.zeros(bands.shape[0], count, bands.shape[2] * count)
    stuffed[:, :, ::count] = bands
    return F.conv1d(F.pad(stuffed, (taps // 2, taps // 2)), block.weight.flip(2).transpose(0, 1))


@settings(deadline=None, max_examples=30)
@given(
    bands=st.integers(2, 6),
    half=st.integers(3, 20),
    frames=st.integers(1, 30),
    cuts=st.lists(st.integers(0, 9), max_size=6),
)
def test_bands_are_joined_as_published_in_any_chunking(
    in_pieces: InPieces, bands: int, half: int, frames: int, cuts: list[int]
) -> None:
    block = PqmfSynthesis(bands, 2 * half, 0.142, 9.0)
    x = torch.randn(2, bands, frames)
    expected = joined(x, block)
    torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(in_pieces(block, x, cuts), expected, atol=1e-5, rtol=1e-5)
    assert hop_samples(block) == bands
    assert look_ahead_samples(block) == half


def test_what_is_split_and_joined_is_the_sound_again() -> None:
    sound = torch.randn(1, 1, 400, generator=torch.Generator().manual_seed(0))
    bands = analysed(sound, 4, 62, 0.142, 9.0)
    again = PqmfSynthesis(4, 62, 0.142, 9.0)(bands)
    assert (again - sound)[:, :, 62:-62].abs().max() < 0.01 * sound.abs().max()


@pytest.mark.reference
def test_filters_and_bands_are_those_of_the_public_implementation(in_pieces: InPieces) -> None:
    folder = REFERENCE / "mbmelgan-parallelwavegan-v2"
    if not folder.is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE}")
    filters = synthesis_filters(4, 62, 0.142, 9.0)
    np.testing.assert_allclose(filters, np.load(folder / "pqmf_synthesis_filter.npy")[0], atol=1e-7)
    sound = torch.from_numpy(np.load(folder / "wav.npy"))[None, None]
    bands = analysed(sound, 4, 62, 0.142, 9.0).numpy()
    published = np.load(folder / "pqmf_analysis.npy")
    np.testing.assert_allclose(bands, published, atol=1e-6)
    again = in_pieces(PqmfSynthesis(4, 62, 0.142, 9.0), torch.from_numpy(published), [1, 5, 100])
    np.testing.assert_allclose(again.numpy(), np.load(folder / "pqmf_resynthesis.npy"), atol=2e-6)
