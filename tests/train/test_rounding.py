"""Products are rounded for as many steps as a recipe says, and no longer."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from synthhost.core.errors import ConfigError
from synthhost.train.rounding import Rounded, Rounding


def test_the_first_steps_round_and_those_behind_them_do_not() -> None:
    rounding, one = Rounding.from_json({"bfloat16_steps": 2}), torch.full((1, 1), 1.0 + 2.0**-10)
    found = []
    for step in range(4):
        with rounding.at(step, "cpu"):
            found.append(float((one @ torch.ones(1, 1)).float()))
    assert found == [1.0, 1.0, 1.0 + 2.0**-10, 1.0 + 2.0**-10]


def test_nothing_is_rounded_where_a_recipe_does_not_say_so() -> None:
    with Rounding.from_json({}).at(0, "cpu"):
        assert (torch.ones(1, 1) @ torch.ones(1, 1)).dtype == torch.float32


@pytest.mark.parametrize("steps", [-1, 1.5, "all", True, None])
def test_what_is_no_number_of_steps_is_refused(steps: Any) -> None:
    with pytest.raises(ConfigError, match=r"bfloat16_steps: .* is no number of steps"):
        Rounding.from_json({"bfloat16_steps": steps})


def test_what_recipes_said_before_is_not_passed_over() -> None:
    with pytest.raises(ConfigError, match="precision: say bfloat16_steps instead"):
        Rounding.from_json({"precision": "bfloat16"})


def test_what_is_rounded_follows_weights_that_change_between_calls() -> None:
    layer = torch.nn.Linear(1, 1, bias=False)
    rounded = Rounded(layer, lambda: Rounding(1).at(0, "cpu"))
    found = []
    for weight in (1.0, 3.0):
        with torch.no_grad():
            layer.weight.fill_(weight)
        found.append(float(rounded(torch.ones(1, 1)).detach()))
    assert found == [1.0, 3.0]
