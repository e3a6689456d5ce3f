"""Scores of places become one place between them, whatever the pieces; native as torch."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest
import torch

from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.draws import SeededDraws
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import why_missing
from synthhost.streaming.centroid import Centroid

PLACES, FIRST, APART, REACH = 30, 5.0, 0.25, 4
BLOCK = Centroid(PLACES, FIRST, APART, REACH)


def scores_around(places: list[float]) -> torch.Tensor:
    """Return scores that fall off as a bell does, `[1, rows, PLACES]`."""
    apart = torch.arange(PLACES)[None] - torch.tensor(places)[:, None]
    return -0.5 * (apart / 0.8).square()[None]


def test_a_place_between_others_is_found() -> None:
    wanted = [6.0, 6.3, 10.75, 22.5, 24.9]
    made = BLOCK.step(scores_around(wanted), BLOCK.new_state())[0, :, 0]
    np.testing.assert_allclose(made, FIRST + APART * np.array(wanted), atol=1e-3)


def test_what_lies_far_from_the_highest_counts_for_nothing() -> None:
    x = scores_around([6.0])
    x[0, 0, 20:25] = -0.1
    assert BLOCK.step(x, BLOCK.new_state()).item() == pytest.approx(FIRST + APART * 6.0, abs=1e-3)


def test_the_ends_are_places_too_and_no_number_is_none() -> None:
    x = torch.full((1, 4, PLACES), -50.0)
    x[0, 0, 0] = x[0, 1, PLACES - 1] = 0.0
    x[0, 2] = torch.nan
    x[0, 2, 7] = 1.0
    x[0, 3, 9], x[0, 3, 20] = torch.inf, torch.nan
    made = BLOCK.step(x, BLOCK.new_state())[0, :, 0]
    np.testing.assert_allclose(made, FIRST + APART * np.array([0.0, PLACES - 1.0, 7.0, 9.0]), atol=1e-5)


def test_whole_streams_are_rows_and_gradients_flow_through() -> None:
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((2, 50, PLACES)).astype(np.float32))
    x.requires_grad_(True)
    rows = BLOCK.step(x, BLOCK.new_state(2))
    assert torch.equal(BLOCK(x.transpose(1, 2)).transpose(1, 2), rows)
    rows.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().max() > 0.0


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
def test_native_is_torch_in_any_pieces() -> None:
    spec = ModelSpec("t", "ddsp", 16000, 1, PLACES, 0, 0, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(spec, BLOCK)
    x = (5.0 * np.random.default_rng(1).standard_normal((1, PLACES, 200))).astype(np.float32)
    x[0, 3:9, 60], x[0, 5, 61] = np.nan, np.inf
    whole = played(native, x, [200])
    np.testing.assert_allclose(whole, played(TorchRunner(spec, BLOCK), x, [200]), atol=1e-5)
    for cuts in ([1] * 200, [3, 0, 150, 47]):
        assert np.array_equal(played(native, x, cuts), whole)


def played(runner: Runner, frames: np.ndarray, cuts: list[int]) -> np.ndarray:
    """Play `[1, PLACES, frames]` in pieces; `[frames]`."""
    state, made, first = runner.new_state(1, SeededDraws.of(0)), [], 0
    for count in cuts:
        out = np.empty((1, count + 1), np.float32)
        written = runner.step(np.ascontiguousarray(frames[:, :, first : first + count]), state, out)
        made.append(out[0, :written])
        first += count
    return np.concatenate(made)
