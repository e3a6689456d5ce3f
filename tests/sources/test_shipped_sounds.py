"""The sounds presets are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthhost.features.mel import CONVENTIONS
from synthhost.sources.tape import load_tape

FOLDER = Path(__file__).resolve().parents[2] / "presets" / "sounds"
SOUNDS = sorted(FOLDER.glob("*.flac"))


@pytest.mark.parametrize("path", SOUNDS, ids=lambda path: path.stem)
def test_every_sound_is_a_short_clean_mono_tape(path: Path) -> None:
    audio, rate_hz = soundfile.read(path, always_2d=True)
    assert (rate_hz, audio.shape[1]) == (22050, 1)
    assert 1.0 <= len(audio) / rate_hz <= 10.0
    assert 0.6 < np.abs(audio).max() < 0.8
    assert abs(audio.mean()) < 0.003
    assert load_tape(path, CONVENTIONS["jik876"]).frames > 100


def test_every_sounds_origin_is_told() -> None:
    told = (FOLDER / "SOURCES.md").read_text(encoding="utf-8")
    assert [path.name for path in SOUNDS if f"`{path.name}`" not in told] == []


def test_together_they_stay_small() -> None:
    assert sum(path.stat().st_size for path in SOUNDS) < 1_600_000
