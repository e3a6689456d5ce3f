"""Claims about log-mel analysis: it is the published one, whole or in pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.errors import FeatureError
from synthhost.features.filter_bank import filter_bank
from synthhost.features.mel import CONVENTIONS, band_centres_hz, hz_to_band, mel_spectrogram
from synthhost.features.mel_scales import Scale, hz_in_a_band, hz_to_mel, mel_to_hz
from synthhost.features.mel_stream import MelStream

SPEC = CONVENTIONS["jik876"]


def noise(samples: int, seed: int = 1) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def in_pieces(audio: np.ndarray, cuts: list[int], spec=SPEC) -> np.ndarray:
    stream = MelStream(spec)
    places = np.cumsum(cuts)
    pieces = np.split(audio, places[places < len(audio)])
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()], axis=1)


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(0, 2500), max_size=12), samples=st.integers(385, 6000))
def test_any_chunking_gives_the_frames_of_the_whole(cuts: list[int], samples: int) -> None:
    audio = noise(samples)
    np.testing.assert_allclose(in_pieces(audio, cuts), mel_spectrogram(audio, SPEC), atol=1e-6, rtol=0)


@settings(max_examples=20, deadline=None)
@given(cuts=st.lists(st.integers(0, 300), max_size=9))
@pytest.mark.parametrize("sizes", [(64, 64, 64), (128, 50, 100), (127, 32, 127), (60, 25, 31)])
def test_odd_sizes_stream_too(sizes: tuple[int, int, int], cuts: list[int]) -> None:
    n_fft, hop, win = sizes
    spec = replace(SPEC, n_fft=n_fft, hop_samples=hop, win_samples=win, bands=8)
    audio = noise(1000)
    np.testing.assert_allclose(in_pieces(audio, cuts, spec), mel_spectrogram(audio, spec), atol=1e-6, rtol=0)


def test_a_frame_comes_out_with_its_last_sample() -> None:
    stream = MelStream(SPEC)
    assert stream.push(noise(639)).shape == (80, 0)
    assert stream.push(noise(1)).shape == (80, 1)
    assert stream.push(noise(255)).shape == (80, 0)
    assert stream.push(noise(1)).shape == (80, 1)


def test_a_flushed_stream_begins_anew() -> None:
    stream, audio = MelStream(SPEC), noise(3000)
    first = np.concatenate([stream.push(audio), stream.flush()], axis=1)
    again = np.concatenate([stream.push(audio), stream.flush()], axis=1)
    assert np.array_equal(first, again)


def test_as_many_frames_as_whole_hops() -> None:
    for samples in (385, 511, 512, 71334):
        assert mel_spectrogram(noise(samples), SPEC).shape == (80, samples // 256)


def test_silence_lies_at_the_floor() -> None:
    mel = mel_spectrogram(np.zeros(2048, dtype=np.float32), SPEC)
    assert mel.max() <= mel.min() + 1e-6
    assert mel.min() == pytest.approx(np.log(1e-5), abs=1e-5)


def test_a_sine_is_loudest_in_its_band() -> None:
    centres = band_centres_hz(SPEC)
    for band in (5, 30, 60, 75):
        sine = np.sin(2 * np.pi * centres[band] * np.arange(8192) / SPEC.sample_rate).astype(np.float32)
        assert int(np.argmax(mel_spectrogram(sine, SPEC)[:, 16])) == band


def test_hz_to_band_undoes_band_centres() -> None:
    np.testing.assert_allclose(hz_to_band(SPEC, band_centres_hz(SPEC)), np.arange(80), atol=1e-9)
    assert hz_to_band(SPEC, 0.0) == pytest.approx(-1.0)
    assert hz_to_band(SPEC, 8000.0) == pytest.approx(80.0)


@given(hz=st.floats(0, 20000), scale=st.sampled_from(["slaney", "htk"]))
def test_a_mel_scale_has_an_inverse(hz: float, scale: Scale) -> None:
    assert mel_to_hz(hz_to_mel(hz, scale), scale) == pytest.approx(hz, rel=1e-9, abs=1e-9)


def test_the_mel_scale_is_linear_to_1_khz_with_27_steps_to_6400_hz() -> None:
    np.testing.assert_allclose(hz_to_mel([200.0, 1000.0, 6400.0]), [3.0, 15.0, 42.0])


def test_htks_mel_scale_is_the_books() -> None:
    np.testing.assert_allclose(hz_to_mel([0.0, 1000.0, 6300.0], "htk"), [0.0, 999.9855, 2595.0], atol=1e-4)


@pytest.mark.parametrize("scale", ["slaney", "htk"])
def test_bands_widen_as_the_scale_does(scale: Scale) -> None:
    hz = np.array([200.0, 1500.0, 6000.0])
    steps = mel_to_hz(hz_to_mel(hz, scale) + 1e-3, scale) - hz
    np.testing.assert_allclose(
        steps / steps[0],
        hz_in_a_band(hz, scale) / hz_in_a_band(hz[0], scale),
        rtol=0.04,  # Slaney bends a little at 1 kHz
    )


def test_every_filter_has_unit_area() -> None:
    wide = replace(SPEC, n_fft=65536, win_samples=65536)  # fine bins, so that sums are integrals
    areas = filter_bank(wide).sum(axis=1) * SPEC.sample_rate / 65536
    np.testing.assert_allclose(areas, 1.0, atol=1e-3)


def test_too_short_sound_is_refused_with_the_length_needed() -> None:
    with pytest.raises(FeatureError, match=r"384 samples long.*at least 385"):
        mel_spectrogram(noise(384), SPEC)
    stream = MelStream(SPEC)
    stream.push(noise(100))
    with pytest.raises(FeatureError, match=r"100 samples long.*at least 385"):
        stream.flush()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_broken_samples_are_named(bad: float) -> None:
    audio = noise(1000)
    audio[77] = bad
    with pytest.raises(FeatureError, match="sample 77"):
        mel_spectrogram(audio, SPEC)


def test_a_refused_push_leaves_the_stream_as_it_was() -> None:
    audio, stream = noise(3000), MelStream(SPEC)
    head = stream.push(audio[:1500])
    with pytest.raises(FeatureError):
        stream.push(np.full(10, np.nan, dtype=np.float32))
    frames = np.concatenate([head, stream.push(audio[1500:]), stream.flush()], axis=1)
    np.testing.assert_allclose(frames, mel_spectrogram(audio, SPEC), atol=1e-6, rtol=0)


def test_stereo_is_refused() -> None:
    with pytest.raises(FeatureError, match=r"\[2, 1000\]"):
        mel_spectrogram(np.zeros((2, 1000), dtype=np.float32), SPEC)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"convention": "jik867"}, "Did you mean 'jik876'"),
        ({"hop_samples": 0}, "hop 0"),
        ({"win_samples": 4096}, "window 4096"),
        ({"fmax_hz": 12000.0}, "12000.0 Hz"),
        ({"bands": 0}, "0 bands"),
    ],
)
def test_impossible_conventions_are_refused(change: dict[str, object], words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        mel_spectrogram(noise(2000), replace(SPEC, **change))
