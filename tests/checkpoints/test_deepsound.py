"""Claims about deepsound-project/samplernn-pytorch checkpoints: shapes tell all but the rate."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.samplernn import SampleRnn, SampleRnnVoice
from synthhost.families.samplernn_hyper import SampleRnnHyper
from synthhost.library.model import Model
from synthhost.library.shelves import import_model, load_model

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
FOLDERS = ["samplernn-deepsound-2tier", "samplernn-deepsound-3tier"]
HYPER = {"frame_sizes": [4, 2], "n_rnn": 2, "dim": 6, "q_levels": 8}
TAG = "exp:TEST-frame_sizes:4,2-n_rnn:2-dim:6-q_levels:8-dataset:voice"


def weights(weight_norm: bool = False, **change: Any) -> dict[str, Tensor]:
    """Return a small predictor's state as it is published, with or without weight norm."""
    torch.manual_seed(2)
    network = SampleRnn(SampleRnnHyper.from_json({**HYPER, **change}))
    state = {f"model.{name}": tensor.detach().clone() for name, tensor in network.named_parameters()}
    normed = [name for name, tensor in state.items() if name.endswith(".weight") and tensor.ndim == 3]
    for name in normed if weight_norm else []:
        direction = state.pop(name)
        norm = direction.flatten(1).norm(dim=1)[:, None, None]
        state |= {f"{name}_g": norm * 1.5, f"{name}_v": direction}
    return state


def checkpoint(folder: Path, tag: str = TAG, tensors: dict[str, Any] | None = None) -> Path:
    """Write a predictor where the trainer would."""
    path = folder / "results" / tag / "checkpoints" / "best-ep3-it1200"
    path.parent.mkdir(parents=True)
    torch.save(weights() if tensors is None else tensors, path)
    return path


