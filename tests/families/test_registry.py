"""Families are found by name."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from synthhost.core.errors import ConfigError
from synthhost.families.registry import FAMILIES, family


def test_an_unknown_family_is_answered_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'hifigan'"):
        family("hifi-gan")


def test_every_family_goes_by_its_own_name() -> None:
    assert all(family(name).name == name for name in FAMILIES)


def test_a_family_reads_builds_and_fills_a_network(tiny: Any) -> None:
    kind = family("hifigan")
    hyper = kind.hyper_from_json(tiny.config)
    network = kind.build(hyper)
    kind.load_weights(network, tiny.weights)
    assert (hyper.bands, hyper.hop_samples) == (24, 60)
    with torch.inference_mode():
        assert (network(tiny.mel) - tiny.audio).abs().max() <= tiny.tolerance
