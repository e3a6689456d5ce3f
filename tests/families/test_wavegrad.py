"""WaveGrad in streaming blocks is the published network, step for step, with every quirk of its two kinds."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from synthhost.checkpoints.importing import read_model
from synthhost.core.draws import TapeDraws
from synthhost.core.errors import CheckpointError, ConfigError
from synthhost.families import wavegrad
from synthhost.families.noise_schedule import Betas, kept
from synthhost.families.sampler import posterior
from synthhost.families.wavegrad_hyper import WavegradHyper
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.graph import GraphBuilder
from synthhost.streaming.noise import Noise
from synthhost.streaming.repeat import Clock
from synthhost.streaming.timing import look_ahead_samples

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
OPTIONS = {"schedule": "fast", "steps": 0, "mode": "exact", "window_samples": 0}
BETAS: Betas = (7e-6, 0.0021, 0.35, 0.7)
LMNT: dict[str, Any] = {
    "variant": "lmnt",
    "bands": 5,
    "factors": [5, 3, 2],
    "mel_channels": 6,
    "up_channels": [4, 6, 8],
    "up_dilations": [[1, 2, 1, 2], [1, 2, 1, 2], [1, 2, 4, 8]],
    "down_channels": [4, 6, 4],
    "down_dilations": [[1, 2, 4], [1, 2]],
    "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
}
PUBLISHED = {
    "factors": [5, 5, 3, 2, 2],
    "up_channels": [4] * 5,
    "up_dilations": [[1, 2, 1, 2]] * 2 + [[1, 2, 4, 8]] * 3,
    "down_channels": [4] * 5,
    "down_dilations": [[1, 2, 4]] * 4,
}
VARIANTS = ["lmnt", "ivanvovk"]


def filled(change: dict[str, Any]) -> tuple[wavegrad.Wavegrad, dict[str, Tensor]]:
    """Return a network of random weights, and the weights by their published names."""
    hyper = WavegradHyper.from_json({**LMNT, **change})
    torch.manual_seed(2)
    tensors = {
        name: torch.randn(shape) / math.sqrt(math.prod(shape[1:]))
        for name, shape in wavegrad.tensor_names(hyper).items()
    }
    network = wavegrad.build(hyper)
    wavegrad.load_weights(network, tensors)
    return network, tensors


def denoiser(network: wavegrad.Wavegrad, told: float) -> AnyBlock:
    """Return the graph of one step alone: row 0 of the noise is its noisy sound."""
    graph = GraphBuilder(network.hyper.bands)
    clock = graph.add("clock", Clock(network.hyper.hop_samples), graph.input)
    noisy = graph.add("noisy", Noise(0), clock)
    return graph.build(network.lay(graph, "net", told, noisy, network.lay_condition(graph)[0]))


def played(block: AnyBlock, mel: Tensor, tape: Any) -> Tensor:
    """Run a graph over frames `[bands, frames]` with a tape `[rows, samples]`; return `[samples]`."""
    with torch.inference_mode():
        return block.finish(mel.T[None], block.new_state(1, TapeDraws.of(tape, None)))[0, :, 0]


def published(t: dict[str, Tensor], hyper: WavegradHyper, told: float, noisy: Tensor, mel: Tensor) -> Tensor:
    """Compute the network by the paper and the two implementations, `[samples]` to `[samples]`."""
    linear = hyper.variant == "ivanvovk"

    def conv(name: str, x: Tensor, dilation: int = 1) -> Tensor:
        w = t[f"{name}.weight"]
        return F.conv1d(x, w, t[f"{name}.bias"], dilation=dilation, padding=dilation * (w.shape[2] // 2))

    def resized(x: Tensor, size: int) -> Tensor:
        mode, corners = ("linear", False) if linear else ("nearest", None)
        return F.interpolate(x, size=size, mode=mode, align_corners=corners)

    def film(i: int, x: Tensor) -> list[Tensor]:
        x = F.leaky_relu(conv(f"film.{i}.input_conv", x), 0.2)
        half = x.shape[1] // 2
        angles = (5000.0 if linear else 1.0) * told * 1e-4 ** (torch.arange(half) / half)
        x = x + torch.cat((angles.sin(), angles.cos()))[None, :, None]
        return list(conv(f"film.{i}.output_conv", x).chunk(2, 1))

    x = conv("downsample.0", noisy[None, None])
    films = [film(0, x)]
    for i, (factor, dilations) in enumerate(zip(hyper.factors[:0:-1], hyper.down_dilations, strict=True), 1):
        size = x.shape[2] // factor
        residual, x = resized(conv(f"downsample.{i}.residual_dense", x), size), resized(x, size)
        for n, dilation in enumerate(dilations):
            x = conv(f"downsample.{i}.conv.{n}", F.leaky_relu(x, 0.2), dilation)
        x = x + residual
        films.append(film(i, x))
    x = conv("first_conv", mel[None])
    for i, (factor, dilations) in enumerate(zip(hyper.factors, hyper.up_dilations, strict=True)):
        shift, scale = films[-1 - i]
        size, block = x.shape[2] * factor, f"upsample.{i}"
        y = conv(f"{block}.block2.0", resized(F.leaky_relu(x, 0.2), size), dilations[0])
        y = conv(f"{block}.block2.1", F.leaky_relu(shift + scale * y, 0.2), dilations[1])
        x = resized(conv(f"{block}.block1", x), size) + y
        y = conv(f"{block}.block3.0", F.leaky_relu(shift + scale * x, 0.2), dilations[2])
        x = x + conv(f"{block}.block3.1", F.leaky_relu(shift + scale * y, 0.2), dilations[3])
    return conv("last_conv", x)[0, 0]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("told", [0.2, 0.999])
def test_one_step_is_the_published_network(variant: str, told: float) -> None:
    network, tensors = filled({"variant": variant})
    mel, noisy = torch.randn(5, 6), torch.randn(180)
    found = played(denoiser(network, told), mel, noisy.numpy())
    expected = published(tensors, network.hyper, told, noisy, mel)
    torch.testing.assert_close(found, expected, atol=3e-5, rtol=1e-3)


def test_the_steps_follow_lmnts_sampler() -> None:
    network, tensors = filled({"variant": "lmnt"})
    mel, tape, betas = torch.randn(5, 3), torch.randn(4, 90), np.array(BETAS)
    energy, sound = np.cumprod(1 - betas), tape[0]
    for row, n in enumerate(reversed(range(len(betas))), 1):
        found = published(tensors, network.hyper, math.sqrt(energy[n]), sound, mel)
        sound = (sound - found * betas[n] / math.sqrt(1 - energy[n])) / math.sqrt(1 - betas[n])
        if n:
            sound = sound + tape[row] * math.sqrt((1 - energy[n - 1]) / (1 - energy[n]) * betas[n])
        sound = sound.clamp(-1, 1)
    block = wavegrad.play(network, {**OPTIONS, "schedule": ",".join(map(repr, BETAS))})
    torch.testing.assert_close(played(block, mel, tape.numpy()), sound, atol=3e-5, rtol=1e-3)


def test_the_steps_follow_ivanvovks_sampler() -> None:
    network, tensors = filled({"variant": "ivanvovk"})
    mel, tape = torch.randn(5, 3), torch.randn(4, 90)
    beta = torch.tensor(BETAS)
    energy, sound = (1 - beta).cumprod(0), tape[0]
    for row, n in enumerate(reversed(range(len(BETAS))), 1):
        before = energy[n - 1] if n else torch.tensor(1.0)
        found = published(tensors, network.hyper, float(energy[n].sqrt()), sound, mel)
        clean = ((1 / energy[n]).sqrt() * sound - (1 / energy[n] - 1).sqrt() * found).clamp(-1, 1)
        mean = beta[n] * before.sqrt() * clean + (1 - before) * (1 - beta[n]).sqrt() * sound
        sound = mean / (1 - energy[n])
        if n:
            sound = sound + (beta[n] * (1 - before) / (1 - energy[n])).sqrt() * tape[row]
    block = wavegrad.play(network, {**OPTIONS, "schedule": ",".join(map(repr, BETAS))})
    torch.testing.assert_close(played(block, mel, tape.numpy()), sound, atol=1e-4, rtol=1e-3)


def test_ivanvovks_last_step_keeps_less_than_all_of_the_clean_sound() -> None:
    updates, levels = posterior((1e-6, 0.01, 0.1))
    assert updates[-1].clean == pytest.approx(0.987, abs=1e-3)  # float32 rounds 1 - 1e-6
    assert updates[-1].noise == 0.0
    assert levels == sorted(levels)


@pytest.mark.parametrize(("variant", "first", "further"), [("lmnt", 1138, 1140), ("ivanvovk", 1169, 1200)])
def test_look_ahead_is_that_of_the_published_shapes(variant: str, first: int, further: int) -> None:
    network, _ = filled({"variant": variant, **PUBLISHED})
    ahead = [look_ahead_samples(wavegrad.play(network, {**OPTIONS, "steps": n})) for n in (1, 2, 6)]
    assert ahead == [first, first + further, first + 5 * further]


@pytest.mark.parametrize("steps", [6, 7, 12, 25])
def test_as_many_steps_as_a_shipped_schedule_has_are_that_schedule(steps: int) -> None:
    folder = REFERENCE / "wavegrad-ivanvovk-6step" / "schedules"
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {REFERENCE} (set SYNTHHOST_REFERENCE)")
    network, _ = filled({})
    chosen = network.hyper.schedules.chosen("fast", steps)
    np.testing.assert_allclose(chosen, np.load(folder / f"{steps}iters.npy"), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variant": "other"}, "variant: expected one of lmnt, ivanvovk"),
        ({"mel_channels": 10**9}, "mel_channels: 1000000000 lies outside"),
        ({"factors": [5] * 9}, "factors: expected a list of 1 to 8"),
        ({"factors": [64, 64, 64]}, "262144 samples a frame"),
        ({"up_channels": [4096] * 3, "mel_channels": 4096}, "numbers together"),
        ({"up_channels": [4]}, "up_channels: 1 for 3 factors; give 3"),
        ({"down_channels": [4, 6, 5]}, r"down_channels: \[4, 6, 5\]; half of them"),
        ({"up_dilations": [[1, 2]] * 3}, "up_dilations: give 4 numbers"),
        ({"down_dilations": [[], [1]]}, "down_dilations: expected a list of 1 to"),
        ({"down_dilations": 3}, "down_dilations: expected one list"),
        ({"down_dilations": [[10**6], [1]]}, "down_dilations: 1000000 lies outside"),
        ({"training_betas": "linear"}, "training_betas: expected a list of betas"),
        ({"fast_betas": [0.1, 2.0]}, "fast_betas: beta 1 is 2.0"),
        ({"finds": "peace"}, "finds: expected one of noise, sound"),
        ({"finds": "sound", "variant": "ivanvovk"}, "only the variant lmnt finds the sound"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WavegradHyper.from_json({**LMNT, **change})


def test_a_model_can_have_a_short_schedule_of_its_own_and_find_the_sound() -> None:
    own = [1e-4, 0.01, 0.3]
    hyper = WavegradHyper.from_json({**LMNT, "fast_betas": own})
    assert hyper.schedules.chosen("fast", 0) == tuple(own)
    reached = kept(hyper.schedules.chosen("fast", 7))[-1]
    assert reached == pytest.approx(kept(tuple(own))[-1]), "as far in any number of steps"
    assert WavegradHyper.from_json(hyper.as_json()) == hyper
    finding = WavegradHyper.from_json({**LMNT, "finds": "sound"})
    assert WavegradHyper.from_json(finding.as_json()) == finding
    assert len(WavegradHyper.from_json(LMNT).schedules.chosen("fast", 0)) == 6


def test_every_tensor_is_used() -> None:
    network, tensors = filled({})
    with pytest.raises(CheckpointError, match=r"hold tensors.*extra\.weight"):
        wavegrad.load_weights(network, {**tensors, "extra.weight": torch.zeros(1)})
    del tensors["film.0.input_conv.bias"]
    with pytest.raises(CheckpointError, match=r"lack tensors.*film\.0\.input_conv\.bias"):
        wavegrad.load_weights(network, tensors)


def reference(name: str) -> tuple[Path, wavegrad.Wavegrad, dict[str, Any]]:
    """Return a folder of reference vectors, its network, and what it says of itself."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    about = json.loads((folder / "about.json").read_text())
    read = read_model(folder / about["checkpoint_files"][0])
    network = wavegrad.build(WavegradHyper.from_json(read.hyper))
    wavegrad.load_weights(network, read.tensors)
    return folder, network, about


