"""Rows of samples give what the network's graph gives, and teach its weights the same."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from synthhost.families import wavenet
from synthhost.families.wavenet import Wavenet
from synthhost.families.wavenet_hyper import WavenetHyper
from synthhost.train.wavenet_rows import WavenetRows

BANDS, IDS, SAMPLES = 3, 12, 23
PLAIN: dict[str, Any] = {
    "dilations": [1, 2, 4, 1, 8],
    "kernel_size": 2,
    "residual_channels": 5,
    "gate_channels": 8,
    "skip_channels": 6,
    "head_channels": 7,
    "out_channels": IDS,
    "residual_scale": 0.5**0.5,
    "skip": "root",
    "conditioning": {"kind": "none", "channels": 0, "scales": [64]},
    "output": {
        "distribution": "softmax",
        "levels": 11.0,
        "companding": 0.0,
        "de_emphasis": 0.0,
        "gain": 1.0,
        "start": 6.0,
    },
}
FRAMES = {"conditioning": {"kind": "repeat", "channels": BANDS, "scales": [4]}}


def network_of(**changed: Any) -> Wavenet:
    """Return a small network with loud random weights."""
    torch.manual_seed(3)
    network = wavenet.build(WavenetHyper.from_json({**PLAIN, **changed}))
    with torch.no_grad():
        for tensor in network.named_tensors().values():
            tensor.copy_(0.4 * torch.randn_like(tensor))
    return network


@pytest.mark.parametrize("kernel_size", [2, 3])
@pytest.mark.parametrize("head_channels", [0, 7])
@pytest.mark.parametrize(
    "beside",
    [{}, {"skip": "sum", "residual_scale": 1.0}, FRAMES, {**FRAMES, "condition_bias": True}],
    ids=["free", "free, plain sums", "conditioned", "conditioned with biases"],
)
def test_logits_and_all_gradients_are_the_graphs(
    kernel_size: int, head_channels: int, beside: dict[str, Any]
) -> None:
    network = network_of(kernel_size=kernel_size, head_channels=head_channels, **beside)
    ids, wanted = torch.randint(0, IDS, (2, SAMPLES)), torch.randn(2, SAMPLES, IDS)
    named = list(network.named_tensors().items())
    conditions = torch.randn(2, BANDS, SAMPLES, requires_grad=True) if "conditioning" in beside else None
    asked = [tensor for _, tensor in named] + ([] if conditions is None else [conditions])
    graph = network(ids, conditions).transpose(1, 2)
    rows = WavenetRows(network)(ids, conditions)
    torch.testing.assert_close(rows, graph, atol=1e-5, rtol=1e-5)
    expected, found = (
        torch.autograd.grad((one * wanted).sum(), asked, allow_unused=True) for one in (graph, rows)
    )
    for place, (one, other) in enumerate(zip(found, expected, strict=True)):
        name = named[place][0] if place < len(named) else "conditions"
        if name != "conv_layers.4.conv1x1_out.weight" and name != "conv_layers.4.conv1x1_out.bias":
            assert other is not None, name  # the last layer's residual goes nowhere
            assert other.abs().max() > 0.0, name
        zero = torch.zeros_like(asked[place])
        torch.testing.assert_close(
            zero if one is None else one, zero if other is None else other, atol=1e-4, rtol=1e-4
        )


def test_a_sample_hears_none_that_come_after_it() -> None:
    rows = WavenetRows(network_of())
    ids = torch.randint(0, IDS, (1, SAMPLES))
    changed = ids.clone()
    changed[0, 9] = (changed[0, 9] + 1) % IDS
    with torch.no_grad():
        differ = (rows(ids) - rows(changed)).abs().amax((0, 2))
    assert (differ[:9] == 0.0).all()
    assert differ[9] > 0.0


def test_its_weights_are_the_networks_own() -> None:
    network = network_of()
    rows = WavenetRows(network)
    assert {id(one) for one in rows.parameters()} == {id(one) for one in network.parameters()}
    ids = torch.randint(0, IDS, (1, SAMPLES))
    before = rows(ids)
    with torch.no_grad():
        network.named_tensors()["first_conv.bias"].add_(1.0)
    assert not torch.equal(rows(ids), before)


@pytest.mark.parametrize("changed", [{"skip": "halving"}, {"gate": "relu"}, {"scalar_input": True}])
def test_networks_of_other_kinds_are_not_taken(changed: dict[str, Any]) -> None:
    with pytest.raises(AssertionError):
        WavenetRows(network_of(**changed))
