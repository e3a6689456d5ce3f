"""Claims about model folders: whole or absent, and the weights are the manifest's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from synthhost.checkpoints import package as packaging
from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin, is_package
from synthhost.checkpoints.package import (
    load_package,
    read_certificate,
    read_manifest,
    save_certificate,
    save_package,
)
from synthhost.checkpoints.reading import file_sha256
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family
from synthhost.schema.manifest import Certificate

ORIGIN = Origin("small", "MIT", "made for a test")
HYPER = {
    "resblock": "2",
    "upsample_rates": [4],
    "upsample_kernel_sizes": [8],
    "upsample_initial_channel": 4,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "bands": 5,
}
MEL = MelSpec("jik876", 8000, 16, 4, 16, 5, 0.0, 4000.0, "ln", 1e-5)


def small_model() -> ReadModel:
    kind = family("hifigan")
    torch.manual_seed(2)
    shapes = kind.tensor_names(kind.hyper_from_json(HYPER))
    tensors = {name: torch.randn(shape) for name, shape in shapes.items()}
    return ReadModel("test", "hifigan", HYPER, MEL, tensors)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_package(small_model(), ORIGIN, tmp_path / "small")


def edit(folder: Path, old: str, new: str) -> None:
    text = (folder / "manifest.yaml").read_text()
    assert old in text
    (folder / "manifest.yaml").write_text(text.replace(old, new))


def certificate(sha256: str) -> Certificate:
    return Certificate(
        synthhost="certificate/1",
        model="small",
        sha256=sha256,
        measured_by="0",
        machine="m",
        torch="t",
        threads=1,
        chunkings=1,
        chunk_error=0.0,
        rounding_error=0.0,
        look_ahead_samples=1,
        look_ahead_measured_samples=1,
        receptive_frames=1,
        costs=(),
    )


def test_a_saved_model_comes_back_as_it_was(folder: Path) -> None:
    package, model = load_package(folder), small_model()
    assert package.manifest.mel_spec() == MEL
    assert package.manifest.hyper == HYPER
    assert package.manifest.licence == "MIT"
    assert package.manifest.sha256 == file_sha256(folder / "weights.safetensors")
    assert all(torch.equal(package.tensors[name], tensor) for name, tensor in model.tensors.items())


def test_nothing_but_the_folder_is_left(folder: Path) -> None:
    assert [path.name for path in folder.parent.iterdir()] == ["small"]
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.yaml", "weights.safetensors"]


def test_a_folder_of_that_name_is_never_overwritten(folder: Path) -> None:
    before = (folder / "manifest.yaml").read_bytes()
    with pytest.raises(CheckpointError, match="already there"):
        save_package(small_model(), Origin("small", "CC0", "other"), folder)
    assert (folder / "manifest.yaml").read_bytes() == before


def test_a_save_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("synthhost.checkpoints.package.save_file", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_package(small_model(), ORIGIN, tmp_path / "small")
    assert list(tmp_path.iterdir()) == []


def test_changed_weights_are_refused(folder: Path) -> None:
    tensors = load_file(folder / "weights.safetensors")
    tensors["conv_post.bias"] += 1.0
    save_file(tensors, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match="weights were changed or damaged"):
        load_package(folder)


def test_missing_weights_are_named(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"weights\.safetensors: there is no such file"):
        load_package(folder)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("family: hifigan", "family: hifigam", "Did you mean 'hifigan'"),
        ("  resblock: '2'", "  resblock: '2'\n  upsample_rate: 1", "Did you mean 'upsample_rates'"),
        ("  upsample_initial_channel: 4", "  upsample_initial_channel: 1000000000", "1000000000"),
        ("hop_samples: 4", "hop_samples: 8", "8 samples a frame"),
        ("  bands: 5\n  fmin", "  bands: 6\n  fmin", "6 bands"),
    ],
)
def test_a_manifest_that_is_not_the_networks_is_refused(folder: Path, old: str, new: str, words: str) -> None:
    edit(folder, old, new)
    with pytest.raises(ConfigError, match=words):
        load_package(folder)


def test_a_wider_network_than_the_weights_is_not_built(folder: Path) -> None:
    edit(folder, "  upsample_initial_channel: 4", "  upsample_initial_channel: 8192")
    with pytest.raises(CheckpointError, match=r"has shape .* asks for"):
        load_package(folder)


def test_a_certificate_of_other_weights_or_numbers_does_not_count(folder: Path) -> None:
    save_certificate(certificate(read_manifest(folder).sound_sha256), folder)
    assert load_package(folder).certificate is not None
    edit(folder, "sample_rate: 8000", "sample_rate: 16000")
    assert load_package(folder).certificate is None
    save_certificate(certificate("0" * 64), folder)
    assert read_certificate(folder) is not None
    assert load_package(folder).certificate is None
    assert not list(folder.glob("*.partial"))


def test_only_a_folder_with_a_manifest_is_a_model(tmp_path: Path, folder: Path) -> None:
    assert is_package(folder)
    assert not is_package(tmp_path)


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(packaging, "save_file", full)
    with pytest.raises(CheckpointError, match="No space left"):
        save_package(small_model(), ORIGIN, tmp_path / "full")
    assert list(tmp_path.iterdir()) == []
