"""The limiter: nothing above the ceiling, nothing changed below it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.effects.limiter import Limiter

RATE = 48000
LATE = Limiter.latency_samples


def limiter(channels: int = 2) -> Limiter:
    return Limiter(ceiling_db=-1.0, release_ms=50.0, sample_rate=RATE, channels=channels)


CEILING = np.float32(10 ** (-1 / 20))


def bursts(samples: int, seed: int, channels: int = 2) -> Audio:
    rng = np.random.default_rng(seed)
    level = np.repeat(10.0 ** rng.uniform(-3, 2, samples // 50 + 1), 50)[:samples]
    return (rng.standard_normal((channels, samples)) * level).astype(np.float32)


def in_chunks(stage: Limiter, sound: Audio, cuts: list[int]) -> Audio:
    parts, at, turn = [], 0, 0
    while at < sound.shape[1]:
        piece = sound[:, at : at + cuts[turn % len(cuts)]]
        parts.append(stage.process(piece))
        assert parts[-1].shape == piece.shape
        at, turn = at + piece.shape[1], turn + 1
    return np.concatenate(parts, axis=1)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 400), min_size=1, max_size=6).filter(any))
def test_any_chunking_gives_the_same_bits_and_no_sample_passes_the_ceiling(
    seed: int, cuts: list[int]
) -> None:
    sound = bursts(3000, seed)
    whole = limiter().process(sound)
    assert np.abs(whole).max() <= CEILING
    np.testing.assert_array_equal(in_chunks(limiter(), sound, cuts), whole)


def test_below_the_ceiling_the_output_is_the_input_delayed_to_the_bit() -> None:
    stage = limiter()
    sound = np.clip(bursts(5000, 1), -CEILING, CEILING)
    heard = in_chunks(stage, sound, [256, 1, 63])
    assert not heard[:, :LATE].any()
    np.testing.assert_array_equal(heard[:, LATE:], sound[:, :-LATE])
    assert stage.reduction_db == 0.0


def test_one_peak_is_turned_down_to_the_ceiling_and_the_sound_comes_back_to_the_bit() -> None:
    stage = limiter()
    sound = np.full((2, RATE), 0.25, dtype=np.float32)
    sound[0, 1000] = 4.0
    heard = np.concatenate((stage.process(sound[:, :1064]), stage.process(sound[:, 1064:])), axis=1)
    assert heard[0, 1000 + LATE] == pytest.approx(CEILING, rel=1e-6)
    assert np.abs(np.diff(heard[1, LATE:])).max() < 0.25 / 32 + 1e-6  # both channels duck, on a ramp
    assert heard[1, 1000 + LATE] < 0.06
    np.testing.assert_array_equal(heard[:, LATE : 960 + LATE], sound[:, :960])
    np.testing.assert_array_equal(heard[:, -1000:], sound[:, -1000:])


def test_reduction_is_told_in_db() -> None:
    stage = limiter()
    stage.process(np.full((2, 320), 10 ** (5 / 20), dtype=np.float32))
    assert stage.reduction_db == pytest.approx(6.0, abs=1e-4)
    stage.reset()
    assert stage.reduction_db == 0.0


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_bad_samples_become_silence_and_are_counted(bad: float) -> None:
    stage, sound = limiter(), np.full((2, 300), 0.5, dtype=np.float32)
    sound[0, 10] = sound[1, 20] = bad
    heard = stage.process(sound)
    assert stage.bad_samples == 2
    assert heard[0, 10 + LATE] == heard[1, 20 + LATE] == 0.0
    assert heard[1, 10 + LATE] == 0.5


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_any_number_of_channels_and_absurd_levels(channels: int) -> None:
    sound = bursts(2000, 4, channels) * np.float32(1e34)
    heard = limiter(channels).process(sound)
    assert np.isfinite(heard).all()
    assert np.abs(heard).max() <= CEILING


def test_reset_gives_a_stream_that_has_not_begun() -> None:
    stage, sound = limiter(), bursts(777, 2)
    first = stage.process(sound)
    stage.reset()
    np.testing.assert_array_equal(stage.process(sound), first)


@pytest.mark.parametrize(("ceiling_db", "release_ms"), [(1.0, 100.0), (float("nan"), 100.0), (-1.0, 0.0)])
def test_settings_out_of_range_are_refused(ceiling_db: float, release_ms: float) -> None:
    with pytest.raises(ConfigError, match="is outside"):
        Limiter(ceiling_db, release_ms, RATE)
