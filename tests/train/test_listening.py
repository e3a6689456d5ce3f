"""Listening without ears finds what is wrong with a sound, and nothing in a sound that is right."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.train.distances import PitchTracker
from synthhost.train.listening import clicks_in, listened_to, read_sound

pytest.importorskip("swift_f0", reason="the pitch tracker is not installed")

RATE = 16000


@pytest.fixture(scope="module")
def tracker() -> PitchTracker:
    return PitchTracker()


def tone(hertz: float = 440.0, seconds: float = 3.0, level: float = 0.3) -> Audio:
    times = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2.0 * np.pi * k * hertz * times) / k for k in range(1, 6))
    return np.asarray(level * sound, np.float32)


def test_a_tone_is_heard_as_it_is(tracker: PitchTracker) -> None:
    heard = listened_to(tone()[None], RATE, tracker)
    assert heard.seconds == 3.0
    assert heard.clipped == heard.broken == heard.clicks == 0
    assert heard.sounding == 1.0
    assert heard.silence_s == 0.0
    assert heard.pitched > 0.9
    assert heard.cents < 8.0
    assert abs(heard.mean) < 1e-3
    assert -20.0 < heard.level_db < heard.peak_db < 0.0
    assert math.isnan(heard.comb_db)


def test_what_lies_between_keys_is_as_far_from_the_nearest_as_the_tracker_reads_it(
    tracker: PitchTracker,
) -> None:
    sharp = tone(440.0 * 2.0 ** (0.3 / 12.0))
    read = float(np.median(np.abs(tracker.cents(sharp, RATE, 440.0))))
    assert listened_to(sharp[None], RATE, tracker).cents == pytest.approx(read, abs=1e-6)
    assert read > 15.0  # the tracker itself is up to 9 cents off, on other processors elsewhere


def test_what_is_wrong_is_counted(tracker: PitchTracker) -> None:
    sound = np.stack([tone(), tone()])
    sound[0, 100:103] = 1.0
    sound[1, 500] = np.nan
    sound[1] += 0.1
    sound[:, 20000:36000] = 0.0
    heard = listened_to(sound, RATE, tracker)
    assert heard.clipped == 3
    assert heard.broken == 1
    assert 0.05 < heard.mean < 0.1
    assert 0.9 < heard.silence_s < 1.05
    assert 0.6 < heard.sounding < 0.72
    silent = listened_to(np.zeros((1, RATE), np.float32), RATE, tracker)
    assert silent.sounding == silent.pitched == 0.0
    assert silent.silence_s == 1.0
    assert math.isnan(silent.cents)


def test_a_jump_is_a_click_and_a_begin_and_an_end_are_none() -> None:
    sound = tone(110.0)
    assert clicks_in(sound, RATE) == 0
    broken = sound.copy()
    broken[24000:] *= -1.0
    broken[24000:] += 0.2
    assert clicks_in(broken, RATE) == 1
    hit = np.zeros(RATE, np.float32)
    hit[4000:] = np.random.default_rng(0).standard_normal(12000) * np.exp(-np.arange(12000) / 2000)
    assert clicks_in(0.3 * hit, RATE) == 0
    assert clicks_in(np.zeros(3, np.float32), RATE) == 0


def test_a_hum_at_the_frame_rate_stands_out(tracker: PitchTracker) -> None:
    noise = 0.05 * np.random.default_rng(1).standard_normal(3 * RATE)
    times = np.arange(3 * RATE) / RATE
    humming = noise + 0.05 * np.sin(2.0 * np.pi * 125.0 * times)
    plain, loud = (
        listened_to(np.asarray(one, np.float32)[None], RATE, tracker, 125.0) for one in (noise, humming)
    )
    assert abs(plain.comb_db) < 2.0
    assert loud.comb_db > 6.0


def test_what_cannot_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    path.write_bytes(b"RIFF nothing of the kind")
    with pytest.raises(TrainingError, match=r"sound\.wav: is no sound file that can be read"):
        read_sound(path)
    soundfile.write(path, np.zeros((0, 2)), RATE)
    with pytest.raises(TrainingError, match=r"sound\.wav: 0 samples"):
        read_sound(path)
    soundfile.write(path, np.zeros((10, 2)), RATE)
    assert read_sound(path)[0].shape == (2, 10)
