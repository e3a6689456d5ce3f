"""Diffusions learn as they are played: the noise found row by row is what the streaming graph finds."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from synthhost.core.draws import TapeDraws
from synthhost.core.note_frames import measuring_frames
from synthhost.core.options import settled
from synthhost.families.note_input import NoteInput, lay_note_rows
from synthhost.families.sampler import Ancestral
from synthhost.streaming.channels import Channels
from synthhost.streaming.graph import GraphBuilder
from synthhost.train.diffusion_task import FINDERS
from synthhost.train.noise_finder import NoiseFinder

HOP, FRAMES = 12, 20
NOTES: dict[str, Any] = {
    "sample_rate": 16000,
    "hop_samples": HOP,
    "dimensions": 2,
    "release_s": 0.1,
    "lowest": 40.0,
    "highest": 80.0,
    "voices": 2,
    "harmonics": 6,
    "hidden": 7,
    "width": 3,
    "settled_s": 1.0,
}
SHAPE = NoteInput.from_json(NOTES)
COMMON: dict[str, Any] = {"variant": "lmnt", "bands": SHAPE.notes.bands, "notes": NOTES}
PLAIN: dict[str, dict[str, Any]] = {
    "diffwave": {
        **COMMON,
        "hop_samples": HOP,
        "residual_channels": 4,
        "skip_channels": 5,
        "residual_layers": 4,
        "dilation_cycle_length": 3,
        "step_channels": [8, 6, 10],
        "training_betas": {"first": 1e-4, "last": 0.05, "count": 50},
    },
    "wavegrad": {
        **COMMON,
        "factors": [3, 2, 2],
        "mel_channels": 6,
        "up_channels": [4, 6, 4],
        "up_dilations": [[1, 2, 1, 2], [1, 2, 1, 2], [1, 2, 4, 8]],
        "down_channels": [4, 6, 4],
        "down_dilations": [[1, 2, 4], [1, 2]],
        "training_betas": {"first": 1e-6, "last": 0.01, "count": 1000},
    },
}


def finder_of(family: str, **changed: Any) -> NoiseFinder:
    torch.manual_seed(4)
    return FINDERS[family]({**PLAIN[family], **changed}).eval()


def by_the_graph(finder: NoiseFinder, noisy: Any, level: float, frames: Any) -> Any:
    """Return the noise that DiffWave's streaming graph finds in one sound."""
    network, rows = finder.network, GraphBuilder(SHAPE.notes.bands)
    made = rows.build(lay_note_rows(rows, SHAPE, network.layers))(frames)
    graph = GraphBuilder(1 + made.shape[1])
    signal = graph.add("signal", Channels(0, 1, of=1 + made.shape[1]), graph.input)
    beside = graph.add("rows", Channels(1, 1 + made.shape[1], of=1 + made.shape[1]), graph.input)
    found, _ = network.lay(graph, "net", level, signal, beside)
    return graph.build(found)(torch.cat((noisy[:, None], made), 1))[:, 0]


def by_one_step(finder: NoiseFinder, noisy: Any, level: float, frames: Any) -> Any:
    """Return the noise that WaveGrad's sampler finds in its only step, from what it takes away."""
    beta = 1.0 - level**2
    options = settled(finder.family.options, {"schedule": repr(beta)}, "test")
    sampler: Any = finder.family.play(finder.network, options)
    state = sampler.new_state(1, TapeDraws.of(noisy.numpy(), None))
    cleaner = sampler.step(frames.transpose(1, 2).contiguous(), state)[:, :, 0]
    assert cleaner.abs().max() < 1.0, "nothing was clamped"
    return (noisy - cleaner * level) / np.sqrt(beta)


@pytest.mark.parametrize("family", PLAIN)
def test_rows_find_what_the_streaming_graph_finds(family: str) -> None:
    finder = finder_of(family)
    rng = np.random.default_rng(0)
    levels = finder.spread(4)[:3]
    one = by_the_graph if family == "diffwave" else by_one_step
    notes = measuring_frames(SHAPE.notes, 16000, HOP, FRAMES)
    frames = torch.from_numpy(notes)[None].expand(3, -1, -1)
    noisy = torch.from_numpy(0.05 * rng.standard_normal((3, FRAMES * HOP)).astype(np.float32))
    with torch.no_grad():
        if family == "wavegrad":
            finder.network["last_conv"].weight.mul_(0.03)  # its sampler clamps
        together = finder(noisy, torch.from_numpy(levels), frames)
        for row, level in enumerate(levels):
            alone = one(finder, noisy[row : row + 1], float(level), frames[:1])
            np.testing.assert_allclose(together[row].numpy(), alone[0].numpy(), atol=2e-5)


