"""Claims about vincentherrmann/pytorch-wavenet: what no shape tells, and a trained network's sound."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from synthhost.checkpoints.importing import read_model
from synthhost.core.errors import CheckpointError
from synthhost.families.wavenet import Wavenet, WavenetVoice
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.library.model import Model
from synthhost.library.shelves import import_model, load_model

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
PRESENT, TRAINED = "wavenet-vincentherrmann-small", "wavenet-real-piano"
LAYERS = 6


def weights(form: str, bias: bool = False) -> dict[str, Tensor]:
    """Return a small network's state of a form: "present", "2017" or "rectifier"."""
    shapes: dict[str, tuple[int, ...]] = {"start_conv": (5, 16 if form == "present" else 1, 1)}
    for layer in range(LAYERS):
        shapes |= {f"residual_convs.{layer}": (5, 4, 1), f"skip_convs.{layer}": (7, 4, 1)}
        if form == "present":
            shapes |= {f"filter_convs.{layer}": (4, 5, 2), f"gate_convs.{layer}": (4, 5, 2)}
        else:
            shapes[f"dilated_convs.{layer}"] = (8 if form == "2017" else 4, 5, 2)
    ends = (
        {"end_conv_1": (6, 7, 1), "end_conv_2": (16, 6, 1)} if form == "present" else {"end_conv": (16, 7, 1)}
    )
    torch.manual_seed(4)
    state = {f"{name}.weight": torch.randn(shape) for name, shape in {**shapes, **ends}.items()}
    biased = {**shapes, **ends} if bias else ends
    return state | {f"{name}.bias": torch.randn(shape[0]) for name, shape in biased.items()}


def checkpoint(folder: Path, tensors: dict[str, Any], name: str = "voice_3-2-16-4-5-7-2") -> Path:
    """Write a state dict under the name its author would give it."""
    torch.save(tensors, folder / name)
    return folder / name


def published(name: str, tmp_path: Path) -> Path:
    """Return a reference folder's checkpoint, copied under its original name where that matters, or skip."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    if name == PRESENT:
        return folder / "checkpoint_state_dict.pt"
    original = json.loads((folder / "about.json").read_text())["original_file_name"]
    path = tmp_path / str(original).rpartition("/")[2]
    shutil.copy(folder / "checkpoint.pt", path)
    return path


def network_of(model: Model) -> Wavenet:
    assert isinstance(model.playable, WavenetVoice)
    return model.playable.network


def amplitudes(ids: NDArray[Any], classes: int) -> NDArray[np.float64]:
    level = 2.0 * ids / classes - 1.0
    return np.asarray(np.sign(level) * ((1.0 + classes) ** np.abs(level) - 1.0) / classes)


def run(model: Model, first: NDArray[Any], uniforms: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return sound and ids drawn after the network heard `first`."""
    loop, samples = model.playable.loop(), len(uniforms)
    state, nothing = loop.new_state(), np.zeros((samples, 0), np.float32)
    loop.hear(np.zeros((len(first), 0), np.float32), first.astype(np.float32), state)
    out, ids = np.empty(samples, np.float32), np.empty(samples, np.float32)
    loop.run(nothing, uniforms.astype(np.float64)[:, None], nothing, 1.0, state, out, ids)
    return out, ids


@pytest.mark.reference
def test_the_present_form_gives_the_published_logits_ids_and_sound(tmp_path: Path) -> None:
    path = published(PRESENT, tmp_path)
    model = load_model(path)
    arrays = {
        name: np.load(path.parent / f"{name}.npy") for name in ("ids_in", "logits", "first", "u", "ids")
    }
    with torch.inference_mode():
        last = network_of(model)(torch.from_numpy(arrays["ids_in"])[None])[0].T.numpy()
    np.testing.assert_allclose(last[-len(arrays["logits"]) :], arrays["logits"], atol=1e-4, rtol=0)
    out, ids = run(model, arrays["first"], arrays["u"])
    np.testing.assert_array_equal(ids, arrays["ids"])
    np.testing.assert_allclose(out, np.load(path.parent / "audio.npy"), atol=1e-6, rtol=0)


