"""Samples become rows of a hop and samples again, whatever the pieces; native as torch."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from synthhost.core.draws import SeededDraws
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import why_missing
from synthhost.streaming.interpolation import Interpolate
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.stacking import Stack, Unstack
from synthhost.streaming.timing import look_ahead_samples

HOP = 5


def test_rows_hold_samples_in_order_and_what_fills_none_is_dropped() -> None:
    x = torch.arange(17.0).reshape(1, 1, 17)
    rows = Stack(HOP)(x)
    assert rows.shape == (1, HOP, 3)
    assert rows[0, :, 1].tolist() == [5.0, 6.0, 7.0, 8.0, 9.0]
    assert Unstack(HOP, HOP)(rows).flatten().tolist() == list(range(15))
    assert Stack(HOP).total(17) == 3


def test_only_the_first_channels_of_a_row_become_samples() -> None:
    rows = torch.arange(12.0).reshape(1, 2, 6)  # time-major
    block = Unstack(2, 6)
    assert block.step(rows, block.new_state()).flatten().tolist() == [0.0, 1.0, 6.0, 7.0]


def test_pieces_are_the_whole() -> None:
    block, x = Stack(HOP), torch.randn(2, 43, 1)
    state = block.new_state(2)
    pieces = [block.step(one, state) for one in torch.split(x, [1, 0, 9, 20, 13], dim=1)]
    assert [one.shape[1] for one in pieces] == [0, 0, 2, 4, 2]
    assert torch.equal(torch.cat(pieces, 1), block.step(x, block.new_state(2)))
    assert torch.equal(block(x.transpose(1, 2)).transpose(1, 2), torch.cat(pieces, 1))


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
def test_native_gives_the_same_samples_in_any_pieces() -> None:
    block = Sequence({"more": Interpolate(HOP), "there": Stack(HOP), "back": Unstack(3, HOP)})
    look_ahead = look_ahead_samples(block)
    spec = ModelSpec("t", "ddsp", 16000, 3, 1, look_ahead, 0, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(spec, block)
    x = np.random.default_rng(0).standard_normal((1, 1, 60)).astype(np.float32)
    wanted = block(torch.from_numpy(x)).flatten().numpy()
    assert wanted.size == 180
    for cuts in ([60], [1] * 60, [3, 0, 50, 7]):
        state, made, first = native.new_state(1, SeededDraws.of(0)), [], 0
        for count in [*cuts, None]:
            out = np.empty((1, 3 * (count or 0) + 4 * HOP), np.float32)
            piece = np.ascontiguousarray(x[:, :, first : first + (count or 0)])
            written = native.flush(state, out) if count is None else native.step(piece, state, out)
            made.append(out[0, :written].copy())
            first += count or 0
        np.testing.assert_allclose(np.concatenate(made), wanted, atol=1e-6)
