"""Pitches become cycles that go on without a jump, whatever the pieces; native as torch."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.draws import SeededDraws
from synthhost.core.note_frames import FRACTION, PITCH_FROM_HZ, PITCH_HZ, PLACE
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.native.compiled import why_missing
from synthhost.streaming.excitation import FixedLevels
from synthhost.streaming.oscillators import Oscillators
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.turns import PLACES, Turns

RATE, HOP = 16000, 64
BLOCK = Turns(RATE, HOP, 50.0, 2000.0)


def pitches(count: int) -> torch.Tensor:
    steps = torch.from_numpy(np.random.default_rng(4).standard_normal((2, count, 1)).astype(np.float32))
    return 8.5 + 0.05 * steps.cumsum(1)


def test_cycles_go_on_where_the_frame_before_ended() -> None:
    x = pitches(400)
    frames = BLOCK.step(x, BLOCK.new_state(2)).double()
    assert frames.shape == (2, 400, 9)
    assert torch.equal(frames[:, 1:, PITCH_FROM_HZ], frames[:, :-1, PITCH_HZ])
    turned = HOP * 0.5 * (frames[..., PITCH_FROM_HZ] + frames[..., PITCH_HZ]) / RATE
    ends = (frames[..., FRACTION] + turned)[:, :-1]
    apart = (frames[:, 1:, FRACTION] - ends) % 1.0
    assert torch.minimum(apart, 1.0 - apart).max() < 1e-6
    assert frames[0, :, PLACE].tolist() == [HOP * n % PLACES for n in range(400)]


def test_a_held_pitch_stays_exact_for_long() -> None:
    frames = BLOCK.step(torch.full((1, 20000, 1), float(np.log2(441.3))), BLOCK.new_state())
    hertz = float(frames[0, 0, PITCH_HZ])
    wanted = 19999 * HOP * hertz / RATE % 1.0
    apart = abs(float(frames[0, -1, FRACTION]) - wanted) % 1.0
    assert min(apart, 1.0 - apart) < 1e-3


def test_pieces_are_the_whole_and_the_offline_pass() -> None:
    x = pitches(50)
    state = BLOCK.new_state(2)
    pieces = [BLOCK.step(one, state) for one in torch.split(x, [1, 0, 7, 30, 12], dim=1)]
    whole = BLOCK.step(x, BLOCK.new_state(2))
    offline = BLOCK(x.transpose(1, 2)).transpose(1, 2)
    for one in (torch.cat(pieces, 1), offline):  # torch's exp2 differs in the last bit with the length
        np.testing.assert_allclose(one, whole, rtol=1e-6, atol=1e-5)


def test_pitch_stays_within_its_bounds() -> None:
    wild = torch.tensor([-40.0, 3.0, 60.0, 9.0, float("nan"), 9.0])[None, :, None]
    frames = BLOCK.step(wild, BLOCK.new_state())[0]
    assert frames[:, PITCH_HZ].tolist() == [50.0, 50.0, 2000.0, 512.0, 50.0, 512.0]
    assert frames.isfinite().all()


@pytest.mark.skipif(bool(why_missing()), reason=f"native code: {why_missing()}")
def test_native_is_torch_in_any_pieces() -> None:
    block = Sequence(
        {"turns": BLOCK, "levels": FixedLevels((1.0, 0.5), (0.1,)), "waves": Oscillators(RATE, HOP, 2, 1)}
    )
    spec = ModelSpec("t", "ddsp", RATE, HOP, 1, 0, 2, None, "0" * 64)
    native = import_module("synthhost.backends.native_runner").NativeRunner(spec, block)
    x = pitches(80)[:1].transpose(1, 2).numpy()
    x[0, 0, 60] = np.nan
    whole = played(native, x, [80])
    assert np.abs(whole - played(TorchRunner(spec, block), x, [80])).max() < 1e-4
    for cuts in ([1] * 80, [3, 0, 40, 37], [79, 1]):
        assert np.array_equal(played(native, x, cuts), whole)
    state = native.new_state(1, SeededDraws.of(0))
    played(native, x[:, :, :33], [33], state)
    copied = state.copy()
    rest = [played(native, np.ascontiguousarray(x[:, :, 33:]), [20, 27], one) for one in (state, copied)]
    assert np.array_equal(*rest)
    assert np.array_equal(rest[0], whole[33 * HOP :])


def played(runner: Runner, frames: np.ndarray, cuts: list[int], state: Any = None) -> np.ndarray:
    """Play `[1, 1, frames]` in pieces; `[samples]`."""
    state = state or runner.new_state(1, SeededDraws.of(0))
    sounds, first = [], 0
    for count in cuts:
        out = np.empty((1, (count + 1) * HOP), np.float32)
        written = runner.step(np.ascontiguousarray(frames[:, :, first : first + count]), state, out)
        sounds.append(out[0, :written])
        first += count
    return np.concatenate(sounds)