@pytest.mark.reference
def test_the_likeliest_samples_are_the_authors_own_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = published(TRAINED, tmp_path)
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path))
    model = load_model(import_model(path, sample_rate=44100))
    recording, rate = soundfile.read(REFERENCE / TRAINED / "generated.wav")
    assert model.spec.sample_rate == rate == 44100
    sound = model.render(samples=len(recording), temperature=0.0)
    np.testing.assert_allclose(sound, recording, atol=1e-6, rtol=0)
    ids = np.load(REFERENCE / TRAINED / "ids_argmax.npy")
    np.testing.assert_allclose(sound, amplitudes(ids, 128), atol=1e-6, rtol=0)


@pytest.mark.reference
def test_a_trained_network_draws_the_recorded_ids(tmp_path: Path) -> None:
    model = load_model(published(TRAINED, tmp_path))
    ids, tape, logits = (
        np.load(REFERENCE / TRAINED / f"{name}.npy")
        for name in ("ids_sampled", "uniforms", "logits_first100")
    )
    sound = model.render(samples=len(ids), uniforms=tape)
    np.testing.assert_allclose(sound, amplitudes(ids, 128), atol=1e-6, rtol=0)
    heard = np.concatenate(([0.0], amplitudes(ids[: len(logits) - 1], 128))).astype(np.float32)
    with torch.inference_mode():
        last = network_of(model)(torch.from_numpy(heard)[None])[0].T.numpy()
    np.testing.assert_allclose(last, logits, atol=1e-4, rtol=0)


@pytest.mark.reference
def test_a_whole_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = published(PRESENT, tmp_path).with_name("checkpoint_whole_model.pt")
    words = r"holds wavenet_model\.WaveNetModel.*nothing was run.*weights_only=False\)\.state_dict\(\), NEW\)"
    with pytest.raises(CheckpointError, match=words):
        load_model(path)


def test_the_present_form_hears_ids_and_has_two_last_layers(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path, weights("present")))
    hyper = WavenetHyper.from_json(model.hyper)
    assert hyper.dilations == (1, 2, 4, 1, 2, 4)
    assert (hyper.gate_channels, hyper.head_channels, hyper.out_channels) == (8, 6, 16)
    assert (hyper.scalar_input, hyper.gate, hyper.skip) == (False, "tanh-sigmoid", "sum")
    assert (hyper.output.levels, hyper.output.companding, hyper.output.start) == (16.0, 16.0, 8.0)
    assert (model.sample_rate, model.mel, model.about) == (16000, None, "")
    filters = weights("present")["filter_convs.2.weight"]
    assert torch.equal(model.tensors["conv_layers.2.conv.weight"][:4], filters)


@pytest.mark.parametrize(("form", "gate"), [("2017", "tanh-sigmoid"), ("rectifier", "relu")])
def test_the_2017_form_hears_amplitudes(tmp_path: Path, form: str, gate: str) -> None:
    model = read_model(checkpoint(tmp_path, weights(form)))
    hyper = WavenetHyper.from_json(model.hyper)
    assert (hyper.scalar_input, hyper.gate, hyper.head_channels) == (True, gate, 0)
    assert (hyper.gated_channels, hyper.output.start) == (4, 0.0)
    assert len(load_model(tmp_path / "voice_3-2-16-4-5-7-2").render(samples=70)) == 70


def test_biases_are_taken_where_there_are_some(tmp_path: Path) -> None:
    state = weights("present", bias=True)
    tensors = read_model(checkpoint(tmp_path, state)).tensors
    assert torch.equal(tensors["conv_layers.1.conv.bias"][4:], state["gate_convs.1.bias"])
    assert torch.equal(tensors["first_conv.bias"], state["start_conv.bias"])


