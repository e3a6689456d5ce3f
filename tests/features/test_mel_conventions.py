"""Claims about every mel convention: it is the published one, whole or in pieces."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.errors import FeatureError
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.mel_units import mel_units
from synthhost.core.specs import MelSpec
from synthhost.features.filter_bank import band_centres_hz, filter_bank
from synthhost.features.mel import CONVENTIONS, frame_count, mel_spectrogram
from synthhost.features.mel_framing import edge_samples
from synthhost.features.mel_stream import MelStream

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
R9Y9 = replace(CONVENTIONS["r9y9"], n_fft=512, hop_samples=64, win_samples=256)
DIFFWAVE = replace(CONVENTIONS["lmnt"], n_fft=1024, hop_samples=256, win_samples=1024, bands=80)

VECTORS: list[tuple[str, str, MelSpec]] = [
    ("hifigan-jik876-v1", "mel", CONVENTIONS["jik876"]),
    ("hifigan-jik876-v2", "mel", CONVENTIONS["jik876"]),
    ("hifigan-jik876-v3", "mel", CONVENTIONS["jik876"]),
    ("melgan-descriptinc-ngf8", "mel", CONVENTIONS["descriptinc"]),
    ("melgan-seungwonpark-80", "mel", CONVENTIONS["seungwonpark"]),
    ("hifigan-parallelwavegan-v1", "feats_raw", CONVENTIONS["kan-bayashi"]),
    ("mbmelgan-parallelwavegan-v2", "feats_raw", CONVENTIONS["kan-bayashi"]),
    ("melgan-parallelwavegan-v1", "feats_raw", CONVENTIONS["kan-bayashi"]),
    ("pwg-parallelwavegan-v1", "feats_raw", CONVENTIONS["kan-bayashi"]),
    ("wavenet-r9y9-mol", "mel_raw", R9Y9),
    ("wavenet-r9y9-mulaw256", "mel_raw", R9Y9),
    ("wavegrad-ivanvovk-6step", "mel", CONVENTIONS["ivanvovk"]),
    ("wavegrad-lmnt-6step", "mel_frontend", CONVENTIONS["lmnt"]),
    ("diffwave-lmnt-cond", "mel_frontend", DIFFWAVE),
]

every_convention = pytest.mark.parametrize("spec", CONVENTIONS.values(), ids=CONVENTIONS)


def noise(samples: int, seed: int = 1) -> np.ndarray:
    return (0.2 * np.random.default_rng(seed).standard_normal(samples)).astype(np.float32)


def small(spec: MelSpec, n_fft: int = 64, hop: int = 16, win: int = 64) -> MelSpec:
    return replace(spec, n_fft=n_fft, hop_samples=hop, win_samples=win, bands=6)


def in_pieces(audio: np.ndarray, cuts: list[int], spec: MelSpec) -> np.ndarray:
    stream = MelStream(spec)
    places = np.cumsum(cuts)
    pieces = np.split(audio, places[places < len(audio)])
    return np.concatenate([*(stream.push(piece) for piece in pieces), stream.flush()], axis=1)


@pytest.mark.reference
@pytest.mark.parametrize(("folder", "array", "spec"), VECTORS, ids=[row[0] for row in VECTORS])
def test_mel_equals_the_public_front_end(folder: str, array: str, spec: MelSpec) -> None:
    if not (REFERENCE / folder).is_dir():
        pytest.skip(f"no reference vectors in {REFERENCE / folder}")
    about = json.loads((REFERENCE / folder / "about.json").read_text())
    published = np.squeeze(np.load(REFERENCE / folder / f"{array}.npy"))
    published = published if published.shape[0] == spec.bands else published.T
    made = mel_spectrogram(np.load(REFERENCE / folder / "wav.npy"), spec)
    assert (made.dtype, made.shape) == (np.float32, published.shape)
    np.testing.assert_allclose(made, published, atol=about["tolerance"][array], rtol=0)


@every_convention
def test_a_row_stands_under_its_own_name(spec: MelSpec) -> None:
    assert MEL_CONVENTIONS[spec.convention].published is spec


@every_convention
@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.integers(0, 200), max_size=12), samples=st.integers(33, 700))
def test_any_chunking_gives_the_frames_of_the_whole(spec: MelSpec, cuts: list[int], samples: int) -> None:
    audio, spec = noise(samples), small(spec)
    whole = mel_spectrogram(audio, spec)
    np.testing.assert_allclose(in_pieces(audio, cuts, spec), whole, atol=1e-6, rtol=0)


@every_convention
@settings(max_examples=10, deadline=None)
@given(cuts=st.lists(st.integers(0, 100), max_size=8), samples=st.integers(65, 500))
@pytest.mark.parametrize("sizes", [(64, 64, 64), (128, 50, 100), (127, 32, 127), (60, 25, 31), (64, 40, 30)])
def test_odd_sizes_stream_too(
    spec: MelSpec, sizes: tuple[int, int, int], cuts: list[int], samples: int
) -> None:
    audio, spec = noise(samples), small(spec, *sizes)
    whole = mel_spectrogram(audio, spec)
    np.testing.assert_allclose(in_pieces(audio, cuts, spec), whole, atol=1e-6, rtol=0)


@every_convention
def test_as_many_frames_as_the_convention_makes(spec: MelSpec) -> None:
    row = MEL_CONVENTIONS[spec.convention]
    more = 1 if row.edge == "centred" and not row.drops_last else 0
    for hops, rest in ((4, 0), (4, 1), (5, spec.hop_samples - 1), (11, 0)):
        samples = hops * spec.hop_samples + rest
        assert frame_count(samples, spec) == hops + more
        assert mel_spectrogram(noise(samples), spec).shape == (spec.bands, hops + more)


@every_convention
def test_a_frame_comes_out_with_its_last_sample(spec: MelSpec) -> None:
    stream, second = MelStream(spec), spec.hop_samples + spec.n_fft - edge_samples(spec)
    assert stream.push(noise(second - 1)).shape[1] == 1
    assert stream.push(noise(1)).shape[1] == 1
    assert stream.push(noise(spec.hop_samples - 1)).shape[1] == 0
    assert stream.push(noise(1)).shape[1] == 1


@every_convention
def test_digital_silence_reads_the_floor_where_sound_is_played(spec: MelSpec) -> None:
    mel = mel_spectrogram(np.zeros(4096, dtype=np.float32), spec, floored=True)
    np.testing.assert_allclose(mel, mel_units(spec).silence, atol=1e-5)


def test_ivanvovk_reads_zero_where_there_is_nothing() -> None:
    audio = np.concatenate([np.zeros(6000, np.float32), noise(6000)])
    mel = mel_spectrogram(audio, CONVENTIONS["ivanvovk"])
    assert (mel[:, :18] == 0.0).all()
    floored = mel_spectrogram(audio, CONVENTIONS["ivanvovk"], floored=True)
    assert (floored[:, :18] == -10.0).all()
    np.testing.assert_array_equal(mel[:, 22:], floored[:, 22:])


def test_ivanvovk_has_no_floor_above_nothing() -> None:
    mel = mel_spectrogram(1e-8 * noise(6000), CONVENTIONS["ivanvovk"])
    assert mel.max() < -10.0


@every_convention
def test_a_sine_is_loudest_in_its_band(spec: MelSpec) -> None:
    centres = band_centres_hz(spec)
    for band in (spec.bands // 4, spec.bands // 2, spec.bands - 5):
        sine = 0.05 * np.sin(2 * np.pi * centres[band] * np.arange(8192) / spec.sample_rate)
        assert int(np.argmax(mel_spectrogram(sine.astype(np.float32), spec)[:, 14])) == band


def test_a_band_that_is_not_levelled_by_area_peaks_at_one() -> None:
    wide = replace(CONVENTIONS["lmnt"], n_fft=65536)
    np.testing.assert_allclose(filter_bank(wide).max(axis=1), 1.0, atol=0.03)


@every_convention
def test_a_decibel_is_as_much_as_the_units_say(spec: MelSpec) -> None:
    audio = noise(8192)
    softer = mel_spectrogram(np.float32(10 ** (-6 / 20)) * audio, spec)
    difference = mel_spectrogram(audio, spec) - softer
    np.testing.assert_allclose(difference, 6.0 * mel_units(spec).per_db, rtol=1e-3)


@pytest.mark.parametrize(
    ("convention", "per_db"),
    [
        ("jik876", np.log(10) / 20),
        ("descriptinc", 1 / 20),
        ("ivanvovk", 1 / 10),
        ("lmnt", 1 / 100),
    ],
)
def test_units_are_the_ones_on_paper(convention: str, per_db: float) -> None:
    assert mel_units(CONVENTIONS[convention]).per_db == pytest.approx(per_db, rel=1e-12)


@every_convention
def test_no_full_scale_sine_reaches_the_ceiling(spec: MelSpec) -> None:
    units, clip = mel_units(spec), MEL_CONVENTIONS[spec.convention].clip
    time_s = np.arange(8192) / spec.sample_rate
    for hz in (spec.fmin_hz + 30.0, 440.0, 3000.0, spec.fmax_hz - 200.0):
        loudest = mel_spectrogram(np.sin(2 * np.pi * hz * time_s).astype(np.float32), spec).max()
        assert loudest < units.ceiling or (clip is not None and loudest <= units.ceiling)
        assert units.lowest < units.silence < loudest < units.highest


def test_a_scaled_convention_takes_its_own_logarithm_only() -> None:
    with pytest.raises(FeatureError, match=r"lmnt scales the logarithm log10 into 0\.\.1"):
        mel_spectrogram(noise(4000), replace(CONVENTIONS["lmnt"], log="ln"))
