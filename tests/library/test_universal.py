"""Claims about the pretrained universal vocoder, where it has been pulled."""

from __future__ import annotations

import numpy as np
import pytest

from synthhost.checkpoints.package import is_package
from synthhost.library.certify import certifying_features
from synthhost.library.model import Model
from synthhost.library.shelves import load_model, user_models

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
