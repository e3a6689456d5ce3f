"""What tests of the host share: a model, sounds, presets and sets that were never installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
import yaml

from synthhost.families.registry import family
from synthhost.library.shelves import import_model

RATE, HOP = 22050, 256
FRAMES = 60
CONFIG: dict[str, Any] = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 2], [2, 6]],
    "num_mels": 20,
    "n_fft": 1024,
    "hop_size": HOP,
    "win_size": 1024,
    "sampling_rate": RATE,
    "fmin": 0,
    "fmax": 8000,
    "fmax_for_loss": None,
}


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Give a folder with a model of random weights, a sound, and presets and a set that play it."""
    folder = tmp_path_factory.mktemp("studio")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYNTHHOST_HOME", str(folder / "home"))
        patch.setenv("SYNTHHOST_PRESETS", str(folder / "presets"))
        _make_model(folder)
        _make_presets(folder / "presets")
        yield folder


def _make_model(folder: Path) -> None:
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**CONFIG, "bands": CONFIG["num_mels"]}))
    torch.manual_seed(3)
    weights = {
        name: torch.randn(shape) * (0.7 / max(np.prod(shape[1:]), 1) ** 0.5) for name, shape in shapes.items()
    }
    (folder / "config.json").write_text(json.dumps(CONFIG))
    torch.save({"generator": weights}, folder / "g_00000001")
    import_model(folder / "g_00000001", name="tiny")


def _make_presets(folder: Path) -> None:
    folder.mkdir()
    times_s = np.arange(FRAMES * HOP) / RATE
    tone = 0.4 * np.sin(2 * np.pi * (200 + 300 * times_s) * times_s)
    soundfile.write(folder / "tone.wav", tone, RATE, subtype="FLOAT")
    for name, params in (("plain", {}), ("slow", {"speed": 0.5})):
        preset = {
            "synthhost": "preset/1",
            "name": name,
            "model": "tiny",
            "source": {"kind": "tape", "tape": "tone.wav", "params": params},
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(preset))
    for name, rate, block in (("same", RATE, 256), ("small", RATE, 48), ("usual", 48000, 256)):
        whole = {
            "synthhost": "set/1",
            "name": name,
            "sample_rate": rate,
            "block_samples": block,
            "tracks": [{"name": "voice", "preset": "plain"}],
        }
        (folder / f"{name}-set.yaml").write_text(yaml.safe_dump(whole))
