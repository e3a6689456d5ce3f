"""HiFi-GAN in streaming blocks is the published network, whole and in pieces."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.families import hifigan
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.pointwise import LeakyReLU
from synthhost.streaming.sequence import Sequence
from synthhost.streaming.timing import hop_samples, look_ahead_samples, receptive_frames

V1 = {
    "resblock": "1",
    "upsample_rates": [8, 8, 2, 2],
    "upsample_kernel_sizes": [16, 16, 4, 4],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 7, 11],
    "resblock_dilation_sizes": [[1, 3, 5]] * 3,
}
V3 = {
    "resblock": "2",
    "upsample_rates": [8, 8, 4],
    "upsample_kernel_sizes": [16, 16, 8],
    "upsample_initial_channel": 16,
    "resblock_kernel_sizes": [3, 5, 7],
    "resblock_dilation_sizes": [[1, 2], [2, 6], [3, 12]],
}
LOOK_AHEAD = [(V1, 3258, 27), (V3, 2582, 23)]
_BUILT: dict[int, Sequence] = {}


def generator_of(vector: Any) -> Sequence:
    """Build a vector's network once."""
    if id(vector) not in _BUILT:
        generator = hifigan.build(HifiganHyper.from_json(vector.config))
        hifigan.load_weights(generator, vector.weights)
        _BUILT[id(vector)] = generator
    return _BUILT[id(vector)]


def streamed(generator: AnyBlock, mel: Tensor, cuts: list[int]) -> Tensor:
    """Stream a mel `[batch, bands, frames]` in pieces, the rest, then flush; `[batch, 1, samples]`."""
    state, sent, outputs = generator.new_state(mel.shape[0]), 0, []
    with torch.inference_mode():
        for length in [*cuts, mel.shape[2]]:
            piece = mel[:, :, sent : sent + length].transpose(1, 2)
            outputs.append(generator.step(piece, state))
            sent += piece.shape[1]
            assert sum(y.shape[1] for y in outputs) == generator.ready(sent)
        outputs.append(generator.flush(state))
    return torch.cat(outputs, 1).transpose(1, 2)


def test_the_offline_pass_is_the_published_one(vector: Any) -> None:
    with torch.inference_mode():
        audio = generator_of(vector)(vector.mel)
    assert audio.shape == vector.audio.shape
    assert (audio - vector.audio).abs().max() <= vector.tolerance


def test_streaming_is_the_published_pass_from_the_first_sample_to_the_last(vector: Any) -> None:
    audio = streamed(generator_of(vector), vector.mel, [1, 1, 2, 0, 3])
    assert audio.shape == vector.audio.shape
    assert (audio - vector.audio).abs().max() <= vector.tolerance


@settings(deadline=None, max_examples=6, suppress_health_check=[HealthCheck.too_slow])
@given(cuts=st.lists(st.integers(0, 9), min_size=1, max_size=20))
def test_any_chunking_gives_the_same_samples(vector: Any, cuts: list[int]) -> None:
    whole = streamed(generator_of(vector), vector.mel, [])
    pieces = streamed(generator_of(vector), vector.mel, cuts)
    assert (pieces - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_a_copied_state_continues_as_the_first_would_have(vector: Any) -> None:
    generator, half = generator_of(vector), vector.mel.shape[2] // 2
    mel = vector.mel.transpose(1, 2)
    with torch.inference_mode():
        state = generator.new_state()
        generator.step(mel[:, :half], state)
        copied = state.copy()
        generator.step(mel[:, :half], state)  # must not disturb the copy
        audio = generator.finish(mel[:, half:], copied).transpose(1, 2)
    assert (audio - vector.audio[:, :, -audio.shape[2] :]).abs().max() <= vector.tolerance


def test_three_voices_in_one_batch_sound_as_three_alone(vector: Any) -> None:
    mels = torch.cat([vector.mel, vector.mel.flip(2), vector.mel * 0.5])
    generator = generator_of(vector)
    together = streamed(generator, mels, [2, 3])
    alone = torch.cat([streamed(generator, mel[None], [2, 3]) for mel in mels])
    assert (together - alone).abs().max() <= 1e-5 * alone.abs().max()


def test_one_frame_is_a_whole_stream(vector: Any) -> None:
    generator, mel = generator_of(vector), vector.mel[:, :, :1]
    with torch.inference_mode():
        offline = generator(mel)
    assert offline.shape[2] == hop_samples(generator)
    assert (streamed(generator, mel, [0, 1, 0]) - offline).abs().max() <= 1e-5


@pytest.mark.parametrize(("config", "samples", "frames"), LOOK_AHEAD)
def test_look_ahead_and_receptive_field_are_those_of_the_published_networks(
    config: dict[str, Any], samples: int, frames: int
) -> None:
    generator = hifigan.build(HifiganHyper.from_json(config))
    assert look_ahead_samples(generator) == samples
    assert receptive_frames(generator) == frames
    assert hop_samples(generator) == 256


@pytest.mark.parametrize("config", [V1, V3])
def test_look_ahead_measured_by_disturbing_a_frame_is_the_derived_one(config: dict[str, Any]) -> None:
    generator = hifigan.build(HifiganHyper.from_json(config)).double()
    with torch.no_grad():
        for _, layer in hifigan.named_layers(generator):
            layer.weight.abs_()  # no path cancels another, and nothing rounds a faint one away
            assert layer.bias is not None
            layer.bias.zero_()
    mel, at = torch.zeros(1, 80, 41, dtype=torch.float64), 20
    mel[:, :, at] = 1.0
    with torch.inference_mode():
        moved = generator(mel).flatten().nonzero().flatten()
    assert moved[0] == generator.ready(at)
    assert at * 256 - moved[0] == look_ahead_samples(generator)
    assert moved[-1] // 256 - moved[0] // 256 + 1 == receptive_frames(generator)


def test_the_last_activation_keeps_the_default_slope() -> None:
    parts = hifigan.build(HifiganHyper.from_json(V3))
    last, first = parts["activation"], parts["stage_0"].parts[0]
    assert isinstance(last, LeakyReLU)
    assert isinstance(first, LeakyReLU)
    assert (last.slope, first.slope) == (0.01, 0.1)


def test_tensor_names_are_those_of_the_published_checkpoints(vector: Any) -> None:
    expected = hifigan.tensor_names(HifiganHyper.from_json(vector.config))
    assert expected == {name: tuple(tensor.shape) for name, tensor in vector.weights.items()}
