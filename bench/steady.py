"""A sound that goes on evenly, and a set of one track that plays it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from synthhost.core.arrays import Audio

TRACK = "voice"
_SAMPLE_RATE = 22050
_PITCH_HZ = 160.0


def steady_sound(seconds: float) -> Audio:
    """Return a sung tone with a little vibrato and breath, `[samples]` at 22050 Hz."""
    time_s = np.arange(round(seconds * _SAMPLE_RATE)) / _SAMPLE_RATE
    pitch_hz = _PITCH_HZ * (1.0 + 0.01 * np.sin(2 * np.pi * 5.0 * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / _SAMPLE_RATE
    tone = np.sum([np.sin(number * phase) / number for number in range(1, 25)], axis=0)
    breath = np.random.default_rng(0).standard_normal(len(time_s))
    sound: Audio = (0.12 * tone + 0.01 * breath).astype(np.float32)
    return sound


def steady_set(folder: Path, model: str) -> dict[str, Any]:
    """Write the sound into a folder and return a set that plays it in a loop through a model, bare."""
    path = folder / "steady.wav"
    soundfile.write(path, steady_sound(6.0), _SAMPLE_RATE, "FLOAT")
    source = {"kind": "tape", "tape": str(path), "params": {"loop_start": 0.1, "loop_end": 0.9}}
    preset = {"synthhost": "preset/1", "name": "steady", "model": model, "source": source, "gain_db": -12.0}
    return {
        "synthhost": "set/1",
        "name": "bench-steady",
        "tracks": [{"name": TRACK, "preset": preset}],
    }
