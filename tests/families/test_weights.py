"""Loading weights uses everything or refuses with the names."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from synthhost.core.errors import CheckpointError
from synthhost.families import hifigan
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.streaming.sequence import Sequence


@pytest.fixture
def generator(tiny: Any) -> Sequence:
    """A small network with weights of its own."""
    return hifigan.build(HifiganHyper.from_json(tiny.config))


def refused(generator: Sequence, weights: dict[str, Tensor], match: str) -> None:
    """Expect a refusal that leaves the network as it was."""
    before = {name: tensor.clone() for name, tensor in generator.state_dict().items()}
    with pytest.raises(CheckpointError, match=match):
        hifigan.load_weights(generator, weights)
    assert all(torch.equal(before[name], tensor) for name, tensor in generator.state_dict().items())


def test_every_tensor_arrives(generator: Sequence, tiny: Any) -> None:
    hifigan.load_weights(generator, tiny.weights)
    for name, layer in hifigan.named_layers(generator):
        assert torch.equal(layer.weight, tiny.weights[f"{name}.weight"])
        assert layer.bias is not None
        assert torch.equal(layer.bias, tiny.weights[f"{name}.bias"])


def test_a_missing_tensor_is_named(generator: Sequence, tiny: Any) -> None:
    weights = {name: tensor for name, tensor in tiny.weights.items() if name != "ups.1.bias"}
    refused(generator, weights, r"lack.*ups\.1\.bias")


def test_a_left_over_tensor_is_named(generator: Sequence, tiny: Any) -> None:
    refused(generator, {**tiny.weights, "ups.9.bias": torch.zeros(1)}, r"no place for.*ups\.9\.bias")


def test_a_wrong_shape_is_named_with_both_shapes(generator: Sequence, tiny: Any) -> None:
    weights = {**tiny.weights, "conv_post.bias": torch.zeros(2)}
    refused(generator, weights, r"conv_post\.bias is \[2\], needs \[1\]")


@pytest.mark.parametrize(
    "bad", [torch.tensor([float("nan")]), torch.tensor([float("inf")]), torch.tensor([1])]
)
def test_values_that_are_no_finite_reals_are_refused(generator: Sequence, tiny: Any, bad: Tensor) -> None:
    refused(generator, {**tiny.weights, "conv_post.bias": bad}, r"not finite.*conv_post\.bias")


def test_a_long_list_of_names_is_cut_short(generator: Sequence) -> None:
    refused(generator, {}, r"and \d+ more")


def test_a_step_after_loading_uses_the_loaded_weights(generator: Sequence, tiny: Any) -> None:
    mel = tiny.mel.transpose(1, 2)
    with torch.inference_mode():
        generator.finish(mel, generator.new_state())  # packs the first weights
        hifigan.load_weights(generator, tiny.weights)
        audio = generator.finish(mel, generator.new_state())
    assert (audio.flatten() - tiny.audio.flatten()).abs().max() <= tiny.tolerance
