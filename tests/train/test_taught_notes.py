"""A teacher's notes keep their partials in step with the fundamental, and count like any other material's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import key_hz
from synthhost.train.notes_material import NoteMaterial, played
from synthhost.train.taught_notes import Teacher, teacher_stamp
from synthhost.train.tracked_notes import followed_cycles

RATE = 16000
PLAIN: dict[str, Any] = {
    "teacher": "notes",
    "timbres": [
        {"name": "clarinet", "program": 71, "lowest": 57, "highest": 65},
        {"name": "cello", "program": 42, "lowest": 45, "highest": 49},
    ],
    "key_step": 4,
    "velocities": [60, 120],
    "held_s": [0.5],
    "after_s": 0.2,
    "held_out_every": 3,
}


def test_it_plays_every_key_and_velocity_and_some_are_held_out(tmp_path: Path) -> None:
    notes = list(played(NoteMaterial.from_json(PLAIN), RATE, tmp_path))
    assert [(note.timbre, note.key) for note in notes[::2]] == [(0, 57), (0, 61), (0, 65), (1, 45), (1, 49)]
    assert {note.held_samples for note in notes} == {RATE // 2}
    assert all(abs(note.sound.shape[0] - 0.7 * RATE) < 0.01 * RATE for note in notes)
    assert 0 < sum(note.held_out for note in notes) < len(notes)
    loud = [float(np.abs(note.sound).max()) for note in notes]
    assert all(second > first > 0.0 for first, second in zip(loud[::2], loud[1::2], strict=True))


def test_partials_stand_where_the_fundamental_says() -> None:
    sound = Teacher("notes", RATE).note("cello", 45, 100, 1.0, 0.0)
    cycles = followed_cycles(sound, float(key_hz(45)), RATE)[:-1][4000:14000]
    steady = sound[4000:14000].astype(np.float64)
    for partial in range(1, 7):
        phase = np.angle(np.mean(steady * np.exp(-2j * np.pi * partial * cycles)))  # a sine's is -pi / 2
        assert abs(np.angle(np.exp(1j * (phase + np.pi / 2)))) < 0.35, partial


def test_what_cannot_teach_is_told() -> None:
    with pytest.raises(ConfigError, match="material: teacher: drums plays no notes"):
        Teacher("drums", RATE)
    with pytest.raises(ConfigError, match="notes has no instrument kazoo"):
        Teacher("notes", RATE).note("kazoo", 60, 100, 0.1, 0.0)
    assert teacher_stamp("") == []
    assert len(teacher_stamp("notes")[0]) == 64
    material = NoteMaterial.from_json(PLAIN)
    assert material.stamp() != NoteMaterial.from_json({**PLAIN, "teacher": ""}).stamp()
