"""What networks are told of notes: an excitation at the pitch, whatever the hands do; native as torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from synthhost.backends.conditions import PlannedConditions, TorchConditions, conditions_of
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import AIR, GAIN, TILT, NoteLine, measuring_frames, whole_note
from synthhost.families.note_input import WAVES, NoteInput, build_note_input, check_frames
from synthhost.native.compiled import why_missing

RATE, HOP = 16000, 40
PLAIN: dict[str, Any] = {
    "sample_rate": RATE,
    "hop_samples": HOP,
    "dimensions": 2,
    "release_s": 0.2,
    "lowest": 40.0,
    "highest": 90.0,
    "voices": 3,
    "harmonics": 20,
    "hidden": 9,
    "width": 5,
    "settled_s": 0.1,
}
SHAPE = NoteInput.from_json(PLAIN)


def note(key: float, frames: int = 200) -> Any:
    line = NoteLine(SHAPE.notes, RATE, HOP)
    line.begin(key, 0.8)
    return whole_note(line, np.zeros(2, np.float32), frames, 0)


def rows_of(frames: Any) -> Any:
    torch.manual_seed(3)
    block, _ = build_note_input(SHAPE)
    with torch.inference_mode():
        return block(torch.from_numpy(frames)[None])[0].numpy()


@pytest.mark.parametrize("key", [45.0, 60.3, 81.0])
def test_the_sine_and_the_sawtooth_have_the_keys_pitch_and_meet_at_every_cycle(key: float) -> None:
    rows = rows_of(note(key))
    hertz = 440.0 * 2.0 ** ((key - 69.0) / 12.0)
    times = np.arange(1, rows.shape[1] + 1) / RATE
    np.testing.assert_allclose(rows[0, HOP:], np.sin(2 * np.pi * hertz * times)[HOP:], atol=2e-3)
    count = min(SHAPE.harmonics, int(0.45 * RATE / hertz))
    saw = sum(np.sin(2 * np.pi * k * hertz * times) / k for k in range(1, count + 1))
    faded = np.abs(rows[1, HOP:] - saw[HOP:]).max()
    assert faded < 0.2  # partials near half the rate fade out


def test_hands_do_not_move_what_is_told() -> None:
    frames = note(60.0)
    moved = frames.copy()
    moved[GAIN], moved[TILT], moved[AIR] = 0.2, -9.0, 3.0
    np.testing.assert_array_equal(rows_of(moved), rows_of(frames))


def test_what_is_told_is_held_for_a_frame_and_settles() -> None:
    told = rows_of(note(60.0))[WAVES:].reshape(SHAPE.width, -1, HOP)
    assert (told == told[:, :, :1]).all()
    settled = int(PLAIN["settled_s"] * RATE / HOP)
    np.testing.assert_array_equal(told[:, settled:], np.repeat(told[:, -1:], 200 - settled, 1))
    assert np.abs(np.diff(told[:, :settled, 0], axis=1)).max(0).min() > 0.0


@pytest.mark.skipif(why_missing() is not None, reason="no compiled extension")
def test_native_equals_torch_in_any_chunking() -> None:
    frames = measuring_frames(SHAPE.notes, RATE, HOP, 60)[None]
    block, _ = build_note_input(SHAPE)
    planned, torch_made = conditions_of(block.eval(), SHAPE.notes.bands), TorchConditions(block)
    assert isinstance(planned, PlannedConditions)
    expected = torch_made.step(frames, torch_made.new_state(1))
    for cuts in ([60], [1, 1, 7, 51], [30, 30]):
        state, pieces = planned.new_state(1), []
        for first, count in zip(np.cumsum([0, *cuts[:-1]]), cuts, strict=True):
            pieces.append(planned.step(np.ascontiguousarray(frames[:, :, first : first + count]), state))
        made = np.concatenate(pieces, 1)
        assert np.abs(made - expected).max() < 2e-5


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("voices", 0, "voices"),
        ("harmonics", 0, "harmonics"),
        ("highest", 30.0, "highest"),
        ("width", 1e9, "width"),
    ],
)
def test_what_cannot_be_built_is_told(key: str, value: Any, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        NoteInput.from_json({**PLAIN, key: value})


def test_frames_of_another_shape_are_refused() -> None:
    check_frames("X", SHAPE, SHAPE.notes.bands, HOP)
    with pytest.raises(ConfigError, match="X notes: have frames of"):
        check_frames("X", SHAPE, SHAPE.notes.bands + 1, HOP)
