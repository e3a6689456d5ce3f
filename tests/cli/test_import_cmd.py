"""`synthhost import` says what a file is, makes a model of it and measures that."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from synthhost.checkpoints.package import read_certificate, read_manifest
from synthhost.cli.app import make_app
from synthhost.families.registry import family

_CONFIG = {
    "resblock": "2",
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 4,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "num_mels": 6,
    "n_fft": 32,
    "hop_size": 8,
    "win_size": 32,
    "sampling_rate": 8000,
    "fmin": 0,
    "fmax": 3000,
}


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**_CONFIG, "bands": 6}))
    torch.save({"generator": {name: torch.randn(shape) for name, shape in shapes.items()}}, tmp_path / "g_1")
    (tmp_path / "config.json").write_text(json.dumps(_CONFIG))
    return tmp_path / "g_1"


def imported(*arguments: str) -> str:
    answer = CliRunner().invoke(make_app("import"), ["import", *arguments])
    assert answer.exit_code == 0, answer.output
    return answer.output


def test_it_says_what_the_file_is_and_measures_the_model(checkpoint: Path, tmp_path: Path) -> None:
    said = imported(str(checkpoint), "--name", "small")
    assert "HiFi-GAN" in said
    assert "imported from the file g_1, as jik876/hifi-gan writes it" in said
    folder = tmp_path / "home" / "models" / "small"
    certificate = read_certificate(folder)
    assert certificate is not None
    assert certificate.sha256 == read_manifest(folder).sound_sha256
    assert certificate.look_ahead_samples == certificate.look_ahead_measured_samples


def test_what_was_measured_of_other_numbers_is_not_shown(checkpoint: Path, tmp_path: Path) -> None:
    imported(str(checkpoint), "--name", "small")

    def told(*more: str) -> str:
        return CliRunner().invoke(make_app("models"), ["models", "info", "small", *more]).output

    assert "is of other weights or numbers" not in told()
    assert json.loads(told("--json"))["certificate"]["stale"] is False
    manifest = tmp_path / "home" / "models" / "small" / "manifest.yaml"
    manifest.write_text(re.sub("fmax_hz: .*", "fmax_hz: 1000.0", manifest.read_text()))
    assert "is of other weights or numbers: synthhost certify small" in " ".join(told().split())
    assert json.loads(told("--json"))["certificate"]["stale"] is True


def test_measuring_can_be_left_for_later(checkpoint: Path, tmp_path: Path) -> None:
    assert "synthhost certify small" in imported(str(checkpoint), "--name", "small", "--no-certify")
    assert read_certificate(tmp_path / "home" / "models" / "small") is None


def test_what_is_no_checkpoint_is_refused_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("not a model")
    answer = CliRunner().invoke(make_app("import"), ["import", str(tmp_path / "letter.txt")])
    assert answer.exit_code != 0
    assert "text file" in answer.output + str(answer.exception)


def test_what_no_file_tells_is_assumed_aloud_and_the_rate_can_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    shapes: dict[str, tuple[int, ...]] = {"start_conv": (3, 1, 1), "end_conv": (8, 4, 1)}
    for layer in range(4):
        shapes |= {f"dilated_convs.{layer}": (4, 3, 2), f"residual_convs.{layer}": (3, 2, 1)}
        shapes[f"skip_convs.{layer}"] = (4, 2, 1)
    state = {f"{name}.weight": torch.randn(shape) for name, shape in shapes.items()}
    torch.save({**state, "end_conv.bias": torch.zeros(8)}, tmp_path / "saved")
    said = imported(str(tmp_path / "saved"), "--name", "free", "--sample-rate", "44100", "--no-certify")
    assert "2 were assumed" in said
    manifest = read_manifest(tmp_path / "home" / "models" / "free")
    assert manifest.sample_rate == 44100
    assert "2 were assumed" in manifest.about
