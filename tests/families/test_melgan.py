"""MelGAN in streaming blocks: whole is any chunking, edges mirrored, and nothing is looked at too early."""

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
from synthhost.core.errors import CheckpointError, ConfigError, FeatureError
from synthhost.core.specs import MelSpec
from synthhost.families import melgan
from synthhost.families.melgan_hyper import MelganHyper
from synthhost.library.disturbance import look_ahead_by_disturbance
from synthhost.library.model import Model, model_from
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import (
    burst_samples,
    hop_samples,
    look_ahead_samples,
    receptive_frames,
)

SMALL: dict[str, Any] = {
    "bands": 4,
    "channels": 8,
    "upsample_scales": [3, 2],
    "kernel_size": 5,
    "stacks": 2,
    "statistics": True,
}
PUBLISHED: dict[str, Any] = {"bands": 80, "channels": 32, "upsample_scales": [8, 8, 2, 2]}
FORMS = {
    "mirrored": {},
    "replicated": {"edge": "replicate"},
    "silent": {"edge": "zeros"},
    "causal": {"causal": True},
    "causal, silent": {"causal": True, "edge": "zeros"},
    "bands": {"subbands": 3, "taps": 20},
    "causal bands": {"subbands": 3, "taps": 20, "causal": True},
}


def network(plain: dict[str, Any]) -> AnyBlock:
    torch.manual_seed(7)
    generator = melgan.build(MelganHyper.from_json(plain))
    return melgan.play(generator, {"tail_frames": plain.get("tail", 0)}).eval()


def frames(count: int, batch: int = 1, bands: int = 4) -> Tensor:
    return torch.randn(batch, bands, count, generator=torch.Generator().manual_seed(count))


