"""A note made of known partials and noise is taken apart into these."""

from __future__ import annotations

import numpy as np
import pytest

from synthhost.train.harmonic_analysis import Analysis, partial_places, tuned

RATE, HARMONICS, BANDS = 48000, 12, 16


def note(pitch_hz: float, amplitudes: list[float], noise: float = 0.0, stretch: float = 0.0) -> np.ndarray:
    times = np.arange(RATE) / RATE
    places = partial_places(len(amplitudes), stretch) * pitch_hz
    partials = (
        a * np.sin(2 * np.pi * p * times + i) for i, (a, p) in enumerate(zip(amplitudes, places, strict=True))
    )
    sound = np.sum(list(partials), axis=0)
    return (sound + noise * np.random.default_rng(0).standard_normal(RATE)).astype(np.float32)


@pytest.mark.parametrize("pitch_hz", [55.0, 220.0, 880.0])
def test_partials_have_their_amplitudes(pitch_hz: float) -> None:
    amplitudes = [0.3, 0.1, 0.2, 0.01, 0.05]
    at = np.array([12000, 24000, 36000])
    frames = Analysis(RATE, HARMONICS, BANDS).frames(note(pitch_hz, amplitudes), pitch_hz, at)
    for column in frames.harmonics.T:
        np.testing.assert_allclose(column[:5], amplitudes, rtol=0.12)
        assert column[5:].max() < 0.005


def test_noise_between_partials_has_its_level() -> None:
    at = np.arange(8000, 40000, 400)
    frames = Analysis(RATE, HARMONICS, BANDS).frames(note(440.0, [0.3, 0.1], noise=0.01), 440.0, at)
    total = np.sqrt((frames.noise.astype(np.float64) ** 2).sum(0)).mean()
    assert total == pytest.approx(0.01, rel=0.35)
    np.testing.assert_allclose(frames.harmonics[0], 0.3, rtol=0.1)


@pytest.mark.parametrize("cents", [-30.0, 0.0, 21.0])
def test_a_note_out_of_tune_is_found(cents: float) -> None:
    pitch_hz = 220.0 * 2 ** (cents / 1200)
    found, stretch = tuned(note(pitch_hz, [0.2] * 8), 220.0, RATE)
    assert 1200 * np.log2(found / pitch_hz) == pytest.approx(0.0, abs=2.0)
    assert stretch < 1e-4


def test_a_stiff_string_is_found() -> None:
    found, stretch = tuned(note(110.0, [0.2] * 14, stretch=4e-4), 110.0, RATE)
    assert stretch == pytest.approx(4e-4, rel=0.4)
    assert abs(1200 * np.log2(found / 110.0)) < 5.0


def test_an_attack_stays_where_it_is() -> None:
    sound = note(110.0, [0.3, 0.1])
    sound[:4800] = 0.0
    at = np.array([4300, 4700, 5300, 6000])  # a short window is 18 ms, 436 samples to either side
    frames = Analysis(RATE, HARMONICS, BANDS).frames(sound, 110.0, at)
    levels = np.sqrt((frames.harmonics**2).sum(0))
    assert levels[0] < 1e-4
    assert levels[1] < 0.2 < levels[2]
    assert levels[2] == pytest.approx(levels[3], rel=0.15)
