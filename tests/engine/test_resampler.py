"""The streaming rate converter: exact counts, exact chunking, exact delay, and the levels it promises."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.engine.resampler import MAX_DELAY_MS, Resampler

RATIOS = [
    (22050, 48000),
    (22050, 44100),
    (24000, 48000),
    (16000, 48000),
    (44100, 48000),
    (48000, 44100),
    (22050, 96000),
]
every_ratio = pytest.mark.parametrize(("rate_in", "rate_out"), RATIOS)


def noise(samples: int) -> Audio:
    return np.random.default_rng(7).standard_normal(samples).astype(np.float32)


def sine(hz: float, rate: int, samples: int) -> Audio:
    return np.sin(2 * np.pi * hz * np.arange(samples) / rate).astype(np.float32)


def spectrum_db(signal: Audio) -> np.ndarray:
    window = np.kaiser(signal.shape[0], 22.0)
    return 20 * np.log10(2 * np.abs(np.fft.rfft(signal * window)) / window.sum() + 1e-12)


def pulled(resampler: Resampler, x: Audio, blocks: list[int]) -> Audio:
    out, at, turn = [np.zeros(0, dtype=np.float32)], 0, 0
    while True:
        n = blocks[turn % len(blocks)]
        wanted = resampler.needed(n)
        if at + wanted > x.shape[0]:
            return np.concatenate(out)
        out.append(resampler.take(n, x[at : at + wanted]))
        assert out[-1].shape == (n,)
        at, turn = at + wanted, turn + 1


@every_ratio
@settings(max_examples=12, deadline=None)
@given(blocks=st.lists(st.integers(1, 700), min_size=1, max_size=6))
def test_any_pulling_gives_the_same_bits(rate_in: int, rate_out: int, blocks: list[int]) -> None:
    x = noise(2500)
    whole = Resampler(rate_in, rate_out).process(x)
    parts = pulled(Resampler(rate_in, rate_out), x, blocks)
    assert parts.shape[0] > whole.shape[0] - 700
    np.testing.assert_array_equal(parts, whole[: parts.shape[0]])


@every_ratio
@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), min_size=1, max_size=6).filter(any))
def test_any_pushing_gives_the_same_bits(rate_in: int, rate_out: int, cuts: list[int]) -> None:
    x, resampler, parts, at, turn = noise(1500), Resampler(rate_in, rate_out), [], 0, 0
    while at < x.shape[0]:
        piece = x[at : at + cuts[turn % len(cuts)]]
        expected = resampler.ready(piece.shape[0])
        parts.append(resampler.process(piece))
        assert parts[-1].shape == (expected,)
        at, turn = at + piece.shape[0], turn + 1
    np.testing.assert_array_equal(np.concatenate(parts), Resampler(rate_in, rate_out).process(x))


@every_ratio
def test_first_output_needs_one_input_and_the_long_run_keeps_the_ratio(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    assert resampler.needed(0) == 0
    assert resampler.needed(1) == 1
    total = 0
    for _ in range(400):
        wanted = resampler.needed(256)
        resampler.take(256, np.zeros(wanted, dtype=np.float32))
        total += wanted
    assert total == (400 * 256 - 1) * rate_in // rate_out + 1


@every_ratio
def test_impulse_arrives_after_the_stated_delay(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    impulse = np.zeros(400, dtype=np.float32)
    impulse[0] = 1.0
    heard = resampler.process(impulse)
    assert int(np.argmax(np.abs(heard))) == resampler.delay_samples
    before, after = heard[: resampler.delay_samples], heard[resampler.delay_samples + 1 :]
    mirrored = after[: before.shape[0]][::-1]
    np.testing.assert_allclose(before, mirrored, atol=1e-6)  # linear phase: the same delay at every pitch
    assert 0 < resampler.delay_ms <= MAX_DELAY_MS
    assert resampler.delay_ms == pytest.approx(1000 * resampler.delay_samples / rate_out)


@every_ratio
def test_tone_in_the_pass_band_keeps_level_and_place(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    for hz in (440.0, 0.5 * resampler.pass_hz, 0.99 * resampler.pass_hz):
        heard = resampler.process(sine(hz, rate_in, 4000)).astype(np.float64)
        time = (np.arange(heard.shape[0]) - resampler.delay_samples) / rate_out
        settled = slice(1000, 3000)
        error = heard[settled] - np.sin(2 * np.pi * hz * time[settled])
        assert np.abs(error).max() < 10 ** (0.001 / 20) - 1 + 3e-5  # ripple, then images 90 dB down
        resampler.reset()


@every_ratio
def test_everything_that_was_not_there_is_90_db_down(rate_in: int, rate_out: int) -> None:
    resampler = Resampler(rate_in, rate_out)
    for hz in (997.0, 0.7 * resampler.pass_hz, 0.999 * resampler.pass_hz):
        heard = Resampler(rate_in, rate_out).process(sine(hz, rate_in, 6000))[1000:]
        level = spectrum_db(heard)
        bins_hz = np.arange(level.shape[0]) * rate_out / heard.shape[0]
        elsewhere = np.abs(bins_hz - hz) > 20 * rate_out / heard.shape[0]
        assert level[elsewhere].max() < -90.0


def test_tone_above_the_stop_edge_does_not_alias() -> None:
    resampler = Resampler(48000, 44100)
    heard = resampler.process(sine(resampler.stop_hz + 10, 48000, 6000))[1000:]
    assert spectrum_db(heard).max() < -90.0


def test_equal_rates_pass_through_untouched_without_delay() -> None:
    resampler, x = Resampler(48000, 48000), noise(300)
    assert resampler.needed(256) == resampler.ready(256) == 256
    np.testing.assert_array_equal(resampler.take(300, x), x)
    np.testing.assert_array_equal(resampler.process(x), x)
    assert (resampler.delay_samples, resampler.delay_ms) == (0, 0.0)


@every_ratio
def test_copy_has_the_same_future_and_its_own_life(rate_in: int, rate_out: int) -> None:
    x = noise(2000)
    whole = Resampler(rate_in, rate_out).process(x)
    resampler = Resampler(rate_in, rate_out)
    first = resampler.process(x[:777])
    twin = resampler.copy()
    resampler.process(noise(500))
    np.testing.assert_array_equal(np.concatenate((first, twin.process(x[777:]))), whole)


@pytest.mark.parametrize(("rate_in", "rate_out"), [(44100, 47999), (16000, 960000), (22050, 0), (-1, 48000)])
def test_unreasonable_pair_is_refused_with_a_sentence(rate_in: int, rate_out: int) -> None:
    with pytest.raises(ConfigError, match=f"{rate_in} Hz to {rate_out} Hz"):
        Resampler(rate_in, rate_out)