def published(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Model]:
    """Import a reference folder's checkpoint under its original name, or skip."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    tag = (folder / "results_dir_name.txt").read_text().strip()
    path = tmp_path / "results" / tag / "checkpoints" / "ep3-it1200"
    path.parent.mkdir(parents=True)
    shutil.copy(folder / "checkpoint.pth", path)
    return folder, load_model(import_model(path))


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_published_uniforms_draw_the_published_ids(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model = published(name, tmp_path, monkeypatch)
    levels = json.loads((folder / "about.json").read_text())["parameters"]["q_levels"]
    tapes, ids, sound = (np.load(folder / f"{part}.npy") for part in ("u", "generated", "audio"))
    for sequence in range(ids.shape[0]):
        audio = model.render(samples=ids.shape[1], uniforms=tapes[:, sequence])
        assert (np.rint((audio + 1) * levels / 2).astype(np.int64) == ids[sequence]).all()
        np.testing.assert_allclose(audio, sound[sequence], atol=1e-6, rtol=0)


@pytest.mark.reference
@pytest.mark.parametrize("name", FOLDERS)
def test_log_probabilities_are_the_published_ones_and_go_on(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, model = published(name, tmp_path, monkeypatch)
    assert isinstance(model.playable, SampleRnnVoice)
    network = model.playable.network
    within = json.loads((folder / "about.json").read_text())["tolerance"]
    ids = torch.from_numpy(np.load(folder / "ids_in.npy"))
    first, second = (np.load(folder / f"{part}.npy") for part in ("logp_1", "logp_2"))
    samples, look_back = first.shape[1], network.hyper.look_back_samples
    with torch.inference_mode():
        begun, hidden = network(ids[:, : look_back + samples - 1])
        gone_on, _ = network(ids[:, samples : look_back + 2 * samples - 1], hidden)
    np.testing.assert_allclose(begun.numpy(), first, atol=within["logp_1"], rtol=0)
    np.testing.assert_allclose(gone_on.numpy(), second, atol=within["logp_2"], rtol=0)


@pytest.mark.parametrize("weight_norm", [False, True])
def test_shapes_tell_the_network(tmp_path: Path, weight_norm: bool) -> None:
    model = read_model(checkpoint(tmp_path, tensors=weights(weight_norm)))
    assert (model.family, model.hyper, model.mel) == ("samplernn", HYPER, None)
    name = "frame_level_rnns.0.upsampling.conv_t.weight"
    expected = weights()[f"model.{name}"] * (1.5 if weight_norm else 1.0)
    torch.testing.assert_close(model.tensors[name], expected)


@pytest.mark.parametrize("frame_sizes", [[8], [4, 2], [2, 3, 2]])
def test_two_three_and_four_tiers_play_as_they_were_saved(tmp_path: Path, frame_sizes: list[int]) -> None:
    model = load_model(checkpoint(tmp_path, tensors=weights(frame_sizes=frame_sizes)))
    assert model.manifest.hyper == {**HYPER, "frame_sizes": frame_sizes}
    look_back, levels = math.prod(frame_sizes), np.random.default_rng(0).uniform(size=10 * 24)
    ids = np.rint((model.render(samples=len(levels), uniforms=levels) + 1) * 4).astype(np.int64)
    network = SampleRnn(SampleRnnHyper.from_json(model.manifest.hyper))
    tensors = weights(frame_sizes=frame_sizes)
    network.load_state_dict({name.removeprefix("model."): tensor for name, tensor in tensors.items()})
    with torch.inference_mode():
        log_p, _ = network(torch.from_numpy(np.concatenate([np.full(look_back, 4), ids[:-1]]))[None])
    assert (ids == (log_p[0].double().exp().cumsum(1).numpy() <= levels[:, None]).sum(axis=1)).all()


@pytest.mark.parametrize(
    ("tag", "rate"),
    [
        (TAG, 16000),
        (f"{TAG}-sample_rate:22050", 22050),
        ("exp:A-B-sample_rate:44100-dataset:piano", 44100),
        ("exp:my-resample_rate:8000-dataset:piano", 16000),
        ("somewhere", 16000),
    ],
)
def test_the_folder_tells_a_sample_rate_that_is_not_16_khz(tmp_path: Path, tag: str, rate: int) -> None:
    assert read_model(checkpoint(tmp_path, tag)).sample_rate == rate


def test_a_person_who_knows_the_sample_rate_says_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    model = load_model(import_model(checkpoint(tmp_path, "somewhere"), sample_rate=32000))
    assert model.spec.sample_rate == 32000


def test_a_file_of_parameters_tells_the_sample_rate_too(tmp_path: Path) -> None:
    path, config = checkpoint(tmp_path), tmp_path / "params.json"
    config.write_text(json.dumps({**HYPER, "sample_rate": 32000, "exp": "TEST"}))
    assert read_model(path, config).sample_rate == 32000
    config.write_text("{}")
    assert read_model(path, config).sample_rate == 16000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"frame_sizes": [2, 4]}, r"'frame_sizes' is \[2, 4\], but the weights have \[4, 2\]"),
        ({"dim": 7}, "'dim' is 7, but the weights have 6"),
        ({"sample_rate": 0}, r"'sample_rate' must lie in 1000\.\.384000"),
        ({"sample_rate": "16k"}, "'sample_rate' must be a whole number"),
    ],
)
def test_parameters_of_another_model_are_refused(tmp_path: Path, change: dict[str, Any], words: str) -> None:
    path, config = checkpoint(tmp_path), tmp_path / "params.json"
    config.write_text(json.dumps({**HYPER, **change}))
    with pytest.raises(CheckpointError, match=words):
        read_model(path, config)


def test_a_rate_nobody_can_play_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"its name says sample_rate:999999999.*Rename the folder"):
        read_model(checkpoint(tmp_path, f"{TAG}-sample_rate:999999999"))


def test_the_import_plays_at_its_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    path = checkpoint(tmp_path, f"{TAG}-sample_rate:22050")
    model = load_model(import_model(path))
    assert (model.spec.name, model.spec.sample_rate) == ("best-ep3-it1200", 22050)
    assert np.array_equal(model.render(samples=100, seed=2), load_model(path).render(samples=100, seed=2))


Change = Callable[[dict[str, Any]], object]
_TIER = "model.frame_level_rnns"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop(f"{_TIER}.1.h0"), r"missing frame_level_rnns\.1\.h0"),
        (lambda t: t.update({f"{_TIER}.2.h0": torch.ones(2, 6)}), r"left over frame_level_rnns\.2\.h0"),
        (lambda t: t.update({"model.extra": torch.ones(1)}), "left over extra"),
        (
            lambda t: t.update({f"{_TIER}.1.input_expand.weight": torch.ones(6, 9, 1)}),
            r"tiers over \[4, 9\] samples; each must cover whole frames of the one below",
        ),
        (
            lambda t: t.update({f"{_TIER}.1.input_expand.weight": torch.ones(6, 12, 1)}),
            r"frame_level_rnns\.1\.upsampling\.bias has shape \[6, 2\].*\[6, 3\]",
        ),
        (
            lambda t: t.update({f"{_TIER}.1.input_expand.weight": torch.ones(6, 4 * 300, 1)}),
            "frame_sizes: 300 lies outside 1 to 256",
        ),
        (
            lambda t: t.update({f"{_TIER}.0.input_expand.weight": torch.ones(100_000, 4, 1)}),
            "dim: 100000 lies outside 1 to 4096",
        ),
        (
            lambda t: t.update({f"{_TIER}.0.input_expand.weight": torch.ones(4096, 4, 1)}),
            r"frame_level_rnns\.0\.h0 has shape \[2, 6\].*4096",
        ),
        (lambda t: t.update({f"{_TIER}.0.input_expand.weight": torch.ones(6, 4)}), "has shape .* 3 axes"),
        (
            lambda t: t.update({"model.sample_level_mlp.embedding.weight": torch.ones(8, 6)}),
            r"embedding\.weight has shape \[8, 6\].*\[8, 8\]",
        ),
        (
            lambda t: t[f"{_TIER}.0.rnn.bias_hh_l1"].fill_(torch.inf),
            r"bias_hh_l1 holds values that are not finite",
        ),
        (lambda t: t.update({f"{_TIER}.0.h0": "text"}), "not a tensor of real numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    tensors: dict[str, Any] = weights()
    change(tensors)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, tensors=tensors))
