"""Sample loops are conditioned by native code where it can, else by torch: alike, and exactly in pieces."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from synthhost.core.arrays import Features
from synthhost.families.wavenet_conditioner import build_conditioner
from synthhost.families.wavenet_parts import Conditioning
from synthhost.native.compiled import why_missing
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.repeat import Repeat
from synthhost.streaming.window import Window

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.conditions import Conditions, PlannedConditions, TorchConditions, conditions_of

BANDS, FRAMES = 5, 17
BOUND = 1e-5  # of the peak
SHAPES: dict[str, dict[str, Any]] = {
    "repeat": {"kind": "repeat", "scales": (6,)},
    "window": {"kind": "window", "scales": (6,), "window": 15},
    "stretch": {"kind": "stretch", "scales": (3, 2), "kernel_in": 5, "neighbours": 1},
    "transposed": {"kind": "transposed", "scales": (3, 2), "neighbours": 3, "slope": 0.4},
}


def conditioner(name: str) -> AnyBlock:
    """Return one of the forms that networks have, with random weights."""
    torch.manual_seed(2)
    block, _ = build_conditioner(Conditioning(channels=BANDS, **SHAPES[name]))
    for weights in block.parameters():
        torch.nn.init.normal_(weights, std=0.3)
    return block.eval()


def frames_of(count: int = FRAMES, batch: int = 2) -> Features:
    return np.random.default_rng(1).standard_normal((batch, BANDS, count)).astype(np.float32)


def rows_in(conditions: Conditions, frames: Features, cuts: list[int], state: Any = None) -> Any:
    """Return the rows of a whole stream given in pieces of these lengths, again and again."""
    state = conditions.new_state(frames.shape[0]) if state is None else state
    made, sent, turn = [], 0, 0
    while sent < frames.shape[2]:
        piece = frames[:, :, sent : sent + cuts[turn % len(cuts)]]
        sent, turn = sent + piece.shape[2], turn + 1
        made.append(conditions.step(piece, state).copy())
    return np.concatenate([*made, conditions.flush(state)], 1)


@pytest.mark.parametrize("name", SHAPES)
def test_a_planned_conditioner_gives_what_torch_gives(name: str) -> None:
    block, frames = conditioner(name), frames_of()
    planned = conditions_of(block, BANDS)
    assert isinstance(planned, PlannedConditions)
    truth = rows_in(TorchConditions(block), frames, [4])
    rows = rows_in(planned, frames, [4])
    assert rows.shape == truth.shape == (2, block.total(FRAMES), BANDS)
    assert np.abs(rows - truth).max() < BOUND * np.abs(truth).max()


@pytest.mark.parametrize("name", SHAPES)
def test_any_chunking_gives_the_same_bits(name: str) -> None:
    planned, frames = conditions_of(conditioner(name), BANDS), frames_of()
    whole = rows_in(planned, frames, [FRAMES])
    for cuts in ([1], [0, 3], [2, 5, 1]):
        np.testing.assert_array_equal(rows_in(planned, frames, cuts), whole)


@pytest.mark.parametrize("name", SHAPES)
def test_a_copied_stream_goes_on_alike(name: str) -> None:
    planned, frames = conditions_of(conditioner(name), BANDS), frames_of()
    state = planned.new_state(2)
    planned.step(frames[:, :, :6], state)
    copied = state.copy()
    rows = rows_in(planned, frames[:, :, 6:], [3], state)
    np.testing.assert_array_equal(rows_in(planned, frames[:, :, 6:], [4], copied), rows)


def test_what_only_counts_or_has_no_native_form_runs_in_torch() -> None:
    counting = conditions_of(Repeat(4), 0)
    assert isinstance(counting, TorchConditions)
    assert rows_in(counting, np.zeros((1, 0, 3), np.float32), [2]).shape == (1, 12, 0)
    windowed = Window(conditioner("stretch"), 1)
    assert isinstance(conditions_of(windowed, BANDS), TorchConditions)
