"""Pitch and formant moves on mel frames."""

from __future__ import annotations

import numpy as np
import pytest

from synthhost.features.mel import CONVENTIONS, band_centres_hz, mel_spectrogram
from synthhost.sources.mel_colour import MelColour

SPEC = CONVENTIONS["jik876"]
STILL = np.zeros(1, np.float32)


def voice_mel(pitch_hz: float, throat: float = 1.0) -> np.ndarray:
    """The mel of a steady voice-like tone with its formants moved by a ratio, one frame, `[1, bands]`."""
    time_s = np.arange(8192) / SPEC.sample_rate
    audio = np.zeros_like(time_s)
    for partial in np.arange(pitch_hz, 8000, pitch_hz):
        level = (
            sum(
                1 / (1 + ((partial - centre) / 150) ** 2)
                for centre in (600 * throat, 1500 * throat, 2700 * throat)
            )
            + 0.02
        )
        audio += level * np.sin(2 * np.pi * partial * time_s + partial**2)
    mel = mel_spectrogram((0.05 * audio).astype(np.float32), SPEC)
    return mel[:, 16:17].T.copy()


def moved(rows: np.ndarray, pitch: float = 0.0, formant: float = 0.0) -> np.ndarray:
    out = rows.copy()
    MelColour(SPEC).apply(out, STILL + np.float32(pitch), STILL + np.float32(formant), STILL, STILL)
    return out


def error(rows: np.ndarray, truth: np.ndarray) -> float:
    """The mean distance inside the range that both cover, in nats."""
    return float(np.abs(rows - truth)[:, 2:60].mean())


@pytest.mark.parametrize("semitones", [-12, -5, 4, 7, 12])
def test_a_transposed_mel_is_nearer_the_mel_of_the_transposed_sound(semitones: int) -> None:
    ratio = 2 ** (semitones / 12)
    truth = voice_mel(440 * ratio, ratio)
    before = voice_mel(440.0)
    assert error(moved(before, pitch=semitones), truth) < 0.8 * error(before, truth)


def test_a_partial_lands_at_its_new_pitch_within_a_band() -> None:
    time_s = np.arange(8192) / SPEC.sample_rate
    rows = mel_spectrogram((0.3 * np.sin(2 * np.pi * 500 * time_s)).astype(np.float32), SPEC)[:, 16:17].T
    peak = int(np.argmax(moved(rows, pitch=12.0)))
    assert abs(peak - int(np.argmin(np.abs(band_centres_hz(SPEC) - 1000)))) <= 1


@pytest.mark.parametrize("semitones", [-7.0, -4.0, 4.0, 7.0])
@pytest.mark.parametrize("pitch_hz", [110.0, 220.0, 440.0])
def test_formant_moves_the_formants_and_keeps_the_partials(pitch_hz: float, semitones: float) -> None:
    before = voice_mel(pitch_hz)
    truth = voice_mel(pitch_hz, 2 ** (semitones / 12))
    after = moved(before, formant=semitones)
    assert error(after, truth) < 0.9 * error(before, truth)
    low = slice(5, 33)  # where bands resolve single partials
    assert np.corrcoef(np.diff(before[0, low]), np.diff(after[0, low]))[0, 1] > 0.95


def test_frames_with_nothing_to_change_keep_their_bits() -> None:
    rows = (
        np.random.default_rng(0).uniform(-20, 5, (3, SPEC.bands)).astype(np.float32)
    )  # beyond the bounds too
    kept = rows.copy()
    MelColour(SPEC).apply(rows, np.float32([0, 2, 0]), np.zeros(3, np.float32), *np.zeros((2, 3), np.float32))
    np.testing.assert_array_equal(rows[[0, 2]], kept[[0, 2]])
    assert not np.array_equal(rows[1], kept[1])
