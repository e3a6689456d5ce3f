from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.errors import RecordingError
from synthhost.core.messages import (
    Accepted,
    Activate,
    Command,
    CommitCue,
    CuePreset,
    DropCue,
    Event,
    Failed,
    LoadPreset,
    LoadTape,
    NoteOff,
    Notice,
    Panic,
    PushMel,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    Synced,
    Trigger,
    as_plain,
    decode,
    encode,
    from_plain,
)

BODY = {"name": "pad", "chain": [{"effect": "Reverb", "params": {"wet_level": 0.1}}]}
ALL: list[Any] = [
    SetParam("voice", "speed", 0.1, 5, 3),
    Trigger("drums", 36.5, 0.25, None, 2, 5, 3),
    Trigger("drums", None, 1.0, (0.1, -2.0), 0, 5, 3),
    NoteOff("drums", 36.5, 5, 3),
    LoadTape("voice", "a", "/x.wav", 5, 3),
    LoadPreset("voice", "pad", BODY, 30.0, 5, 3),
    CuePreset("voice", "pad", BODY, 5, 3),
    CommitCue("voice", 30.0, 5, 3),
    DropCue("voice", 5, 3),
    Activate(7, 5, 3),
    Panic(5, 3),
    StartRecording("/takes/1", "flac", 5, 3),
    StopRecording(5, 3),
    Sync(9, 5, 3),
    Accepted(SetParam("voice", "speed", 0.1, 5, 3), 12),
    Failed(3, "/a", "why"),
    Synced(3, 9),
    Notice("late", "text", 5),
]


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_every_message_comes_back_equal(message: Command | Event) -> None:
    assert decode(encode([message])) == [message]  # type: ignore[list-item]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_parameter_values_keep_every_bit(value: float) -> None:
    command = SetParam("voice", "speed", value)
    assert decode(encode([command])) == [command]


@given(st.integers(1, 5), st.integers(1, 90), st.integers(0, 2**32 - 1))
def test_frames_keep_every_bit(frames: int, bands: int, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2**32, (bands, frames), dtype=np.uint32)
    sent = PushMel("voice", 3, bits.view(np.float32), 5, 1)
    (back,) = decode(encode([Accepted(sent)]))
    assert isinstance(back, Accepted)
    assert isinstance(back.command, PushMel)
    assert back.command.frames.dtype == np.float32
    np.testing.assert_array_equal(back.command.frames.view(np.uint32), bits)
    assert (back.command.index, back.command.at_sample) == (3, 5)


@pytest.mark.parametrize(
    "plain",
    [
        {},
        {"do": "Explode"},
        {"do": "SetParam", "track": "voice"},
        {"do": "PushMel", "track": "v", "index": None, "frames": {"bands": 80, "f32": "!!!"}},
        {"do": "PushMel", "track": "v", "index": None, "frames": {"bands": 80, "f32": "AAAA"}},
        {"do": "PushMel", "track": "v", "index": None, "frames": {"bands": "many", "f32": ""}},
        {"do": "Accepted", "command": {"do": "Explode"}},
        {"do": ["SetParam"]},
    ],
)
def test_what_no_version_wrote_is_refused(plain: dict[str, Any]) -> None:
    with pytest.raises(RecordingError, match="not a message"):
        from_plain(plain)


def test_fields_of_a_newer_version_are_passed_over() -> None:
    assert from_plain({**as_plain(Panic(5)), "how": "softly"}) == Panic(5)


def test_a_bundle_is_one_json_text() -> None:
    assert [each["do"] for each in json.loads(encode([Panic(), StopRecording()]))] == [
        "Panic",
        "StopRecording",
    ]
