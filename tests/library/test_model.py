"""Claims about a model in the hand: whole, chunked and streamed it sounds the same."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.errors import FeatureError, ModelError
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family
from synthhost.features.mel import CONVENTIONS, mel_spectrogram
from synthhost.library import certify as certifying
from synthhost.library.certify import certify
from synthhost.library.model import Model, build_network, model_from

HYPER = {
    "resblock": "1",
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3, 5], [1, 3, 5]],
    "bands": 10,
}
MEL = MelSpec("jik876", 8000, 32, 8, 32, 10, 0.0, 4000.0, "ln", 1e-5)


def package(mel: MelSpec = MEL) -> Package:
    kind = family("hifigan")
    torch.manual_seed(5)
    shapes = kind.tensor_names(kind.hyper_from_json(HYPER))
    tensors = {
        name: torch.randn(shape) * (0.5 / np.sqrt(np.prod(shape[1:]))) for name, shape in shapes.items()
    }
    read = ReadModel("test", "hifigan", HYPER, mel, tensors)
    return Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors)


@pytest.fixture(scope="module")
def model() -> Model:
    return model_from(package())


def mel(frames: int) -> np.ndarray:
    return np.random.default_rng(6).standard_normal((10, frames)).astype(np.float32)


def test_a_render_is_the_networks_offline_pass(model: Model) -> None:
    features = mel(50)
    with torch.inference_mode():
        whole = build_network(package()).eval()(torch.from_numpy(features)[None])[0, 0].numpy()
    sound = model.render(features)
    assert sound.shape == (50 * 8,)
    assert sound.dtype == np.float32
    np.testing.assert_allclose(sound, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


@pytest.mark.parametrize("chunk_frames", [1, 7, 32, 1000])
def test_the_chunk_sets_memory_and_not_the_sound(model: Model, chunk_frames: int) -> None:
    whole = model.render(mel(40), chunk_frames=40)
    chunked = model.render(mel(40), chunk_frames=chunk_frames)
    np.testing.assert_allclose(chunked, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=10).filter(any))
def test_a_stream_gives_the_render_piece_by_piece(model: Model, cuts: list[int]) -> None:
    features = mel(sum(cuts))
    stream = model.stream(chunk_frames=4)
    pieces = [stream.push(piece) for piece in np.split(features, np.cumsum(cuts)[:-1], axis=1)]
    assert sum(map(len, pieces)) <= features.shape[1] * 8
    whole = model.render(features)
    streamed = np.concatenate([*pieces, stream.flush()])
    np.testing.assert_allclose(streamed, whole, atol=1e-5 * np.abs(whole).max(), rtol=0)


def test_streams_do_not_hear_each_other_and_begin_anew_after_a_flush(model: Model) -> None:
    alone = model.render(mel(12))
    one, other = model.stream(), model.stream()
    heard = []
    for frame in range(12):
        heard.append(one.push(mel(12)[:, frame : frame + 1]))
        other.push(-mel(12)[:, :3])
    heard.append(one.flush())
    np.testing.assert_allclose(np.concatenate(heard), alone, atol=1e-5, rtol=0)
    again = np.concatenate([one.push(mel(12)), one.flush()])
    np.testing.assert_allclose(again, alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.zeros((80, 4)), r"shape \[80, 4\], but small takes \[10 bands, frames\]"),
        (np.zeros((4, 10)), "Transpose them"),
        (np.zeros(10), r"shape \[10\]"),
        (np.zeros((1, 10, 4)), r"shape \[1, 10, 4\]"),
        (np.zeros((10, 0)), "no frames to render"),
        (np.where(np.arange(40).reshape(10, 4) == 14, np.nan, 0.0), "band 3 of frame 2"),
        (np.where(np.arange(40).reshape(10, 4) == 14, np.inf, 0.0), "band 3 of frame 2"),
        (np.full((10, 2), 1e300), "band 0 of frame 0"),
        ([["a"]], "no array of real numbers"),
    ],
)
def test_wrong_features_are_explained(model: Model, features: np.ndarray, words: str) -> None:
    with pytest.raises(FeatureError, match=words):
        model.render(features)


def test_a_refused_push_leaves_the_stream_as_it_was(model: Model) -> None:
    stream = model.stream()
    head = stream.push(mel(9)[:, :5])
    with pytest.raises(FeatureError):
        stream.push(np.full((10, 2), np.nan, dtype=np.float32))
    sound = np.concatenate([head, stream.push(mel(9)[:, 5:]), stream.flush()])
    np.testing.assert_allclose(sound, model.render(mel(9)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("chunk_frames", [0, -1])
def test_a_chunk_of_nothing_is_refused(model: Model, chunk_frames: int) -> None:
    with pytest.raises(FeatureError, match="whole number from 1"):
        model.render(mel(4), chunk_frames=chunk_frames)
    with pytest.raises(FeatureError, match="whole number from 1"):
        model.stream(chunk_frames=chunk_frames)


def test_any_sound_becomes_the_models_features(model: Model) -> None:
    seconds = np.arange(48000) / 48000
    sound = np.sin(2 * np.pi * 1000 * seconds).astype(np.float32)
    features = model.mel(np.stack([sound, sound]), 48000)
    assert features.shape == (10, 1000)
    np.testing.assert_allclose(features, model.mel(sound, 48000), atol=1e-5)
    own_rate = np.sin(2 * np.pi * 1000 * np.arange(8000) / 8000).astype(np.float32)
    loudest = np.argmax(features[:, 500])
    assert loudest == np.argmax(model.mel(own_rate, 8000)[:, 500])


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_sound_becomes_features_of_the_models_own_convention(convention: str) -> None:
    spec = replace(MEL, convention=convention, log=CONVENTIONS[convention].log)
    model = model_from(package(spec))
    sound = (0.1 * np.random.default_rng(3).standard_normal(4000)).astype(np.float32)
    features = model.mel(sound, 8000)
    np.testing.assert_array_equal(features, mel_spectrogram(sound, spec))
    assert model.render(features).shape == (8 * features.shape[1],)


@pytest.mark.parametrize(
    ("sound", "rate"),
    [(np.zeros(0), 8000), (np.zeros((2, 2, 8)), 8000), (np.zeros(100), 0), (np.full(100, np.nan), 44100)],
)
def test_sound_that_has_no_features_is_refused(model: Model, sound: np.ndarray, rate: int) -> None:
    with pytest.raises(FeatureError):
        model.mel(sound, rate)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"samples": 0}, "samples is 0"),
        ({"samples": -1}, "samples is -1"),
        ({"samples": 10**7}, "samples is 10000000"),
        ({"samples": "10"}, "samples is '10'"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": 2**64}, "seed is"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1}, "temperature is -1"),
        ({"chunk_frames": 2.5}, "chunk_frames is 2.5"),
        ({"latent": [1.0]}, "give one of them"),
        ({"noise": [0.1, 0.2]}, "draws none of it"),
    ],
)
def test_what_a_render_cannot_mean_gets_a_sentence(
    model: Model, given: dict[str, object], sentence: str
) -> None:
    with pytest.raises(FeatureError, match=sentence):
        model.render(mel(4), **given)


def test_complex_features_lose_no_half(model: Model) -> None:
    with pytest.raises(FeatureError, match="no array of real numbers"):
        model.render(mel(4) + 1j)


def test_a_certificate_measures_what_the_network_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certifying, "CHUNKS", (1, 4))
    monkeypatch.setattr(certifying, "_SECONDS_A_SIZE", 0.01)
    steps: list[str] = []
    certificate = certify(package(), steps.append)
    assert certificate.look_ahead_measured_samples == certificate.look_ahead_samples > 0
    assert certificate.chunk_error < 1e-5
    assert 0 < certificate.rounding_error < 1e-5
    assert [cost.chunk_frames for cost in certificate.costs] == [1, 4]
    assert all(0 < cost.median_ms <= cost.p99_ms for cost in certificate.costs)
    assert steps == ["costs", "chunkings", "rounding", "look-ahead"]


def test_a_model_whose_sound_is_not_finite_gets_a_sentence() -> None:
    whole = package()
    broken = replace(whole, tensors={name: 1e30 * tensor for name, tensor in whole.tensors.items()})
    with pytest.raises(ModelError, match="is not a finite number"):
        certify(broken)


def python(program: str) -> str:
    """Return what a fresh Python prints."""
    root = Path(__file__).resolve().parents[2]
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout.strip()


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = "{'torch', 'numpy', 'pydantic', 'typer', 'soxr'}"
    loaded = python(f"import sys, synthhost; print({heavy} & set(sys.modules), dir(synthhost))")
    assert loaded.startswith("set()")
    assert "'load_model'" in loaded


def test_the_packages_names_are_those_promised() -> None:
    program = "import synthhost; print([getattr(synthhost, name).__name__ for name in synthhost.__all__])"
    assert python(program) == "['Model', 'ModelStream', 'SynthhostError', 'load_model']"


def test_a_name_the_package_lacks_is_an_attribute_error() -> None:
    program = "import synthhost\ntry: synthhost.lode_model\nexcept AttributeError as error: print(error)"
    assert "no attribute 'lode_model'" in python(program)
