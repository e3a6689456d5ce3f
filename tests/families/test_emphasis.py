"""What is lifted before it is learned is lowered to what it was, in pieces and as a whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synthhost.core.errors import ConfigError
from synthhost.families.emphasis import Emphasis
from synthhost.streaming.graph import Graph, GraphBuilder
from synthhost.streaming.timing import look_ahead_samples


def lowering(emphasis: Emphasis) -> Graph:
    graph = GraphBuilder(1)
    return graph.build(emphasis.lay_lowered(graph, graph.input, torch.zeros(0)))


@pytest.mark.parametrize(("coefficient", "gain"), [(0.0, 2.0), (0.5, 0.1), (0.95, 6.0), (0.98, 1.0)])
def test_lowered_is_what_was_lifted(coefficient: float, gain: float) -> None:
    emphasis = Emphasis(coefficient, gain)
    sound = np.random.default_rng(0).standard_normal((2, 3000)).astype(np.float32)
    block = lowering(emphasis)
    with torch.inference_mode():
        lowered = block(torch.from_numpy(emphasis.lifted(sound))[:, None])[:, 0].numpy()
    assert np.abs(lowered - sound).max() < 0.01
    assert look_ahead_samples(block) == 0
    assert not [one for one in block.parameters() if one.requires_grad]


def test_high_tones_are_lifted_and_low_ones_are_not() -> None:
    times = np.arange(1600) / 16000
    low, high = (np.sin(2.0 * np.pi * hertz * times).astype(np.float32)[None] for hertz in (100.0, 7000.0))
    emphasis = Emphasis(0.95, 1.0)
    assert np.abs(emphasis.lifted(low)[:, 1:]).max() < 0.1
    assert np.abs(emphasis.lifted(high)[:, 1:]).max() > 1.8


def test_it_is_read_as_written_and_refused_where_it_cannot_be_undone() -> None:
    emphasis = Emphasis(0.9, 3.0)
    assert Emphasis.from_json({"emphasis": emphasis.as_json()}, "X") == emphasis
    assert Emphasis.from_json({}, "X") is None
    with pytest.raises(ConfigError, match=r"must hold a coefficient and a gain, not 0\.95"):
        Emphasis.from_json({"emphasis": 0.95}, "X")
    for wrong in ({"coefficient": 1.0, "gain": 1.0}, {"coefficient": 0.9, "gain": 0.0}, {"gain": 1.0}):
        with pytest.raises(ConfigError, match="X emphasis"):
            Emphasis.from_json({"emphasis": wrong}, "X")
