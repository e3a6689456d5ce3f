"""Claims about the pretrained universal vocoder, where it has been pulled."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.model_folder import is_package
from synthhost.library.certify_features import certifying_features
from synthhost.library.finding import find_model, user_models
from synthhost.library.model import Model, build_network
from synthhost.library.shelves import load_found, load_model

pytestmark = [
    pytest.mark.universal,
    pytest.mark.skipif(
        not is_package(user_models() / "hifigan-universal"),
        reason="hifigan-universal is not on this machine: synthhost models pull hifigan-universal",
    ),
]


@pytest.fixture(scope="module")
def model() -> Model:
    return load_model("hifigan-universal")


def test_its_timing_is_that_of_v1(model: Model) -> None:
    assert (model.spec.look_ahead_samples, model.spec.receptive_frames) == (3258, 27)
    assert (model.spec.sample_rate, model.spec.hop_samples, model.spec.bands) == (22050, 256, 80)


def test_what_it_sings_has_the_mel_it_was_given(model: Model) -> None:
    features = certifying_features(model.spec.mel, 120)
    heard = model.mel(model.render(features), model.spec.sample_rate)
    assert np.abs(heard - features).mean() < 0.6  # nepers; recorded speech comes to 0.3, a choir to 0.5


@pytest.mark.parametrize("chunk_frames", [1, 3, 4, 7, 16])
def test_any_chunking_gives_the_same_bits(model: Model, chunk_frames: int) -> None:
    features = certifying_features(model.spec.mel, 60)
    whole, chunked = (
        model.render(features, chunk_frames=60),
        model.render(features, chunk_frames=chunk_frames),
    )
    assert np.array_equal(whole, chunked)


@pytest.mark.parametrize("sound", ["speech", "guitar-em9"])
def test_a_recording_streams_to_the_plain_offline_pass_within_rounding(model: Model, sound: str) -> None:
    path = Path(__file__).resolve().parents[2] / "presets" / "sounds" / f"{sound}.flac"
    audio, rate = soundfile.read(path, frames=22050, dtype="float32")
    features = model.mel(audio, rate)
    streamed = model.render(features, chunk_frames=3)
    assert np.array_equal(streamed, model.render(features, chunk_frames=features.shape[1]))
    package = load_found(find_model("hifigan-universal"))
    with torch.inference_mode():
        mel = torch.from_numpy(features)[None]
        plain = build_network(package).eval()(mel)[0, 0].numpy()
        exact = build_network(package).double().eval()(mel.double())[0, 0].numpy()
    peak = np.abs(exact).max()
    for other in (plain, exact):  # float32 itself: the plain pass is 7e-6 to 5e-5 of peak from float64
        assert np.abs(streamed - other).max() <= 1e-4 * peak
        assert np.sqrt(np.mean((streamed - other) ** 2)) <= 5e-6 * peak