def shortest(block: AnyBlock) -> int:
    """Return the fewest frames that have an output: edges are mirrored inside."""
    for count in range(1, 60):
        try:
            block.total(count)
        except FeatureError:
            continue
        return count
    raise AssertionError("no length has an output")


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=12)
@given(extra=st.integers(0, 20), cuts=st.lists(st.integers(0, 7), max_size=8), tail=st.integers(0, 3))
def test_any_chunking_of_any_form_gives_the_offline_pass(
    in_pieces: Callable[..., Tensor], form: str, extra: int, cuts: list[int], tail: int
) -> None:
    block = network({**SMALL, **FORMS[form], "tail": tail})
    x = frames(shortest(block) + extra, batch=2)
    with torch.inference_mode():
        whole = block(x)
    assert whole.shape == (2, 1, x.shape[2] * hop_samples(block))
    torch.testing.assert_close(in_pieces(block, x, cuts), whole, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize("form", FORMS)
def test_too_short_a_stream_is_refused_whole_and_in_pieces(form: str) -> None:
    block = network({**SMALL, **FORMS[form]})
    for count in range(1, shortest(block)):
        x = frames(count)
        with torch.inference_mode(), pytest.raises(FeatureError, match="too short"):
            block(x)
        with torch.inference_mode(), pytest.raises(FeatureError, match="too short"):
            block.finish(x.transpose(1, 2), block.new_state())


@pytest.mark.parametrize("form", ["mirrored", "causal", "bands"])
def test_a_state_copied_on_the_way_goes_on_alike(form: str) -> None:
    block = network({**SMALL, **FORMS[form]})
    x = frames(30).transpose(1, 2)
    with torch.inference_mode():
        state = block.new_state()
        block.step(x[:, :13], state)
        copied = state.copy()
        block.step(x[:, :5], state)  # must not disturb the copy
        rest = block.finish(x[:, 13:], copied)
        whole = block(x.transpose(1, 2)).transpose(1, 2)
    torch.testing.assert_close(rest, whole[:, -rest.shape[1] :], atol=2e-6, rtol=1e-5)


def test_three_voices_in_one_batch_sound_as_three_alone() -> None:
    block = network({**SMALL, **FORMS["causal bands"]})
    x = frames(20, batch=3).transpose(1, 2)
    with torch.inference_mode():
        together = block.finish(x, block.new_state(3))
        alone = torch.cat([block.finish(one[None], block.new_state()) for one in x])
    torch.testing.assert_close(together, alone, atol=2e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("change", "samples", "seen"),
    [({}, 1425, 13), ({"stacks": 4}, 2478, 21), ({"causal": True, "edge": "zeros"}, 0, None)],
)
def test_look_ahead_and_receptive_field_are_those_of_the_published_networks(
    change: dict[str, Any], samples: int, seen: int | None
) -> None:
    block = network({**PUBLISHED, **change})
    assert hop_samples(block) == 256
    assert look_ahead_samples(block) == samples
    assert seen is None or receptive_frames(block) == seen


def model(plain: dict[str, Any]) -> Model:
    hyper = MelganHyper.from_json(plain)
    torch.manual_seed(8)
    tensors = {name: 0.3 * torch.randn(shape) for name, shape in melgan.tensor_names(hyper).items()}
    tensors["stats.scale"] = torch.full((4,), 2.0)
    spec = MelSpec("kan-bayashi", 8000, 64, hyper.hop_samples, 64, 4, 0.0, 4000.0, "log10", 1e-10)
    read = ReadModel("test", "melgan", hyper.as_json(), spec, tensors)
    return model_from(Package(manifest_for(read, Origin("small", "CC0", "test"), "0" * 64), tensors))


@pytest.mark.parametrize("form", FORMS)
def test_look_ahead_measured_by_disturbance_is_the_derived_one(form: str) -> None:
    made = model({**SMALL, **FORMS[form]})
    assert look_ahead_by_disturbance(made) == made.spec.look_ahead_samples
    assert (made.spec.look_ahead_samples == 0) == (form in ("causal", "causal, silent"))


def test_a_causal_network_that_mirrors_its_start_gives_it_at_once() -> None:
    made = model({**SMALL, **FORMS["causal"]})
    assert made.spec.burst_samples == burst_samples(made.playable.timed) > 0
    mel = frames(30)[0].numpy()
    stream = made.stream()
    pieces = [stream.push(mel[:, at : at + 1]) for at in range(30)]
    assert max(map(len, pieces)) == made.spec.burst_samples + made.spec.hop_samples
    np.testing.assert_allclose(np.concatenate([*pieces, stream.flush()]), made.render(mel), atol=2e-6)


def test_the_shortest_stream_of_a_causal_network_is_rendered_whole() -> None:
    made = model({**SMALL, **FORMS["causal bands"]})
    fewest = shortest(made.playable.timed)
    assert made.render(frames(fewest)[0].numpy()).shape == (fewest * 18,)


def test_silence_after_the_end_is_computed_and_dropped() -> None:
    made = model({**SMALL, "silence": -10.0})
    mel = frames(12)[0].numpy()
    longer = np.pad(mel, ((0, 0), (0, 5)), constant_values=-10.0)
    sound = made.with_options(tail_frames=5).render(mel)
    np.testing.assert_allclose(sound, made.render(longer)[: 12 * 6], atol=2e-6)
    with pytest.raises(ConfigError, match="tail_frames: 200 lies outside"):
        made.with_options(tail_frames=200)


def test_weights_are_all_used_or_refused() -> None:
    hyper = MelganHyper.from_json({**SMALL, "bias": False})
    tensors = {name: torch.zeros(shape) for name, shape in melgan.tensor_names(hyper).items()}
    assert not any(name.endswith("bias") for name in tensors)
    generator = melgan.build(hyper)
    melgan.load_weights(generator, tensors)
    with pytest.raises(CheckpointError, match=r"no place for: ups\.9\.weight"):
        melgan.load_weights(generator, {**tensors, "ups.9.weight": torch.zeros(1)})
    del tensors["stacks.1.0.shortcut.weight"]
    with pytest.raises(CheckpointError, match=r"lack .*stacks\.1\.0\.shortcut\.weight"):
        melgan.load_weights(generator, tensors)


def test_what_is_written_reads_back() -> None:
    for form in FORMS.values():
        hyper = MelganHyper.from_json({**SMALL, **form})
        assert MelganHyper.from_json(hyper.as_json()) == hyper


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"channels": 6}, r"6 cannot be halved 2 times"),
        ({"channels": 10**9}, r"channels: 1000000000 lies outside 1 to 8192"),
        ({"upsample_scales": [64, 64, 4]}, r"16384 samples a frame; the most is 8192"),
        ({"upsample_scales": []}, r"a list of 1 to 8"),
        ({"kernel_size": 4}, r"must be odd to keep the length"),
        ({"stack_kernel_size": 15, "stacks": 8}, r"8 reach a dilation beyond 4096"),
        ({"subbands": 4, "taps": 61}, r"taps: 61 must be even"),
        ({"subbands": 32, "taps": 30}, r"at least the 32 subbands"),
        ({"edge": "circular"}, r"edge: expected one of reflect, replicate, zeros"),
        ({"cutoff": 1.0}, r"cutoff: 1.0 lies outside"),
        ({"slope": "steep"}, r"slope: expected a number"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        MelganHyper.from_json({**SMALL, **change})
