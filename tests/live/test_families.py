"""Every family plays in one set at once, moved over OSC, and renders again to the bit."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

RATE = 8000


def mel(convention: str, hop_samples: int, log: str, floor: float) -> MelSpec:
    return MelSpec(convention, RATE, 512, hop_samples, 512, 12, 0.0, 4000.0, log, floor)  # type: ignore[arg-type]


_WAVENET = {
    "dilations": [1, 2, 4, 8],
    "kernel_size": 2,
    "residual_channels": 8,
    "gate_channels": 16,
    "skip_channels": 8,
    "head_channels": 8,
    "out_channels": 64,
    "scalar_input": False,
    "gate": "tanh-sigmoid",
    "residual_scale": 1.0,
    "skip": "sum",
    "condition_bias": False,
    "gin_channels": 0,
    "n_speakers": 0,
    "conditioning": {"kind": "none", "channels": 0, "scales": [64]},
    "output": {
        "distribution": "softmax",
        "levels": 63.0,
        "companding": 63.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 31.0,
    },
}
MODELS: dict[str, tuple[str, dict[str, Any], MelSpec | None, str]] = {  # family, shape, mel, kind of source
    "tiny-hifigan": (
        "hifigan",
        {
            "resblock": "2",
            "upsample_rates": [8, 4],
            "upsample_kernel_sizes": [16, 8],
            "upsample_initial_channel": 8,
            "resblock_kernel_sizes": [3],
            "resblock_dilation_sizes": [[1, 2]],
            "bands": 12,
        },
        mel("jik876", 32, "ln", 1e-5),
        "tape",
    ),
    "tiny-melgan": (
        "melgan",
        {
            "bands": 12,
            "channels": 8,
            "upsample_scales": [8, 4],
            "kernel_size": 7,
            "stack_kernel_size": 3,
            "stacks": 2,
            "bias": True,
            "silence": -5.0,
        },
        mel("descriptinc", 32, "log10", 1e-5),
        "tape",
    ),
    "tiny-wavegrad": (
        "wavegrad",
        {
            "variant": "lmnt",
            "bands": 12,
            "factors": [4, 4, 2],
            "mel_channels": 8,
            "up_channels": [8, 8, 8],
            "up_dilations": [[1, 2, 1, 2]] * 3,
            "down_channels": [4, 4, 8],
            "down_dilations": [[1, 2]] * 2,
            "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
        },
        mel("lmnt", 32, "log10", 1e-5),
        "tape",
    ),
    "tiny-diffwave": (
        "diffwave",
        {
            "variant": "lmnt",
            "bands": 12,
            "hop_samples": 256,
            "residual_channels": 8,
            "skip_channels": 8,
            "residual_layers": 4,
            "dilation_cycle_length": 2,
            "step_channels": [16, 16, 16],
            "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
            "fast_betas": [1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5],
        },
        mel("lmnt", 256, "log10", 1e-5),
        "tape",
    ),
    "tiny-wavenet": ("wavenet", _WAVENET, None, "free"),
    "tiny-samplernn": (
        "samplernn",
        {"frame_sizes": [4, 2], "n_rnn": 1, "dim": 8, "q_levels": 64},
        None,
        "free",
    ),
    "tiny-wavegan": (
        "wavegan",
        {
            "latent": 6,
            "positions": 4,
            "channels": [8, 4, 1],
            "kernels": [25, 25],
            "strides": [4, 4],
            "crops": [10, 10],
            "filter_taps": 0,
            "prior": "normal",
        },
        None,
        "clip",
    ),
    "tiny-ddsp": (
        "ddsp",
        {
            "sample_rate": RATE,
            "hop_samples": 32,
            "dimensions": 2,
            "width": 16,
            "depth": 2,
            "harmonics": 12,
            "noise_bands": 6,
            "release_s": 0.2,
            "lowest": 40.0,
            "highest": 80.0,
            "stretch": [-9.0, 0.0, 0.0, 0.0],
        },
        None,
        "notes",
    ),
}
TRACKS = {name: name.removeprefix("tiny-") for name in MODELS}


def save_tiny(name: str, library: Path) -> None:
    """Write one of the models with random weights as a package of a library."""
    kind_name, plain, spec, _ = MODELS[name]
    kind = family(kind_name)
    hyper = kind.hyper_from_json(plain)
    draw = torch.Generator().manual_seed(3)
    tensors = {}
    for key, shape in kind.tensor_names(hyper).items():
        summed = max(int(np.prod(shape[1:])), 1)
        tensors[key] = torch.randn(shape, generator=draw) * (0.8 / summed**0.5)
    read = ReadModel("random", kind_name, hyper.as_json(), spec, tensors, RATE)
    save_package(read, Origin(name, "CC0-1.0", "random weights for tests"), library / name)


@pytest.fixture(scope="module")
def ensemble(stage: Any) -> Any:
    """Put a set on the stage in which every family has a track."""
    for name, (_, _, _, source) in MODELS.items():
        save_tiny(name, stage.home / "models")
        stage.add_preset(name, name, "{}", kind=source, gain_db=-12.0)
        if source != "tape":  # the macro of the usual preset moves what only tapes have
            path = stage.presets / f"{name}.yaml"
            lines = [line for line in path.read_text().splitlines() if not line.startswith("macros")]
            path.write_text("\n".join(lines) + "\n")
    tracks = ", ".join(f"{{name: {track}, preset: {name}}}" for name, track in TRACKS.items())
    stage.add_set("ensemble", f"[{tracks}]")
    return stage


def test_all_play_at_once_under_osc_and_render_bit_equal(ensemble: Any, start: Any, tmp_path: Path) -> None:
    take, again = tmp_path / "take", tmp_path / "again"
    live = start("--set", "ensemble", "--record", str(take), "--ahead-ms", "300")
    rng = np.random.default_rng(2)
    for _ in range(12):
        for track in ("hifigan", "melgan", "wavegrad", "diffwave"):
            live.send(f"/track/{track}/param/speed", float(rng.uniform(-1, 1)))
        for track in ("wavenet", "samplernn", "diffwave", "wavegrad"):
            live.send(f"/track/{track}/param/temperature", float(rng.uniform(0, 1.2)))
        live.send("/track/wavegan/trigger", float(rng.uniform(0.3, 1.0)))
        live.send("/track/ddsp/note", float(rng.uniform(45, 70)), float(rng.uniform(0.3, 1.0)))
        live.send("/track/ddsp/param/bend", float(rng.uniform(-2, 2)))
        live.send("/track/*/pan", float(rng.uniform(-1, 1)))
        time.sleep(0.05)
    live.send("/track/wavenet/param/seed", 11)
    live.send("/track/wavegrad/model/steps", 4)
    live.until("/track/wavegrad/model/steps", 4)
    live.send("/track/diffwave/model/mode", "window")
    live.until("/track/diffwave/model/mode", "window")
    live.sync(3)
    status = live.status()
    assert live.stop() == 0, live.said()
    assert status["bad_samples"] == status["tap_drops"] == 0

    rendered = ensemble.run("render", str(take), "--out", str(again))
    assert rendered.returncode == 0, rendered.stderr
    done = [json.loads(line).get("do") for line in (take / "journal.jsonl").read_text().splitlines()]
    assert done.count("Activate") == 2, "both options that were asked for took their place"
    for track in TRACKS.values():
        heard, _ = soundfile.read(take / f"{track}-dry.wav", dtype="float32")
        assert np.abs(heard).max() > 1e-4, f"{track} is heard"
    for stem in [*(f"{track}-wet" for track in TRACKS.values()), "master"]:
        heard, _ = soundfile.read(take / f"{stem}.wav", dtype="float32", always_2d=True)
        rerun, _ = soundfile.read(again / f"{stem}.wav", dtype="float32", always_2d=True)
        assert np.array_equal(heard, rerun), f"{stem} differs"
