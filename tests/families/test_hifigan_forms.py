"""HiFi-GAN in the forms that kan-bayashi/ParallelWaveGAN gave it: causal, of odd rates, of any dilations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from synthhost.core.errors import ConfigError
from synthhost.families import hifigan
from synthhost.families.hifigan_hyper import HifiganHyper
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.timing import hop_samples, look_ahead_samples

SMALL: dict[str, Any] = {
    "resblock": "1",
    "upsample_rates": [3, 2],
    "upsample_kernel_sizes": [6, 4],
    "upsample_initial_channel": 8,
    "resblock_kernel_sizes": [3, 5],
    "resblock_dilation_sizes": [[1, 3, 5, 7], [1, 2]],
    "bands": 4,
    "dialect": "parallel-wavegan",
    "end_kernel": 5,
    "statistics": True,
}
FORMS: dict[str, dict[str, Any]] = {
    "plain": {},
    "causal": {"causal": True},
    "single convolutions": {"resblock": "2"},
    "without biases": {"bias": False},
}


def network(plain: dict[str, Any]) -> AnyBlock:
    torch.manual_seed(11)
    return hifigan.build(HifiganHyper.from_json(plain)).eval()


@pytest.mark.parametrize("form", FORMS)
@settings(deadline=None, max_examples=12)
@given(count=st.integers(1, 15), cuts=st.lists(st.integers(0, 5), max_size=8))
def test_any_chunking_of_any_form_gives_the_offline_pass(
    in_pieces: Callable[..., Tensor], form: str, count: int, cuts: list[int]
) -> None:
    block = network({**SMALL, **FORMS[form]})
    x = torch.randn(2, 4, count)
    with torch.inference_mode():
        whole = block(x)
    assert whole.shape == (2, 1, count * 6)
    torch.testing.assert_close(in_pieces(block, x, cuts), whole, atol=2e-6, rtol=1e-5)


def test_the_causal_form_waits_for_nothing() -> None:
    block = network({**SMALL, "causal": True})
    assert (hop_samples(block), look_ahead_samples(block)) == (6, 0)


def test_the_causal_form_hears_nothing_of_the_future() -> None:
    block = network({**SMALL, "causal": True})
    x = torch.randn(1, 4, 12)
    other = x.clone()
    other[:, :, 7:] += 1.0
    with torch.inference_mode():
        assert torch.equal(block(x)[:, :, : 7 * 6], block(other)[:, :, : 7 * 6])


def test_models_of_the_published_form_read_as_before() -> None:
    plain = {
        key: SMALL[key] for key in ("resblock", "upsample_initial_channel", "resblock_kernel_sizes", "bands")
    }
    plain |= {"upsample_rates": [4, 2], "upsample_kernel_sizes": [8, 4]}
    hyper = HifiganHyper.from_json({**plain, "resblock_dilation_sizes": [[1, 3, 5, 7], [1, 3, 5]]})
    assert hyper.resblock_dilation_sizes == ((1, 3, 5), (1, 3, 5))
    assert (hyper.dialect, hyper.end_kernel, hyper.slope, hyper.causal) == ("jik876", 7, 0.1, False)
    assert HifiganHyper.from_json(hyper.as_json()) == hyper


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"dialect": "other"}, r"dialect: expected one of jik876, parallel-wavegan"),
        ({"dialect": "jik876"}, r"kernel 6 over rate 3"),
        ({"upsample_kernel_sizes": [7, 4]}, None),
        ({"upsample_kernel_sizes": [8, 4]}, r"kernel 8 over rate 3"),
        ({"causal": True, "upsample_kernel_sizes": [7, 4]}, r"causal ones are twice as long"),
        ({"end_kernel": 4}, r"must be odd"),
        ({"slope": 2.0}, r"slope: 2\.0 lies outside"),
        ({"resblock_dilation_sizes": [[1] * 17, [1]]}, r"17 lies outside 1 to 16"),
    ],
)
def test_what_cannot_be_built_is_refused(change: dict[str, Any], sentence: str | None) -> None:
    if sentence is None:
        assert hop_samples(network({**SMALL, **change})) == 6
        return
    with pytest.raises(ConfigError, match=sentence):
        HifiganHyper.from_json({**SMALL, **change})
