"""DiffWave in streaming blocks is the published network, step for step, with every quirk of its two kinds."""

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
from synthhost.families import diffwave
from synthhost.families.diffwave_hyper import DiffwaveHyper, free_hop_samples
from synthhost.families.noise_schedule import linear, trained_steps
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.graph import GraphBuilder
from synthhost.streaming.noise import Noise
from synthhost.streaming.repeat import Clock
from synthhost.streaming.timing import look_ahead_samples

REFERENCE = Path(
    os.environ.get("SYNTHHOST_REFERENCE", Path(__file__).resolve().parents[3] / "shared" / "reference")
)
OPTIONS = {"schedule": "fast", "steps": 0, "mode": "exact", "window_samples": 0}
LMNT: dict[str, Any] = {
    "variant": "lmnt",
    "bands": 0,
    "hop_samples": 64,
    "residual_channels": 6,
    "skip_channels": 6,
    "residual_layers": 4,
    "dilation_cycle_length": 3,
    "step_channels": [8, 10, 12],
    "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
    "fast_betas": [1e-4, 0.01, 0.5],
}
KINDS = {
    "lmnt": LMNT,
    "lmnt-mel": {**LMNT, "bands": 5, "hop_samples": 256},
    "philsyn": {**LMNT, "variant": "philsyn", "skip_channels": 4},
}


def filled(hyper: DiffwaveHyper) -> tuple[diffwave.Diffwave, dict[str, Tensor]]:
    """Return a network of random weights, and the weights by their published names."""
    torch.manual_seed(2)
    tensors = {
        name: torch.randn(shape) / math.sqrt(max(1, math.prod(shape[1:])))
        for name, shape in diffwave.tensor_names(hyper).items()
    }
    network = diffwave.build(hyper)
    diffwave.load_weights(network, tensors)
    return network, tensors


def denoiser(network: diffwave.Diffwave, told: float) -> AnyBlock:
    """Return the graph of one step alone: row 0 of the noise is its noisy sound."""
    graph = GraphBuilder(network.hyper.bands)
    clock = graph.add("clock", Clock(network.hyper.hop_samples), graph.input)
    noisy = graph.add("noisy", Noise(0), clock)
    return graph.build(network.lay(graph, "net", told, noisy, network.lay_condition(graph))[0])


def played(block: AnyBlock, mel: Tensor, tape: Any) -> Tensor:
    """Run a graph over frames `[bands, frames]` with a tape `[rows, samples]`; return `[samples]`."""
    with torch.inference_mode():
        return block.finish(mel.T[None], block.new_state(1, TapeDraws.of(tape, None)))[0, :, 0]


