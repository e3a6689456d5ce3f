"""Parallel WaveGAN in streaming blocks: noise by absolute sample, any chunking as whole, no needless wait."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import Package, manifest_for
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import CheckpointError, ConfigError, FeatureError
from synthhost.core.specs import MelSpec
from synthhost.families import parallel_wavegan
from synthhost.families.parallel_wavegan_hyper import ParallelWaveganHyper
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model, model_from
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import hop_samples, look_ahead_samples

SMALL: dict[str, Any] = {
    "bands": 4,
    "upsample_scales": [3, 2],
    "context_frames": 1,
    "layers": 4,
    "stacks": 2,
    "residual_channels": 4,
    "gate_channels": 6,
    "skip_channels": 3,
    "statistics": True,
}
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "over three bands, rectified": {"neighbours": 3, "upsample_slope": 0.4},
    "frames as they are": {"conv_in": False, "context_frames": 0},
    "without biases": {"bias": False},
}


def network(plain: dict[str, Any]) -> AnyBlock:
    torch.manual_seed(9)
    return parallel_wavegan.build(ParallelWaveganHyper.from_json(plain)).eval()


def frames(count: int, batch: int = 1) -> Tensor:
    return torch.randn(batch, 4, count, generator=torch.Generator().manual_seed(count))


def model(plain: dict[str, Any]) -> Model:
    hyper = ParallelWaveganHyper.from_json(plain)
    torch.manual_seed(10)
    shapes = parallel_wavegan.tensor_names(hyper)
    tensors = {name: 0.5 * torch.randn(shape) for name, shape in shapes.items()}
    tensors["stats.scale"] = torch.full((4,), 2.0)
    spec = MelSpec("kan-bayashi", 8000, 64, hyper.hop_samples, 64, 4, 0.0, 4000.0, "log10", 1e-10)
    read = ReadModel("test", "parallel-wavegan", hyper.as_json(), spec, tensors)
    return model_from(Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors))


@pytest.fixture(scope="module")
def made() -> Model:
    return model(SMALL)


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=12)
@given(count=st.integers(1, 15), cuts=st.lists(st.integers(0, 5), max_size=8))
def test_any_chunking_of_any_form_gives_the_offline_pass(
    in_pieces: Callable[..., Tensor], form: str, count: int, cuts: list[int]
) -> None:
    block = network({**SMALL, **FORMS[form]})
    x = frames(count)
    with torch.inference_mode():
        whole = block(x)
    assert whole.shape == (1, 1, count * 6)
    torch.testing.assert_close(in_pieces(block, x, cuts), whole, atol=2e-6, rtol=1e-5)


def test_look_ahead_of_the_published_network_is_derived() -> None:
    block = network({"bands": 80, "upsample_scales": [4, 4, 4, 4], "layers": 30, "residual_channels": 2,
                     "gate_channels": 2, "skip_channels": 1})  # fmt: skip
    layers = 3 * sum(2**n for n in range(10)) - 1  # the first layer looks ahead at noise alone
    smoothings = 64 * 4 + 16 * 4 + 4 * 4 + 4  # each sees one more sample of its input
    assert hop_samples(block) == 256
    assert look_ahead_samples(block) == 2 * 256 + smoothings + layers


@pytest.mark.parametrize("form", FORMS)
def test_look_ahead_measured_by_disturbance_is_the_derived_one(form: str) -> None:
    one = model({**SMALL, **FORMS[form]})
    assert look_ahead_by_disturbance(one) == one.spec.look_ahead_samples
    assert (one.spec.look_ahead_samples == 0) == (form == "causal")


def test_a_state_copied_on_the_way_goes_on_alike() -> None:
    block = network(SMALL)
    x = frames(20).transpose(1, 2)
    with torch.inference_mode():
        state = block.new_state()
        block.step(x[:, :9], state)
        copied = state.copy()
        block.step(x[:, :3], state)  # must not disturb the copy
        rest = block.finish(x[:, 9:], copied)
        whole = block.finish(x, block.new_state())
    torch.testing.assert_close(rest, whole[:, -rest.shape[1] :], atol=2e-6, rtol=1e-5)


def test_three_voices_in_one_batch_sound_as_three_alone() -> None:
    block = network(SMALL)
    x = frames(9, batch=3).transpose(1, 2)
    with torch.inference_mode():
        together = block.finish(x, block.new_state(3, SeededDraws((1, 2, 3))))
        alone = [
            block.finish(x[n : n + 1], block.new_state(1, SeededDraws.of(seed)))
            for n, seed in enumerate((1, 2, 3))
        ]
    torch.testing.assert_close(together, torch.cat(alone), atol=2e-6, rtol=1e-5)


def test_a_seed_is_a_performance_whatever_the_chunks(made: Model) -> None:
    mel = frames(12)[0].numpy()
    whole = made.render(mel, seed=3)
    np.testing.assert_allclose(made.render(mel, seed=3, chunk_frames=1), whole, atol=2e-6)
    assert np.abs(made.render(mel, seed=4) - whole).max() > 1e-2
    stream = made.stream(seed=4)
    stream.set_control("seed", 3.0)
    np.testing.assert_allclose(np.concatenate([stream.push(mel), stream.flush()]), whole, atol=2e-6)


def test_temperature_scales_the_noise(made: Model) -> None:
    mel = frames(12)[0].numpy()
    silent = made.render(mel, noise=np.zeros(12 * 6))
    np.testing.assert_allclose(made.render(mel, temperature=0.0), silent, atol=2e-6)
    tape = np.random.default_rng(1).standard_normal(12 * 6).astype(np.float32)
    halved = made.render(mel, noise=0.5 * tape)
    np.testing.assert_allclose(made.render(mel, noise=tape, temperature=0.5), halved, atol=2e-6)


def test_a_tape_that_ends_too_soon_is_refused(made: Model) -> None:
    with pytest.raises(FeatureError, match="noise"):
        made.render(frames(12)[0].numpy(), noise=np.zeros(12 * 6 - 1))


def test_weights_are_all_used_or_refused() -> None:
    hyper = ParallelWaveganHyper.from_json(SMALL)
    tensors = {name: torch.zeros(shape) for name, shape in parallel_wavegan.tensor_names(hyper).items()}
    assert tensors["upsample_net.smooth.0.weight"].shape == (1, 1, 7)
    generator = parallel_wavegan.build(hyper)
    parallel_wavegan.load_weights(generator, tensors)
    with pytest.raises(CheckpointError, match=r"no place for: conv_layers\.3\.conv1x1_out\.weight"):
        parallel_wavegan.load_weights(
            generator, {**tensors, "conv_layers.3.conv1x1_out.weight": torch.zeros(1)}
        )
    del tensors["conv_layers.2.conv1x1_aux.weight"]
    with pytest.raises(CheckpointError, match=r"lack .*conv_layers\.2\.conv1x1_aux\.weight"):
        parallel_wavegan.load_weights(generator, tensors)


def test_what_is_written_reads_back() -> None:
    for form in FORMS.values():
        hyper = ParallelWaveganHyper.from_json({**SMALL, **form})
        assert ParallelWaveganHyper.from_json(hyper.as_json()) == hyper


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"layers": 5}, r"5 layers cannot be shared out among 2"),
        ({"layers": 40, "stacks": 1}, r"40 in a stack reach a dilation beyond 16384"),
        ({"layers": 10**9}, r"layers: 1000000000 lies outside 1 to 128"),
        ({"residual_channels": 10**9}, r"residual_channels: 1000000000 lies outside"),
        ({"gate_channels": 5}, r"gate_channels: 5 cannot be halved"),
        ({"kernel_size": 4}, r"kernel_size: 4 must be odd"),
        ({"neighbours": 2}, r"neighbours: 2 must be odd"),
        ({"upsample_scales": [256, 256]}, r"65536 samples a frame; the most is 8192"),
        ({"upsample_scales": [0]}, r"0 lies outside 1 to 256"),
        ({"conv_in": False}, r"nothing takes them without conv_in"),
        ({"context_frames": 65}, r"context_frames: 65 lies outside 0 to 64"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        ParallelWaveganHyper.from_json({**SMALL, **change})
