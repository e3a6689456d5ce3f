"""WaveGAN in streaming blocks: a clip in any pieces is the clip, and its start is there before its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.errors import CheckpointError, ConfigError, FeatureError
from synthhost.families import wavegan
from synthhost.families.registry import family
from synthhost.families.wavegan_hyper import WaveganHyper
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model
from synthhost.library.shelves import load_model
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import burst_samples, hop_samples, look_ahead_samples

SMALL: dict[str, Any] = {
    "latent": 3,
    "positions": 6,
    "channels": [8, 4, 1],
    "kernels": [9, 10],
    "strides": [4, 2],
    "crops": [2, 4],
    "filter_taps": 0,
    "prior": "uniform",
}
FILTERED = {**SMALL, "filter_taps": 12, "prior": "normal"}
PUBLISHED: dict[str, Any] = {
    "latent": 100,
    "positions": 16,
    "channels": [32, 16, 8, 4, 2, 1],
    "kernels": [25] * 5,
    "strides": [4] * 5,
    "crops": [10] * 5,
    "filter_taps": 0,
    "prior": "uniform",
}
FORMS = [SMALL, FILTERED]


def network(plain: dict[str, Any]) -> Sequence:
    torch.manual_seed(4)
    built = wavegan.build(WaveganHyper.from_json(plain))
    return built.eval()


def streamed(block: Sequence, latents: Tensor, cuts: list[int]) -> Tensor:
    """Stream latents `[batch, dimensions, frames]` in pieces, the rest, then flush; `[batch, samples]`."""
    state, sent, outputs = block.new_state(latents.shape[0]), 0, []
    with torch.inference_mode():
        for length in [*cuts, latents.shape[2]]:
            piece = latents[:, :, sent : sent + length].transpose(1, 2)
            outputs.append(block.step(piece, state))
            sent += piece.shape[1]
            assert sum(y.shape[1] for y in outputs) == block.ready(sent)
        outputs.append(block.flush(state))
    return torch.cat(outputs, 1)[:, :, 0]


@settings(deadline=None, max_examples=40)
@given(
    form=st.sampled_from(FORMS),
    frames=st.integers(1, 8),
    cuts=st.lists(st.integers(0, 4), max_size=8),
)
def test_any_chunking_gives_the_offline_clip(form: dict[str, Any], frames: int, cuts: list[int]) -> None:
    block = network(form)
    latents = torch.randn(1, 3, frames, generator=torch.Generator().manual_seed(frames))
    with torch.inference_mode():
        offline = block(latents)[:, 0]
    assert offline.shape[1] == frames * 8
    assert (streamed(block, latents, cuts) - offline).abs().max() <= 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_three_clips_in_one_batch_sound_as_three_alone(form: dict[str, Any]) -> None:
    block, latents = network(form), torch.randn(3, 3, 6)
    alone = torch.cat([streamed(block, one[None], [2]) for one in latents])
    assert (streamed(block, latents, [2]) - alone).abs().max() <= 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_a_copied_state_continues_as_the_first_would_have(form: dict[str, Any]) -> None:
    block, latents = network(form), torch.randn(1, 6, 3)
    with torch.inference_mode():
        whole = block(latents.transpose(1, 2)).transpose(1, 2)
        state = block.new_state()
        begun = block.step(latents[:, :4], state)
        copied = state.copy()
        block.step(latents[:, :2], state)  # must not disturb the copy
        ended = block.finish(latents[:, 4:], copied)
    assert (torch.cat((begun, ended), 1) - whole).abs().max() <= 1e-6


def test_the_published_network_gives_its_first_samples_after_a_quarter_of_the_clip() -> None:
    block = network(PUBLISHED)
    assert (hop_samples(block), look_ahead_samples(block), burst_samples(block)) == (1024, 3410, 0)
    assert block.ready(3) == 0
    assert block.ready(4) == 4 * 1024 - 3410
    assert block.total(16) == 16384


@pytest.mark.parametrize("form", [*FORMS, PUBLISHED])
def test_the_derived_look_ahead_is_the_measured_one(tmp_path: Path, form: dict[str, Any]) -> None:
    model = loaded(form, tmp_path)
    assert look_ahead_by_disturbance(model) == model.spec.look_ahead_samples


def test_a_clip_is_rendered_from_one_vector_or_from_a_path_of_them(tmp_path: Path) -> None:
    model = loaded(FILTERED, tmp_path)
    assert (model.spec.clip_frames, model.spec.bands, model.spec.prior) == (6, 3, "normal")
    z = np.float32([0.5, -1.0, 2.0])
    clip = model.render(latent=z)
    assert clip.shape == (48,)
    np.testing.assert_array_equal(model.render(latent=np.repeat(z[:, None], 6, axis=1)), clip)
    for chunk_frames in (1, 2, 5):
        np.testing.assert_allclose(model.render(latent=z, chunk_frames=chunk_frames), clip, atol=1e-6)
    with pytest.raises(FeatureError, match=r"makes a clip from latent=\[3\]"):
        model.render(latent=z[:2])


def loaded(form: dict[str, Any], folder: Path) -> Model:
    """Save a network of random weights as a model and load it."""
    tensors = {
        f"{name}.{leaf}": tensor.detach().clone()
        for name, layer in wavegan.named_layers(network(form)).items()
        for leaf, tensor in layer.named_parameters()
    }
    read = ReadModel("test", "wavegan", WaveganHyper.from_json(form).as_json(), None, tensors, 8000)
    return load_model(save_package(read, Origin("clip", "CC0", "a test"), folder / "clip"))


def test_hyper_parameters_are_read_back_as_written() -> None:
    hyper = WaveganHyper.from_json(FILTERED)
    assert WaveganHyper.from_json(hyper.as_json()) == hyper


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"latent": 10**9}, r"latent: 1000000000 lies outside"),
        ({"latent": 2.5}, r"latent: expected a whole number, got '2\.5'"),
        ({"positions": 0}, r"positions: 0 lies outside"),
        ({"channels": [8, 10**9, 1]}, r"channels: 1000000000 lies outside"),
        ({"channels": [16384, 16384, 1], "kernels": [512, 10], "crops": [254, 4]}, r"weights in all"),
        ({"channels": [8, 4, 2]}, r"the last of them 1"),
        ({"channels": [8, 1]}, r"one number more than there are layers"),
        ({"channels": "8"}, r"channels: expected a list"),
        ({"kernels": [9]}, r"kernels, strides and crops: 1, 2 and 2"),
        ({"kernels": [3, 10]}, r"crops: 2 at the start and -3 at the end"),
        ({"crops": [5, 4]}, r"crops: 5 at the start and 0 at the end.*about equal"),
        ({"strides": [4, 64], "kernels": [9, 128], "crops": [2, 32]}, None),
        (
            {"strides": [64, 64, 64], "kernels": [64] * 3, "crops": [0] * 3, "channels": [1] * 4},
            r"262144 samples",
        ),
        ({"filter_taps": -1}, r"filter_taps: -1 lies outside"),
        ({"prior": "poisson"}, r"prior: 'poisson' is none"),
        ({"prior": None}, r"prior: None is none"),
    ],
)
def test_what_describes_no_network_is_refused(change: dict[str, Any], words: str | None) -> None:
    plain = {**SMALL, **change}
    if words is None:
        assert WaveganHyper.from_json(plain).hop_samples == 256
        return
    with pytest.raises(ConfigError, match=words):
        WaveganHyper.from_json(plain)


def test_a_missing_number_is_named() -> None:
    with pytest.raises(ConfigError, match=r"WaveGAN crops: missing; import the checkpoint again"):
        WaveganHyper.from_json({key: value for key, value in SMALL.items() if key != "crops"})


def test_every_tensor_is_used_or_the_weights_are_refused() -> None:
    kind = family("wavegan")
    hyper = kind.hyper_from_json(FILTERED)
    names = kind.tensor_names(hyper)
    assert names == {
        "z_project.weight": (6, 8, 3),
        "z_project.bias": (6, 8),
        "upconv_0.weight": (8, 4, 9),
        "upconv_0.bias": (4,),
        "upconv_1.weight": (4, 1, 10),
        "upconv_1.bias": (1,),
        "pp_filt.weight": (1, 1, 12),
    }
    tensors = {name: torch.zeros(shape) for name, shape in names.items()}
    with pytest.raises(CheckpointError, match=r"hold tensors this network has no place for: more"):
        kind.load_weights(kind.build(hyper), {**tensors, "more": torch.zeros(1)})