@pytest.mark.reference
@pytest.mark.parametrize("name", ["wavegrad-lmnt-6step", "wavegrad-ivanvovk-6step"])
def test_the_noise_found_and_the_steps_are_the_published_ones(name: str) -> None:
    folder, network, about = reference(name)
    mel = torch.from_numpy(np.load(folder / "mel.npy")).reshape(network.hyper.bands, -1)
    noisy, expected = np.load(folder / "noisy_audio.npy"), np.load(folder / "eps.npy")
    for row, told in enumerate(np.load(folder / "noise_levels.npy").ravel()):
        found = played(denoiser(network, float(told)), mel, noisy[row]).numpy()
        np.testing.assert_allclose(found, expected[row], atol=about["tolerance"]["eps"], rtol=0)
    tape, states = np.load(folder / "noise_tape.npy")[:, 0], np.load(folder / "steps.npy")[:, 0]
    betas = tuple(np.load(folder / "noise_schedule.npy").astype(np.float64).tolist())
    graph = GraphBuilder(network.hyper.bands)
    clock = graph.add("clock", Clock(network.hyper.hop_samples), graph.input)
    steps = wavegrad.sampler_steps(network.hyper, betas)[:2]
    found = played(graph.build(wavegrad.lay_steps(network, graph, clock, steps)), mel, tape[:3]).numpy()
    np.testing.assert_allclose(found, states[1], atol=about["tolerance"]["audio"], rtol=0)
