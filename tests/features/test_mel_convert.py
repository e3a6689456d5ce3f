"""Claims about turning frames of one convention into another's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synthhost.core.errors import FeatureError
from synthhost.core.specs import MelSpec
from synthhost.features.mel import CONVENTIONS, mel_spectrogram
from synthhost.features.mel_convert import convert, mel_differences

TACOTRON2, SEUNGWONPARK = CONVENTIONS["tacotron2"], CONVENTIONS["seungwonpark"]
KAN_BAYASHI = replace(CONVENTIONS["kan-bayashi"], fmin_hz=0.0, fmax_hz=8000.0)
R9Y9 = replace(CONVENTIONS["r9y9"], fmin_hz=0.0, fmax_hz=8000.0, floor=1e-3)
CENTRED = {"tacotron2": TACOTRON2, "seungwonpark": SEUNGWONPARK, "kan-bayashi": KAN_BAYASHI, "r9y9": R9Y9}


def noise(loudness: float = 0.2, samples: int = 20_000) -> np.ndarray:
    return (loudness * np.random.default_rng(2).standard_normal(samples)).astype(np.float32)


@pytest.mark.parametrize("to_spec", CENTRED.values(), ids=CENTRED)
@pytest.mark.parametrize("from_spec", CENTRED.values(), ids=CENTRED)
def test_converted_frames_are_those_of_the_sound(from_spec: MelSpec, to_spec: MelSpec) -> None:
    frames = mel_spectrogram(noise(), from_spec)
    made = convert(frames, from_spec, to_spec)
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, mel_spectrogram(noise(), to_spec), atol=2e-5, rtol=0)


def test_a_higher_floor_is_put_in() -> None:
    quiet = noise(2e-5)
    made = convert(mel_spectrogram(quiet, KAN_BAYASHI), KAN_BAYASHI, TACOTRON2)
    assert made.min() == np.float32(np.log(1e-5))
    np.testing.assert_allclose(made, mel_spectrogram(quiet, TACOTRON2), atol=2e-5, rtol=0)


def test_what_lay_below_a_floor_is_not_made_up() -> None:
    frames = mel_spectrogram(noise(2e-5), TACOTRON2)
    at_the_floor = int((frames <= np.float32(np.log(1e-5))).sum())
    assert at_the_floor > 0
    with pytest.raises(FeatureError, match=rf"tacotron2 cut off {at_the_floor} of .*Analyse"):
        convert(frames, TACOTRON2, KAN_BAYASHI)


@pytest.mark.parametrize("spec", CONVENTIONS.values(), ids=CONVENTIONS)
def test_frames_of_the_same_convention_keep_their_bits(spec: MelSpec) -> None:
    frames = mel_spectrogram(noise(1.0), spec)
    made = convert(frames, spec, spec)
    assert made is not frames
    np.testing.assert_array_equal(made, frames)


def test_a_base_of_the_same_convention_is_changed() -> None:
    for name in ("jik876", "descriptinc", "ivanvovk"):
        one = replace(CONVENTIONS[name], log="ln")
        other = replace(CONVENTIONS[name], log="log10")
        made = convert(mel_spectrogram(noise(), one), one, other)
        np.testing.assert_allclose(made, mel_spectrogram(noise(), other), atol=1e-5, rtol=0)


def test_a_scaled_convention_gives_back_only_what_it_did_not_clip() -> None:
    lmnt = CONVENTIONS["lmnt"]
    lower = replace(lmnt, floor=1e-4)
    frames = mel_spectrogram(noise(0.02), lmnt)
    np.testing.assert_allclose(convert(frames, lmnt, lower), mel_spectrogram(noise(0.02), lower), atol=1e-6)
    frames[3, 3] = 1.0
    with pytest.raises(FeatureError, match="lmnt cut off 1 of"):
        convert(frames, lmnt, lower)


@pytest.mark.parametrize(
    ("name", "other", "words"),
    [
        ("jik876", "descriptinc", r"fmax_hz 8000\.0, not 11025\.0; epsilon 1e-09, not 0\.0"),
        ("jik876", "seungwonpark", "edge hop, not centred; epsilon"),
        ("tacotron2", "ivanvovk", "hop_samples 256, not 300.*power 1, not 2; scale slaney, not htk"),
        ("tacotron2", "lmnt", "n_fft 1024, not 2048.*unit_window False, not True"),
        ("ivanvovk", "tacotron2", "nothing_reads 0.0, not None; drops_last True, not False"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_differs(name: str, other: str, words: str) -> None:
    frames = np.zeros((CONVENTIONS[name].bands, 3), np.float32)
    with pytest.raises(FeatureError, match=rf"{words}.*Analyse the sound itself for {other}"):
        convert(frames, CONVENTIONS[name], CONVENTIONS[other])


def test_the_logarithm_alone_makes_no_difference_of_bands() -> None:
    assert mel_differences(TACOTRON2, KAN_BAYASHI) == []


def test_frames_of_another_shape_are_refused() -> None:
    with pytest.raises(FeatureError, match=r"expected \[80 bands, frames\], got shape \[81, 3\]"):
        convert(np.zeros((81, 3), np.float32), TACOTRON2, SEUNGWONPARK)
