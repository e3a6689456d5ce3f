"""A line of notes is read strictly, and measures tell a clean tone from noise, a wrong pitch and silence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synthhost.core.errors import ConfigError
from synthhost.train.phrases import PhraseNote, playing, read_phrase

RATE = 16000
PHRASE = [PhraseNote(0.0, 57.0, 0.8, 0.8), PhraseNote(1.0, 69.0, 0.8, 0.8)]


class Told:
    """A tracker that is told what it finds."""

    def __init__(self, cents: float | None) -> None:
        self._cents = cents

    def cents(self, sound: Any, sample_rate: int, wanted_hz: float) -> Any:
        return np.zeros(0) if self._cents is None else np.full(10, self._cents)


def tones(noise: float = 0.0) -> Any:
    sound = noise * np.random.default_rng(0).standard_normal(2 * RATE)
    for note in PHRASE:
        hertz = 440.0 * 2.0 ** ((note.key - 69.0) / 12.0)
        first, count = int(note.at_s * RATE), int(note.held_s * RATE)
        sound[first : first + count] += 0.3 * np.sin(2 * np.pi * hertz * np.arange(count) / RATE)
    return sound.astype(np.float32)


def test_a_phrase_is_read_with_its_remarks(tmp_path: Path) -> None:
    path = tmp_path / "phrase.txt"
    path.write_text("# a fifth\n0 57 0.8 0.8\n\n1.0 69 0.8 0.8  # and the octave\n")
    assert read_phrase(path) == PHRASE


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("0 57 0.8", "line 1: expected four numbers"),
        ("0 57 0.8 0.8\n1 x 1 1", "line 2: expected four numbers"),
        ("0 128 0.8 0.8", "line 1: a key lies within"),
        ("0 nan 0.8 0.8", "line 1: a key lies within"),
        ("0 57 1.8 0.8", "a velocity within"),
        ("0 57 0.8 0", "times do not run backwards"),
        ("0 57 0.8 2\n1 60 0.8 1", "one at a time"),
        ("0 57 0.8 500", "longer than 120 s"),
        ("# nothing", "holds 0 notes"),
    ],
)
def test_what_is_no_phrase_is_told_with_its_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "phrase.txt"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_phrase(path)


def test_noise_between_harmonics_is_seen_and_pitch_is_summed_up() -> None:
    clean = playing(tones(), RATE, 250.0, PHRASE, Told(3.0))  # type: ignore[arg-type]
    noisy = playing(tones(0.1), RATE, 250.0, PHRASE, Told(-80.0))  # type: ignore[arg-type]
    assert clean.noise_db < -40.0
    assert noisy.noise_db == pytest.approx(10 * np.log10(0.01 / 0.045), abs=2.0)
    assert (clean.median_cents, clean.near, clean.pitched) == (3.0, 1.0, 1.0)
    assert (noisy.median_cents, noisy.near) == (80.0, 0.0)


def test_what_is_never_pitched_has_no_pitch_error() -> None:
    silent = playing(np.zeros(2 * RATE, np.float32), RATE, 250.0, PHRASE, Told(None))  # type: ignore[arg-type]
    assert np.isnan(silent.median_cents)
    assert (silent.near, silent.pitched, silent.peak) == (0.0, 0.0, 0.0)