@pytest.mark.parametrize(
    ("name", "block", "assumed"),
    [
        ("bach_3-9-16-4-5-7-2", 3, False),  # the number of blocks in a name is not always right
        ("bach_2-3", 6, True),
        ("model.pt", 6, True),
        ("bach_5-2-16", 6, True),  # twelve layers are no blocks of five
    ],
)
def test_the_layers_of_a_block_are_in_the_name_or_assumed_aloud(
    tmp_path: Path, name: str, block: int, assumed: bool
) -> None:
    tensors = {**weights("2017")}
    for layer in range(LAYERS, 2 * LAYERS):
        for part in ("residual_convs", "skip_convs", "dilated_convs"):
            tensors[f"{part}.{layer}.weight"] = tensors[f"{part}.0.weight"].clone()
    model = read_model(checkpoint(tmp_path, tensors, name))
    assert WavenetHyper.from_json(model.hyper).dilations.index(1, 1) == block
    assert ("6 were assumed" in model.about) == assumed


def test_a_file_of_arguments_comes_first(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, weights("present"))
    (tmp_path / "params.json").write_text('{"layers": 2, "blocks": 3, "sample_rate": 11025}')
    model = read_model(path)
    assert model.hyper["dilations"] == [1, 2, 1, 2, 1, 2]
    assert model.sample_rate == 11025
    (tmp_path / "params.json").rename(tmp_path / "other.json")
    assert read_model(path).hyper["dilations"] == [1, 2, 4, 1, 2, 4]
    assert read_model(path, tmp_path / "other.json").hyper["dilations"] == [1, 2, 1, 2, 1, 2]


def test_a_rate_no_file_tells_can_be_given(tmp_path: Path) -> None:
    path = checkpoint(tmp_path, weights("2017"))
    assert read_model(path, sample_rate=44100).sample_rate == 44100


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("form", "change", "words"),
    [
        ("present", lambda t: t.pop("gate_convs.3.weight"), r"gate_convs\.3\.weight has shape \[\]"),
        ("present", lambda t: t.update({"gate_convs.3.weight": torch.ones(3, 5, 2)}), "differ in shape"),
        ("present", lambda t: t.update({"extra.bias": torch.ones(3)}), r"left over extra\.bias"),
        ("present", lambda t: t.update({"start_conv.weight": torch.ones(5, 1, 1)}), "takes 1 channels"),
        ("2017", lambda t: t.update({"start_conv.weight": torch.ones(5, 16, 1)}), "takes 16 channels"),
        ("2017", lambda t: t.pop("end_conv.weight"), r"end_conv_1\.weight has shape \[\]"),
        ("2017", lambda t: t["end_conv.bias"].fill_(torch.inf), r"last_conv_layers\.1\.bias holds values"),
        (
            "2017",
            lambda t: t.update({"conditioning_layers.0.bias": torch.ones(3)}),
            "only free ones are read",
        ),
        ("2017", lambda t: t.update({"skip_convs.2.weight": torch.ones(8, 4, 1)}), r"has shape \[8, 4, 1\]"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, form: str, change: Change, words: str) -> None:
    tensors = weights(form)
    change(tensors)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, tensors))


@pytest.mark.parametrize(
    ("text", "words"),
    [('{"layers": 4}', "is 4, but the weights have 6"), ("{}", "missing"), ('{"layers": 99}', "must lie in")],
)
def test_arguments_that_do_not_fit_are_refused(tmp_path: Path, text: str, words: str) -> None:
    path = checkpoint(tmp_path, weights("2017"))
    (tmp_path / "params.json").write_text(text)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


def test_layers_that_make_no_blocks_ask_for_arguments(tmp_path: Path) -> None:
    tensors = weights("2017")
    for part in ("residual_convs", "skip_convs", "dilated_convs"):
        tensors.pop(f"{part}.{LAYERS - 1}.weight")
    with pytest.raises(CheckpointError, match=r'how many of 5 layers a block has.*\{"layers": 10\}'):
        read_model(checkpoint(tmp_path, tensors, "model"))
