from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.timebase import ClockMap, ms_to_samples, ntp_to_unix_s, samples_to_ms, unix_to_ntp

RATE = 48_000
Jitter = Callable[[random.Random], float]


def followed(block: int, ppm: float, jitter: Jitter, seconds: float) -> tuple[ClockMap, float]:
    """Feed a map readings of a drifting clock; return it and its worst error in ms after the first second."""
    chance = random.Random(5)
    true_rate = RATE * (1 + ppm * 1e-6)
    clock, worst_ms = ClockMap(RATE), 0.0
    for sample in range(0, int(seconds * RATE), block):
        now_s = 1000.0 + sample / true_rate
        clock.observe(now_s + jitter(chance), sample)
        if sample > RATE:
            ahead = sample + 0.1 * true_rate
            worst_ms = max(worst_ms, abs(clock.sample_at(now_s + 0.1) - ahead) * 1000 / RATE)
    return clock, worst_ms


@pytest.mark.parametrize("block", [64, 256, 1024])
@pytest.mark.parametrize(
    "jitter",
    [
        lambda chance: 0.0,
        lambda chance: chance.uniform(-0.002, 0.002),
        lambda chance: chance.gauss(0, 0.003),
        lambda chance: chance.expovariate(1 / 0.0003),
        lambda chance: 0.03 if chance.random() < 0.01 else 0.0,
    ],
    ids=["none", "uniform 2 ms", "normal 3 ms", "late 0.3 ms", "spikes of 30 ms"],
)
def test_the_map_stays_within_a_millisecond_under_jitter(block: int, jitter: Jitter) -> None:
    _, worst_ms = followed(block, 50.0, jitter, 20.0)
    assert worst_ms < 1.0


@pytest.mark.parametrize("ppm", [-50.0, 0.0, 50.0])
def test_the_map_learns_the_drift(ppm: float) -> None:
    clock, _ = followed(256, ppm, lambda chance: chance.uniform(-0.001, 0.001), 100.0)
    assert clock.drift_ppm == pytest.approx(ppm, abs=10.0)


@pytest.mark.parametrize("jump_s", [-5.0, -0.05, 0.05, 5.0])
def test_a_clock_that_jumps_is_taken_anew(jump_s: float) -> None:
    clock, _ = followed(256, 0.0, lambda _: 0.0, 5.0)
    jump = round(jump_s * RATE)
    for sample in range(5 * RATE, 6 * RATE, 256):
        clock.observe(1000.0 + sample / RATE, sample + jump)
    assert clock.sample_at(1006.0) == pytest.approx(6 * RATE + jump, abs=48)


def test_one_reading_that_is_far_off_moves_nothing() -> None:
    clock, _ = followed(256, 0.0, lambda _: 0.0, 5.0)
    clock.observe(1005.0 + 0.5, 5 * RATE)
    assert clock.sample_at(1005.0) == pytest.approx(5 * RATE, abs=48)


def test_the_same_reading_twice_counts_once() -> None:
    clock = ClockMap(RATE)
    clock.observe(1.0, 480)
    clock.observe(2.0, 480)
    assert (clock.seen, clock.sample_at(1.0)) == (1, 480.0)


@given(st.floats(0, 2.0e9))
def test_time_tags_keep_a_microsecond(seconds: float) -> None:
    assert ntp_to_unix_s(unix_to_ntp(seconds)) == pytest.approx(seconds, abs=1e-6)


def test_the_unix_epoch_has_its_known_time_tag() -> None:
    assert unix_to_ntp(0.5) == (2_208_988_800 << 32) | (1 << 31)


@given(st.integers(0, 10**9), st.sampled_from([22_050, 44_100, 48_000]))
def test_samples_survive_the_way_through_milliseconds(samples: int, rate: int) -> None:
    assert ms_to_samples(samples_to_ms(samples, rate), rate) == samples
