"""Claims about jik876/hifi-gan checkpoints: shapes and configuration agree, and the sound is theirs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.checkpoints.importing import read_model
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.names import slug
from synthhost.core.errors import CheckpointError
from synthhost.families.registry import family

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
CONFIG: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 3]],
    "num_mels": 10,
    "n_fft": 32,
    "hop_size": 8,
    "win_size": 32,
    "sampling_rate": 8000,
    "fmin": 0,
    "fmax": 3000,
    "fmax_for_loss": None,
}


def weights(config: dict[str, Any] = CONFIG) -> dict[str, torch.Tensor]:
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**config, "bands": config["num_mels"]}))
    torch.manual_seed(1)
    return {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}


def checkpoint(
    folder: Path, change: dict[str, Any] | None = None, tensors: dict[str, Any] | None = None
) -> Path:
    """Write a small generator with its configuration, `change` applied to the latter."""
    (folder / "config.json").write_text(json.dumps({**CONFIG, **(change or {})}))
    torch.save({"generator": weights() if tensors is None else tensors}, folder / "g_00000001")
    return folder / "g_00000001"


def offline(model: ReadModel, mel: np.ndarray) -> np.ndarray:
    kind = family(model.family)
    block = kind.build(kind.hyper_from_json(model.hyper))
    kind.load_weights(block, model.tensors)
    with torch.inference_mode():
        return block(torch.from_numpy(mel)).numpy()


@pytest.mark.reference
@pytest.mark.parametrize(
    "name",
    [
        "hifigan-jik876-v1/checkpoint.pth",
        "hifigan-jik876-v2/checkpoint.pth",
        "hifigan-jik876-v3/checkpoint.pth",
        "hifigan-jik876-v3/checkpoint_parametrized.pth",
        "hifigan-jik876-v3/checkpoint_fused.pth",
    ],
)
def test_a_published_layout_gives_the_published_sound(name: str) -> None:
    path = REFERENCE / name
    if not path.is_file():
        pytest.skip(f"no reference vectors in {REFERENCE}")
    model = read_model(path)
    sound = offline(model, np.load(path.parent / "mel.npy"))
    np.testing.assert_allclose(sound, np.load(path.parent / "audio.npy"), atol=1e-4, rtol=0)
    assert (model.mel.sample_rate, model.mel.hop_samples, model.mel.fmax_hz) == (22050, 256, 8000.0)


def test_shapes_and_configuration_make_the_model(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path))
    assert model.hyper == {
        "resblock": "2",
        "upsample_rates": [4, 2],
        "upsample_kernel_sizes": [8, 4],
        "upsample_initial_channel": 8,
        "resblock_kernel_sizes": [3, 5],
        "resblock_dilation_sizes": [[1, 2], [2, 3]],
        "bands": 10,
    }
    assert (model.mel.bands, model.mel.n_fft, model.mel.win_samples, model.mel.fmax_hz) == (
        10,
        32,
        32,
        3000.0,
    )


def test_a_bare_state_dict_and_a_wrapped_one_read_alike(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    wanted = read_model(path).tensors
    torch.save({f"module.{name}": tensor for name, tensor in weights().items()}, path)
    read = read_model(path).tensors
    assert read.keys() == wanted.keys()
    assert all(torch.equal(read[name], wanted[name]) for name in wanted)


def test_fmax_null_means_half_the_sample_rate(tmp_path: Path) -> None:
    assert read_model(checkpoint(tmp_path, {"fmax": None})).mel.fmax_hz == 4000.0


def test_type_2_uses_the_first_two_of_three_dilations(tmp_path: Path) -> None:
    model = read_model(checkpoint(tmp_path, {"resblock_dilation_sizes": [[1, 2, 9], [2, 3, 9]]}))
    assert model.hyper["resblock_dilation_sizes"] == [[1, 2], [2, 3]]


def test_a_configuration_elsewhere_can_be_named(tmp_path: Path) -> None:
    path = checkpoint(tmp_path)
    shutil.move(tmp_path / "config.json", tmp_path / "other.json")
    with pytest.raises(CheckpointError, match=r"no config\.json beside it.*--config"):
        read_model(path)
    assert read_model(path, tmp_path / "other.json").hyper["bands"] == 10


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"hop_size": 16}, r"'hop_size' is 16, but the upsampling rates make 8"),
        ({"num_mels": 80}, r"'num_mels' is 80, but the weights have 10"),
        ({"upsample_initial_channel": 10**9}, r"'upsample_initial_channel' is 1000000000"),
        ({"upsample_kernel_sizes": [16, 4]}, r"'upsample_kernel_sizes' is \[16, 4\], but the weights"),
        ({"resblock_kernel_sizes": [3, 7]}, r"'resblock_kernel_sizes'"),
        ({"resblock": "1"}, r"'resblock' is '1', but the weights are of type '2'"),
        ({"upsample_rates": [8, 8, 2]}, r"'upsample_rates' must be a list of 2"),
        ({"upsample_rates": [10**9, 2]}, r"'upsample_rates' must lie in 1\.\.1024"),
        ({"upsample_rates": [3, 2], "hop_size": 6}, r"kernel 8 over rate 3"),
        ({"upsample_rates": "4,2"}, r"'upsample_rates' must be a list"),
        ({"upsample_rates": None}, r"'upsample_rates' is missing"),
        ({"resblock_dilation_sizes": [[1, 2]]}, r"'resblock_dilation_sizes' must be a list of 2"),
        ({"resblock_dilation_sizes": [[1, 10**9], [2, 3]]}, r"'resblock_dilation_sizes' must lie in"),
        ({"resblock_dilation_sizes": [1, 2]}, r"'resblock_dilation_sizes' must hold lists"),
        ({"resblock_dilation_sizes": [[1], [2]]}, r"takes 2"),
        ({"sampling_rate": 0}, r"'sampling_rate' must lie in"),
        ({"sampling_rate": True}, r"'sampling_rate' must be a whole number"),
        ({"n_fft": 10**12}, r"'n_fft' must lie in"),
        ({"n_fft": 4}, r"'n_fft' must lie in"),
        ({"win_size": 64}, r"'win_size' must lie in 1\.\.32"),
        ({"fmax": 9000}, r"'fmax' must lie in"),
        ({"fmax": float("nan")}, r"'fmax' must be a number"),
        ({"fmin": 3500, "fmax": 3000}, r"'fmax' must lie in"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, change))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[1, 2]", "holds no named values"),
        ("{", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"hop_size": ' + "9" * 5000 + "}", "not readable as JSON"),
        ('{"a": "' + "x" * 1_000_001 + '"}', "larger than 1 MB"),
    ],
)
def test_a_configuration_that_is_none_is_refused(tmp_path: Path, text: str, words: str) -> None:
    path = checkpoint(tmp_path)
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(CheckpointError, match=words):
        read_model(path)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.pop("resblocks.3.convs.1.bias"), r"missing resblocks\.3\.convs\.1\.bias"),
        (lambda t: t.update({"extra.weight": torch.ones(1)}), r"left over extra\.weight"),
        (
            lambda t: t.update({"conv_post.bias": torch.ones(2)}),
            r"conv_post\.bias has shape \[2\]",
        ),
        (lambda t: t["ups.0.bias"].fill_(torch.nan), r"ups\.0\.bias holds values that are not finite"),
        (lambda t: t.update({"conv_pre.weight": torch.ones(8, 10)}), r"conv_pre\.weight has shape \[8, 10\]"),
        (lambda t: t.update({"conv_pre.weight": torch.ones(0, 10, 7)}), r"conv_pre\.weight has shape \[0"),
        (lambda t: t.update({"ups.2.weight": torch.ones(1, 1, 4)}), r"4 residual blocks over 3"),
        (
            lambda t: t.update({"conv_pre.weight": torch.ones(1024, 10, 7)}),
            r"'upsample_initial_channel' is 8",
        ),
        (lambda t: t.update({"conv_pre.weight": "text"}), r"not a tensor of real numbers"),
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path: Path, change: Change, words: str) -> None:
    tensors: dict[str, Any] = weights()
    change(tensors)
    with pytest.raises(CheckpointError, match=words):
        read_model(checkpoint(tmp_path, tensors=tensors))


def test_a_wide_claim_over_few_weights_is_refused(tmp_path: Path) -> None:
    tensors = weights()
    tensors["conv_pre.weight"] = torch.zeros(8192, 10, 7)
    path = checkpoint(tmp_path, {"upsample_initial_channel": 8192}, tensors)
    with pytest.raises(CheckpointError, match=r"conv_pre\.bias has shape \[8\].*8192"):
        read_model(path)


def test_training_state_points_to_the_generator(tmp_path: Path) -> None:
    torch.save({"mpd": {}, "msd": {}, "steps": 1}, tmp_path / "do_00000001")
    with pytest.raises(CheckpointError, match=r"holds the discriminator.*load g_00000001 beside it"):
        read_model(tmp_path / "do_00000001")


@pytest.mark.parametrize(
    "content", [{}, {"state": torch.ones(2)}, [1, 2], {"generator": {"a": torch.ones(2)}}, 7]
)
def test_an_unknown_layout_is_named_as_such(tmp_path: Path, content: object) -> None:
    torch.save(content, tmp_path / "x.pt")
    with pytest.raises(CheckpointError, match="no layout known here"):
        read_model(tmp_path / "x.pt")


def test_a_relative_with_nested_upsamplers_is_not_mistaken_for_it(tmp_path: Path) -> None:
    tensors = {name.replace("ups.0.", "ups.0.0."): tensor for name, tensor in weights().items()}
    with pytest.raises(CheckpointError, match="no layout known here"):
        read_model(checkpoint(tmp_path, tensors=tensors))


@pytest.mark.parametrize(
    ("text", "name"), [("g_02500000", "g-02500000"), ("  Choir (v2)! ", "choir-v2"), ("...", "model")]
)
def test_any_text_becomes_a_model_name(text: str, name: str) -> None:
    assert slug(text) == name
