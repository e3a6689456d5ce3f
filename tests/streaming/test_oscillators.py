"""Harmonics are sines of the pitch they are told, noise is as loud as told, and pieces change nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.note_frames import (
    AIR,
    CYCLES,
    FRACTION,
    GAIN,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    PLACE,
    STRETCH,
    TILT,
    band_edges_hz,
)
from synthhost.streaming.oscillators import Oscillators

RATE, HOP, HARMONICS, BANDS = 16000, 64, 5, 6
QUIET = -30.0  # in nats: nothing


@pytest.fixture(scope="module")
def oscillators() -> Oscillators:
    return Oscillators(RATE, HOP, HARMONICS, BANDS)


def frames_of(pitches_hz: list[float], **channels: float) -> Any:
    """Return frames at these pitches, every harmonic and band silent, `[channels, frames]`."""
    frames = np.full((OSCILLATOR_CHANNELS + HARMONICS + BANDS, len(pitches_hz)), QUIET, np.float32)
    frames[:OSCILLATOR_CHANNELS] = 0.0
    cycles, before = 0.0, pitches_hz[0]
    for index, pitch in enumerate(pitches_hz):
        whole = np.floor(cycles)
        frames[CYCLES, index], frames[FRACTION, index] = whole, cycles - whole
        frames[PITCH_FROM_HZ, index], frames[PITCH_HZ, index] = before, pitch
        cycles += HOP * 0.5 * (before + pitch) / RATE
        before = pitch
    frames[GAIN], frames[AIR] = channels.get("gain", 1.0), channels.get("air", 1.0)
    frames[TILT], frames[STRETCH] = channels.get("tilt", 0.0), channels.get("stretch", 0.0)
    frames[PLACE] = HOP * np.arange(len(pitches_hz))
    return frames


def sounding(oscillators: Oscillators, frames: Any) -> Any:
    with torch.no_grad():
        return oscillators(torch.from_numpy(frames)[None])[0, 0].numpy()


def test_a_harmonic_is_the_sine_of_its_pitch_and_glides_in_from_nothing(oscillators: Oscillators) -> None:
    frames = frames_of([440.0] * 20)
    frames[OSCILLATOR_CHANNELS + 1] = np.log(0.5)
    times = np.arange(1, 20 * HOP + 1) / RATE
    wanted = 0.5 * np.sin(2 * np.pi * 880.0 * times) * np.minimum(np.arange(1, 20 * HOP + 1) / HOP, 1.0)
    np.testing.assert_allclose(sounding(oscillators, frames), wanted, atol=2e-5)


def test_a_stretched_partial_lies_above_its_harmonic(oscillators: Oscillators) -> None:
    frames = frames_of([440.0] * 20, stretch=0.01)
    frames[OSCILLATOR_CHANNELS + 3] = 0.0
    times = np.arange(1, 20 * HOP + 1) / RATE
    wanted = np.sin(2 * np.pi * 440.0 * 4.0 * np.sqrt(1.16) * times)
    np.testing.assert_allclose(sounding(oscillators, frames)[HOP:], wanted[HOP:], atol=1e-4)


def test_a_glide_of_pitch_has_no_step(oscillators: Oscillators) -> None:
    frames = frames_of([200.0, 200.0, 400.0, 400.0, 300.0])
    frames[OSCILLATOR_CHANNELS] = 0.0
    sound = sounding(oscillators, frames)
    assert np.abs(np.diff(sound)).max() <= 2 * np.pi * 400.0 / RATE + 1.0 / HOP


def test_what_lies_above_half_the_rate_is_left_out(oscillators: Oscillators) -> None:
    frames = frames_of([3000.0] * 8)
    frames[OSCILLATOR_CHANNELS : OSCILLATOR_CHANNELS + HARMONICS] = 0.0
    spectrum = np.abs(np.fft.rfft(sounding(oscillators, frames)[HOP:] * np.hanning(7 * HOP)))
    alone = frames.copy()
    alone[OSCILLATOR_CHANNELS + 2 : OSCILLATOR_CHANNELS + HARMONICS] = QUIET  # 9, 12 and 15 kHz
    other = np.abs(np.fft.rfft(sounding(oscillators, alone)[HOP:] * np.hanning(7 * HOP)))
    np.testing.assert_allclose(spectrum, other, atol=1e-3)


@pytest.mark.parametrize("band", range(BANDS))
def test_a_band_of_noise_is_as_loud_as_it_is_told_and_lies_where_it_should(
    oscillators: Oscillators, band: int
) -> None:
    frames = frames_of([100.0] * 600)
    frames[OSCILLATOR_CHANNELS + HARMONICS + band] = np.log(0.2)
    sound = sounding(oscillators, frames)
    assert np.sqrt(np.mean(sound[HOP:] ** 2)) == pytest.approx(0.2, rel=0.1)
    power = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    hertz = np.fft.rfftfreq(sound.size, 1 / RATE)
    edges = band_edges_hz(BANDS, RATE)
    inside = (hertz > edges[band] - 30.0) & (hertz < edges[band + 1] + 30.0)
    assert power[inside].sum() > 0.99 * power.sum()


def test_tilt_and_air_do_what_they_say(oscillators: Oscillators) -> None:
    plain = frames_of([500.0] * 4)
    plain[OSCILLATOR_CHANNELS : OSCILLATOR_CHANNELS + HARMONICS] = 0.0
    tilted = plain.copy()
    tilted[TILT] = -6.0
    tilted[AIR] = 3.0
    one, other = (oscillators.levels(torch.from_numpy(each.T)[None])[0, -1] for each in (plain, tilted))
    decibels = 20.0 * torch.log10(other / one)
    np.testing.assert_allclose(decibels[:HARMONICS], -6.0 * np.log2(np.arange(1, HARMONICS + 1)), atol=1e-4)
    above = np.maximum(np.log2(np.array(oscillators.middles_hz) / 500.0), 0.0)
    np.testing.assert_allclose(decibels[HARMONICS:], 20.0 * np.log10(3.0) - 6.0 * above, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 7), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_any_chunking_gives_the_same_bits(cuts: list[int], seed: int) -> None:
    block = Oscillators(RATE, HOP, HARMONICS, BANDS)
    rng = np.random.default_rng(seed)
    frames = frames_of([float(hz) for hz in rng.uniform(50, 2000, sum(cuts) + 1)], gain=0.3, tilt=-3.0)
    frames[OSCILLATOR_CHANNELS:] = rng.uniform(-6.0, 0.0, frames[OSCILLATOR_CHANNELS:].shape)
    x = torch.from_numpy(frames.T.copy())[None]
    state, parts, at = block.new_state(1), [], 0
    with torch.no_grad():
        for count in [*cuts, 1]:
            parts.append(block.step(x[:, at : at + count], state))
            at += count
        whole = block.finish(x, block.new_state(1))
    torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=0)
