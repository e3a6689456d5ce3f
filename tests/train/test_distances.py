"""Measures are nothing between equal sounds, grow with what is wrong, and see what they are there for."""

from __future__ import annotations

import importlib.util
from types import SimpleNamespace

import numpy as np
import pytest

from synthhost.train.distances import (
    PitchTracker,
    frame_rate_comb_db,
    is_trackable,
    log_mel_distance,
    multi_resolution_distance,
    pitch_errors,
)

RATE = 22050


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    times = np.arange(int(seconds * RATE)) / RATE
    return sum(0.2 / k * np.sin(2 * np.pi * k * hertz * times) for k in range(1, 8)).astype(np.float32)  # type: ignore[union-attr]


def noise(level: float, seed: int = 0) -> np.ndarray:
    return (level * np.random.default_rng(seed).standard_normal(RATE)).astype(np.float32)


@pytest.mark.parametrize("distance", [multi_resolution_distance, lambda a, b: log_mel_distance(a, b, RATE)])
def test_a_sound_is_nothing_from_itself_and_further_the_more_is_added(distance) -> None:  # type: ignore[no-untyped-def]
    sound = tone(220.0)
    assert distance(sound, sound) == 0.0
    near, far = (distance(sound + noise(level), sound) for level in (0.002, 0.02))
    assert 0.0 < near < far


def test_twice_as_loud_is_six_decibels() -> None:
    sound = noise(0.1)
    assert multi_resolution_distance(2.0 * sound, sound) == pytest.approx(6.02, abs=0.1)


def test_the_comb_is_seen_and_not_mistaken_for_the_sounds_own_harmonics() -> None:
    rate_hz = RATE / 256
    plain = tone(300.0) + noise(0.003)
    buzz = plain + 0.1 * tone(rate_hz)[: plain.shape[0]]
    assert abs(frame_rate_comb_db(plain, RATE, rate_hz, 300.0)) < 3.0
    assert frame_rate_comb_db(buzz, RATE, rate_hz, 300.0) > 15.0


def test_errors_of_pitch_are_summed_up() -> None:
    errors = pitch_errors(np.array([-3.0, 5.0, 10.0, -200.0]))
    assert (errors.median_cents, errors.near, errors.frames) == (7.5, 0.75, 4)
    nothing = pitch_errors(np.zeros(0))
    assert np.isnan(nothing.median_cents)
    assert nothing.frames == 0


def test_the_tracker_reaches_so_far_and_no_further() -> None:
    assert [is_trackable(hertz) for hertz in (30.0, 60.0, 440.0, 1900.0, 3000.0)] == [
        False,
        True,
        True,
        True,
        False,
    ]


@pytest.mark.skipif(importlib.util.find_spec("swift_f0") is None, reason="SwiftF0 is not installed")
@pytest.mark.parametrize("hertz", [110.0, 261.63, 880.0])
def test_the_pitch_of_a_tone_is_found(hertz: float) -> None:
    errors = pitch_errors(PitchTracker().cents(tone(hertz), RATE, hertz))
    assert errors.median_cents < 5.0
    assert errors.frames > 20


@pytest.mark.skipif(importlib.util.find_spec("swift_f0") is None, reason="SwiftF0 is not installed")
@pytest.mark.parametrize("octaves", [1, 2])
def test_a_tone_that_is_read_octaves_too_high_is_where_its_strong_partials_are(
    octaves: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker, found = (
        PitchTracker(),
        SimpleNamespace(pitch_hz=[220.0 * 2**octaves] * 20, confidence=[0.9] * 20),
    )
    monkeypatch.setattr(tracker, "_tracker", SimpleNamespace(detect=lambda *_: found))
    low = sum(tone(220.0 * 2**octave) for octave in range(octaves + 1))
    np.testing.assert_allclose(tracker.cents(low, RATE, 220.0), 0.0, atol=1e-9)
    faint = low - 0.9 * sum(tone(220.0 * 2**octave) for octave in range(octaves))
    np.testing.assert_allclose(tracker.cents(faint, RATE, 220.0), 1200.0 * octaves, atol=1e-9)