def published(t: dict[str, Tensor], hyper: DiffwaveHyper, told: float, noisy: Tensor, mel: Tensor) -> Tensor:
    """Compute the network by the paper and the two implementations, `[samples]` to `[samples]`."""
    philsyn, width = hyper.variant == "philsyn", hyper.residual_channels

    def conv(name: str, x: Tensor, dilation: int = 1) -> Tensor:
        w = t[f"{name}.weight"]
        return F.conv1d(x, w, t[f"{name}.bias"], dilation=dilation, padding=dilation * (w.shape[2] // 2))

    def linear_layer(name: str, x: Tensor) -> Tensor:
        return F.linear(x, t[f"{name}.weight"], t[f"{name}.bias"])

    embedded = diffwave.step_sines(told, hyper)
    for name in ("projection1", "projection2"):
        embedded = F.silu(linear_layer(f"diffusion_embedding.{name}", embedded))
    condition = mel[None, None]
    for name in ("conv1", "conv2") if hyper.bands else ():
        w, b = (t[f"spectrogram_upsampler.{name}.{leaf}"] for leaf in ("weight", "bias"))
        condition = F.leaky_relu(F.conv_transpose2d(condition, w, b, (1, 16), (1, 8)), 0.4)
    x, skips = F.relu(conv("input_projection", noisy[None, None])), torch.zeros(())
    for i in range(hyper.residual_layers):
        layer = f"residual_layers.{i}"
        y = x + linear_layer(f"{layer}.diffusion_projection", embedded)[None, :, None]
        x = y if philsyn else x
        y = conv(f"{layer}.dilated_conv", y, 2 ** (i % hyper.dilation_cycle_length))
        if hyper.bands:
            y = y + conv(f"{layer}.conditioner_projection", condition[:, 0])
        one, other = y.chunk(2, 1)
        gated = torch.tanh(one) * torch.sigmoid(other) if philsyn else torch.sigmoid(one) * torch.tanh(other)
        y = conv(f"{layer}.output_projection", gated)
        x, skips = (x + y[:, :width]) / math.sqrt(2), skips + y[:, width:]
    y = F.relu(conv("skip_projection", skips / math.sqrt(hyper.residual_layers)))
    return conv("output_projection", y)[0, 0]


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("told", [0.0, 7.0, 13.4])
def test_one_step_is_the_published_network(kind: str, told: float) -> None:
    hyper = DiffwaveHyper.from_json(KINDS[kind])
    network, tensors = filled(hyper)
    mel, noisy = torch.randn(hyper.bands, 3), torch.randn(3 * hyper.hop_samples)
    found = played(denoiser(network, told), mel, noisy.numpy())
    torch.testing.assert_close(found, published(tensors, hyper, told, noisy, mel), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", list(KINDS))
def test_the_steps_follow_the_published_samplers(kind: str) -> None:
    hyper = DiffwaveHyper.from_json(KINDS[kind])
    network, tensors = filled(hyper)
    betas = np.array(hyper.fast_betas)
    mel, tape = torch.randn(hyper.bands, 2), torch.randn(len(betas), 2 * hyper.hop_samples)
    alphas, energy = 1 - betas, np.cumprod(1 - betas)
    told = trained_steps(tuple(betas), hyper.training_betas)
    sound = tape[0]
    for row, n in enumerate(reversed(range(len(betas))), 1):
        found = published(tensors, hyper, float(np.float32(told[n])), sound, mel)
        sound = (sound - found * betas[n] / math.sqrt(1 - energy[n])) / math.sqrt(alphas[n])
        if n:
            sound = sound + tape[row] * math.sqrt((1 - energy[n - 1]) / (1 - energy[n]) * betas[n])
        if hyper.variant == "lmnt":
            sound = sound.clamp(-1, 1)
    found = played(diffwave.play(network, OPTIONS), mel, tape.numpy())
    torch.testing.assert_close(found, sound, atol=2e-5, rtol=1e-4)


def test_only_philsyns_sound_exceeds_full_scale() -> None:
    tape = np.random.default_rng(0).standard_normal((3, 640))
    for kind, beyond in (("lmnt", False), ("philsyn", True)):
        network, _ = filled(DiffwaveHyper.from_json(KINDS[kind]))
        sound = played(diffwave.play(network, OPTIONS), torch.zeros(0, 10), tape)
        assert (float(sound.abs().max()) > 1.0) == beyond


def test_a_step_between_two_is_told_as_a_mix_of_both() -> None:
    hyper = DiffwaveHyper.from_json(LMNT)
    low, high = diffwave.step_table([12, 13], 8)
    torch.testing.assert_close(diffwave.step_sines(12.25, hyper), 0.75 * low + 0.25 * high)
    assert torch.equal(diffwave.step_sines(12.0, hyper), low)


def test_the_table_of_steps_is_float32s_and_not_the_true_one() -> None:
    steps, places = np.arange(50.0)[:, None], np.arange(64.0)
    angles = steps * 10.0 ** (places * 4.0 / 63.0)
    exact = np.concatenate((np.sin(angles), np.cos(angles)), 1)
    assert 1e-3 < np.abs(diffwave.step_table(range(50), 128).numpy() - exact).max() < 0.1


def test_look_ahead_is_that_of_the_published_shapes() -> None:
    shape = {"residual_layers": 30, "dilation_cycle_length": 10, "bands": 4, "hop_samples": 256}
    network, _ = filled(DiffwaveHyper.from_json({**LMNT, **shape}))
    block = diffwave.play(network, {**OPTIONS, "steps": 6})
    assert look_ahead_samples(block) == 6 * 3069 + 136 - 1  # frames are first heard behind the first layer


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variant": "other"}, "variant: expected one of lmnt, philsyn"),
        ({"residual_channels": 10**9}, "residual_channels: 1000000000 lies outside"),
        ({"residual_channels": 4096, "residual_layers": 128}, "numbers together"),
        ({"residual_layers": 0}, "residual_layers: 0 lies outside"),
        ({"dilation_cycle_length": 60}, "dilation_cycle_length: 60 lies outside"),
        ({"step_channels": [7, 8, 8]}, "give an even number"),
        ({"step_channels": [8, 8]}, "give three numbers"),
        ({"bands": 5}, "mel frames become 256 samples"),
        ({"bands": 5, "variant": "philsyn"}, "takes no mel frames"),
        ({"training_betas": None}, "training_betas: expected a list of betas"),
        ({"training_betas": [0.1] * 2000}, "training_betas: 2000 betas"),
        ({"training_betas": {"first": 0.1, "last": 0.2, "count": 10**9}}, "count is 1000000000"),
        ({"fast_betas": [0.1, 2.0]}, "fast_betas: beta 1 is 2.0"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        DiffwaveHyper.from_json({**LMNT, **change})


def test_every_tensor_is_used() -> None:
    network, tensors = filled(DiffwaveHyper.from_json(KINDS["lmnt-mel"]))
    for change in ({"extra.weight": torch.zeros(1)}, {"skip_projection.bias": torch.zeros(3)}):
        with pytest.raises(CheckpointError, match="hold tensors"):
            diffwave.load_weights(network, {**tensors, **change})
    del tensors["spectrogram_upsampler.conv2.bias"]
    with pytest.raises(CheckpointError, match=r"lack tensors.*spectrogram_upsampler\.conv2\.bias"):
        diffwave.load_weights(network, tensors)


def test_clips_are_whole_frames() -> None:
    assert [free_hop_samples(clip) for clip in (16000, 2000, 110250, 2048, 127)] == [64, 50, 63, 64, 1]


def reference(name: str) -> tuple[Path, diffwave.Diffwave, dict[str, Any]]:
    """Return a folder of reference vectors, its network, and what it says of itself."""
    folder = REFERENCE / name
    if not folder.is_dir():
        pytest.skip(f"no reference vectors at {folder} (set SYNTHHOST_REFERENCE)")
    about = json.loads((folder / "about.json").read_text())
    read = read_model(folder / about["checkpoint_files"][0])
    network = diffwave.build(DiffwaveHyper.from_json(read.hyper))
    diffwave.load_weights(network, read.tensors)
    return folder, network, about


def mel_of(folder: Path, network: diffwave.Diffwave, samples: int) -> Tensor:
    if not network.hyper.bands:
        return torch.zeros(0, samples // network.hyper.hop_samples)
    return torch.from_numpy(np.load(folder / "mel.npy"))


@pytest.mark.reference
@pytest.mark.parametrize("name", ["diffwave-lmnt-cond", "diffwave-lmnt-uncond", "diffwave-philsyn-T16"])
def test_the_noise_found_is_the_published_one(name: str) -> None:
    folder, network, about = reference(name)
    noisy, expected = (np.load(folder / f"{array}.npy") for array in ("noisy_audio", "eps"))
    noisy, expected = (array.reshape(len(array), -1) for array in (noisy, expected))
    mel = mel_of(folder, network, noisy.shape[1])
    whole = []
    for row, told in enumerate(np.load(folder / "diffusion_steps.npy").ravel()):
        found = played(denoiser(network, float(told)), mel, noisy[row]).numpy()
        np.testing.assert_allclose(found, expected[row], atol=about["tolerance"]["eps"], rtol=0)
        whole += [found] if told == int(told) else []
    if (folder / "eps_int.npy").is_file():  # the same, the whole steps passed as such
        integers = np.load(folder / "eps_int.npy")
        np.testing.assert_allclose(whole, integers, atol=about["tolerance"]["eps_int"], rtol=0)


@pytest.mark.reference
@pytest.mark.parametrize("name", ["diffwave-lmnt-cond", "diffwave-lmnt-uncond"])
def test_steps_and_table_are_the_published_ones(name: str) -> None:
    folder, network, about = reference(name)
    hyper = network.hyper
    table = diffwave.step_table(range(len(hyper.training_betas)), hyper.step_channels[0])
    np.testing.assert_allclose(table.numpy(), np.load(folder / "step_table.npy"), atol=1e-6, rtol=0)
    if (folder / "T_steps.npy").is_file():
        told = trained_steps(hyper.fast_betas, hyper.training_betas)
        np.testing.assert_allclose(told, np.load(folder / "T_steps.npy"), atol=1e-5, rtol=0)
    assert hyper.training_betas == linear(1e-4, 0.05, 50)
    tape, states = np.load(folder / "noise_tape.npy")[:, 0], np.load(folder / "steps.npy")[:, 0]
    steps = diffwave.sampler_steps(hyper, hyper.fast_betas)
    for taken in (1, 3):
        graph = GraphBuilder(hyper.bands)
        clock = graph.add("clock", Clock(hyper.hop_samples), graph.input)
        block = graph.build(diffwave.lay_steps(network, graph, clock, steps[:taken]))
        found = played(block, mel_of(folder, network, tape.shape[1]), tape[: taken + 1]).numpy()
        np.testing.assert_allclose(found, states[taken - 1], atol=about["tolerance"]["audio"], rtol=0)


@pytest.mark.reference
def test_philsyns_schedule_is_the_published_one() -> None:
    folder, network, _ = reference("diffwave-philsyn-T16")
    beta, alpha, energy, sigma = np.load(folder / "schedule.npy").astype(np.float64)
    updates = [step.update for step in diffwave.sampler_steps(network.hyper, network.hyper.training_betas)]
    expected = np.stack([1 / np.sqrt(alpha), (1 - alpha) / np.sqrt(1 - energy) / np.sqrt(alpha), sigma], 1)
    found = np.array([(update.signal, update.found, update.noise) for update in updates[::-1]])
    np.testing.assert_allclose(found[1:], expected[1:], atol=1e-6, rtol=1e-5)
    np.testing.assert_allclose(found[0, :2], expected[0, :2], atol=1e-6, rtol=1e-5)
    assert found[0, 2] == 0.0  # the last step adds none, though its sigma is not 0
    np.testing.assert_allclose(network.hyper.training_betas, beta, rtol=1e-6)
