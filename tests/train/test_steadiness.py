"""What drifts, falls silent, changes its colour or leans to one side is told by the number that is for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from synthhost.train.steadiness import Minutes, Steadiness, steadiness

RATE, MINUTES, LEVEL = 8000, 3, 0.1
SAMPLES = 2 * RATE  # of a "minute"
Sound = NDArray[np.float32]
Change = Callable[[Sound, int], Sound]


def noise(seed: int, minute: int) -> Sound:
    rng = np.random.default_rng([seed, minute])
    return np.asarray(LEVEL * rng.standard_normal(SAMPLES), np.float32)


def voices(change: Change = lambda sound, _: sound, changed: int = 5) -> Minutes:
    """Play steady noise, one seed of it changed minute by minute."""

    def play(seeds: Sequence[int]) -> Iterator[Sound]:
        for minute in range(MINUTES):
            sounds = {seed: noise(seed, minute) for seed in seeds}
            if changed in sounds:
                sounds[changed] = change(sounds[changed], minute)
            yield np.stack(list(sounds.values()))

    return play


def heard(play: Minutes) -> Steadiness:
    return steadiness(play, [3, 4, 5], lambda seed: noise(seed, 99), RATE)


def test_steady_noise_is_steady() -> None:
    found = heard(voices())
    assert (found.seeds, found.minutes) == (3, MINUTES)
    assert -0.5 < found.lowest_db <= found.highest_db < 0.5
    assert found.drift_db < 0.5
    assert found.spectrum_db < 1.0
    assert found.silent == 0.0
    assert found.dc < 0.05
    assert 3.0 * LEVEL < found.peak < 6.0 * LEVEL


def test_a_voice_that_falls_silent_is_told() -> None:
    found = heard(voices(lambda sound, minute: sound * np.float32(minute != 1)))
    assert found.silent == 1.0
    assert found.lowest_db < -60.0
    assert found.highest_db < 0.5


def test_a_second_of_silence_is_its_share_of_a_minute() -> None:
    def paused(sound: Sound, minute: int) -> Sound:
        out = sound.copy()
        out[RATE:] *= minute != 1
        return out

    assert heard(voices(paused)).silent == 0.5


def test_a_voice_that_drifts_is_told_in_decibels() -> None:
    found = heard(voices(lambda sound, minute: sound * np.float32(10.0 ** (4.5 * minute / 20.0))))
    assert found.drift_db == pytest.approx(9.0, abs=0.4)
    assert found.highest_db == pytest.approx(9.0, abs=0.4)
    assert found.lowest_db > -0.5
    assert found.spectrum_db < 1.0, "louder is not another colour"


def test_voices_that_differ_from_each_other_do_not_drift() -> None:
    found = heard(voices(lambda sound, _: 2.0 * sound))
    assert found.drift_db < 0.5
    assert found.highest_db == pytest.approx(6.0, abs=0.4)


def test_a_voice_that_changes_its_colour_is_told() -> None:
    def darker(sound: Sound, minute: int) -> Sound:
        if minute < 2:
            return sound
        dark = np.convolve(sound, np.ones(4) / 2.0, "same")  # as loud as before
        return np.asarray(dark, np.float32)

    found = heard(voices(darker))
    assert found.spectrum_db > 3.0
    assert found.drift_db < 0.5


def test_a_voice_that_leans_to_one_side_is_told() -> None:
    found = heard(voices(lambda sound, _: sound + np.float32(LEVEL)))
    assert found.dc == pytest.approx(0.5**0.5, abs=0.02)


@pytest.mark.parametrize("threads", [1, 8])
def test_threads_do_not_change_what_is_found(threads: int) -> None:
    play = voices(lambda sound, minute: sound * np.float32(1.0 + minute))
    assert steadiness(play, [3, 4, 5], lambda seed: noise(seed, 99), RATE, threads) == heard(play)


def test_a_whistle_now_and_then_is_told_though_the_average_hides_it() -> None:
    times = np.arange(SAMPLES) / RATE

    def whistling(sound: Sound, minute: int) -> Sound:
        out = sound.copy()
        if minute == 1:
            out[: SAMPLES // 16] += 0.3 * np.sin(2.0 * np.pi * 2000.0 * times[: SAMPLES // 16])
        return out

    assert heard(voices()).whistle_db < 3.0
    assert heard(voices(whistling)).whistle_db > 12.0


@pytest.mark.parametrize(("under_db", "told"), [(50.0, False), (20.0, True)])
def test_what_lies_far_under_the_references_loudest_band_is_no_whistle(under_db: float, told: bool) -> None:
    tone = np.sin(2.0 * np.pi * 300.0 * np.arange(SAMPLES) / RATE)
    whistle = 10.0 ** (-under_db / 20.0) * np.sin(2.0 * np.pi * 3500.0 * np.arange(SAMPLES) / RATE)

    def play(seeds: Sequence[int]) -> Iterator[Sound]:
        yield np.stack([np.asarray(LEVEL * (tone + whistle), np.float32) for _ in seeds])

    found = steadiness(play, [1], lambda _: np.asarray(LEVEL * tone, np.float32), RATE)
    assert (found.whistle_db > 12.0) == told
