"""Claims about folding weight norm: three spellings of one weight are one weight."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from synthhost.checkpoints.weight_norm import plain_tensors
from synthhost.core.errors import CheckpointError

ONES = torch.ones(2, 4)


def lengths_and_directions() -> tuple[Tensor, Tensor]:
    torch.manual_seed(3)
    return torch.rand(4, 1, 1) + 0.5, torch.randn(4, 2, 5)


def by_hand(length: Tensor, direction: Tensor) -> Tensor:
    rows = [length[i] * direction[i] / direction[i].pow(2).sum().sqrt() for i in range(len(direction))]
    return torch.stack(rows)


def test_old_and_new_spelling_fold_to_the_same_weight() -> None:
    g, v = lengths_and_directions()
    old = plain_tensors({"ups.0.weight_g": g, "ups.0.weight_v": v, "ups.0.bias": torch.ones(2)})
    name = "ups.0.parametrizations.weight."
    new = plain_tensors({name + "original0": g, name + "original1": v, "ups.0.bias": torch.ones(2)})
    assert list(old) == list(new) == ["ups.0.weight", "ups.0.bias"]
    torch.testing.assert_close(old["ups.0.weight"], by_hand(g, v))
    assert torch.equal(old["ups.0.weight"], new["ups.0.weight"])


@pytest.mark.parametrize("layer", [nn.Conv1d(3, 4, 5), nn.ConvTranspose1d(3, 4, 6, 2)])
def test_a_normalised_layer_folds_to_the_weight_it_computes(layer: nn.Module) -> None:
    normed = parametrizations.weight_norm(layer)
    with torch.no_grad():
        normed.parametrizations.weight.original0.mul_(1.7)
    plain = plain_tensors(nn.Sequential(normed).state_dict())
    torch.testing.assert_close(plain["0.weight"], normed.weight.detach())


def test_plain_weights_pass_and_become_float32() -> None:
    plain = plain_tensors({"conv.weight": torch.ones(2, 2, 1, dtype=torch.float16)})
    assert plain["conv.weight"].dtype == torch.float32


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "module._orig_mod."])
def test_wrappers_prefixes_are_stripped(prefix: str) -> None:
    assert list(plain_tensors({prefix + "conv.weight": torch.ones(1)})) == ["conv.weight"]


@pytest.mark.parametrize(
    ("tensors", "words"),
    [
        ({"a.weight_g": torch.ones(2, 1)}, "partner a.weight_v is missing"),
        ({"a.weight_v": torch.ones(2, 1)}, "partner a.weight_g is missing"),
        ({"a.weight_g": torch.ones(3, 1), "a.weight_v": torch.ones(2, 4)}, "do not fit"),
        ({"a.weight_g": torch.ones(2, 4), "a.weight_v": torch.ones(2, 4)}, "do not fit"),
        ({"a.weight_g": torch.ones(()), "a.weight_v": torch.ones(())}, "do not fit"),
        (
            {"a.weight": torch.ones(2, 4), "a.weight_g": torch.ones(2, 1), "a.weight_v": torch.ones(2, 4)},
            "twice",
        ),
        ({"module.a.weight": torch.ones(1), "a.weight": torch.ones(1)}, "twice"),
        ({"a.weight": torch.ones(1, dtype=torch.int64)}, "not a tensor of real numbers"),
        ({"a.weight": "text"}, "not a tensor of real numbers"),
    ],
)
def test_spellings_that_do_not_pair_are_refused(tensors: dict[str, Tensor], words: str) -> None:
    with pytest.raises(CheckpointError, match=words):
        plain_tensors(tensors)