@pytest.mark.parametrize("emphasis", [None, {"coefficient": 0.9, "gain": 2.0}])
@pytest.mark.parametrize(
    ("family", "changed"), [("diffwave", {}), ("wavegrad", {}), ("wavegrad", {"finds": "sound"})]
)
def test_a_sampler_that_learns_is_the_one_that_plays(
    family: str, changed: dict[str, Any], emphasis: dict[str, float] | None
) -> None:
    finder = finder_of(family, emphasis=emphasis, **changed)
    notes = measuring_frames(SHAPE.notes, 16000, HOP, FRAMES)
    frames = torch.from_numpy(notes)[None]
    rng = np.random.default_rng(5)
    for count in (2, 4, 6):
        noise = 0.3 * rng.standard_normal((count, FRAMES * HOP)).astype(np.float32)
        options = settled(finder.family.options, {"steps": count}, "x")
        sampler: Any = finder.family.play(finder.network, options)
        with torch.no_grad():
            learned = finder.sampled(frames, torch.from_numpy(noise)[None])[0].numpy()
            state = sampler.new_state(1, TapeDraws.of(noise, None))
            played = sampler.finish(frames.transpose(1, 2), state)[0, :, 0].numpy()
        assert np.abs(played).max() > 1e-3
        np.testing.assert_allclose(learned, played, atol=2e-4 * np.abs(played).max())


@pytest.mark.parametrize("family", PLAIN)
def test_noise_and_what_is_left_of_a_sound_keep_the_energy(family: str) -> None:
    finder, rng = finder_of(family), np.random.default_rng(1)
    sound, noise = (torch.from_numpy(rng.standard_normal((64, 500)).astype(np.float32)) for _ in range(2))
    level = torch.from_numpy(finder.drawn(rng, 64))
    noisy = finder.noised(sound, level, noise)
    np.testing.assert_allclose(noisy.square().mean().item(), 1.0, atol=0.05)
    clean, last = (
        finder.noised(sound, torch.from_numpy(finder.spread(64)[[n] * 64]), noise) for n in (0, -1)
    )
    assert (clean - sound).square().mean() < 0.01
    assert (last - sound).square().mean() > 0.1


@pytest.mark.parametrize("family", PLAIN)
def test_every_weight_learns_and_is_kept_by_its_published_name(family: str) -> None:
    finder = finder_of(family)
    frames = torch.from_numpy(measuring_frames(SHAPE.notes, 16000, HOP, FRAMES))[None]
    noisy = torch.randn(1, FRAMES * HOP, generator=torch.Generator().manual_seed(0))
    finder(noisy, torch.from_numpy(finder.spread(1)), frames).square().mean().backward()
    still = [name for name, one in finder.named_parameters() if one.grad is None]
    assert not still
    hyper = finder.family.hyper_from_json(PLAIN[family])
    kept = {name: tuple(one.shape) for name, one in finder.tensors().items()}
    assert kept == finder.family.tensor_names(hyper)


def test_what_finds_the_sound_is_sampled_as_what_finds_the_noise_beside_it() -> None:
    """Whatever a network's noise is, the other network finds the sound that goes with it."""
    rng = np.random.default_rng(3)
    signal, noise = rng.standard_normal((2, 100))
    of_noise, of_sound = (finder_of("wavegrad", finds=one).steps(4) for one in ("noise", "sound"))
    for one, other in zip(of_noise, of_sound, strict=True):
        assert isinstance(one.update, Ancestral)
        assert isinstance(other.update, Ancestral)
        assert (one.told, one.update.noise) == (other.told, other.update.noise)
        sound = (signal - math.sqrt(1.0 - one.told**2) * noise) / one.told
        made = one.update.signal * signal - one.update.found * noise
        same = other.update.signal * signal - other.update.found * sound
        np.testing.assert_allclose(made, same, atol=1e-4)
