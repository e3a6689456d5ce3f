"""Noise schedules: which is played, how one is spread over other steps, where a step lies in training."""

from __future__ import annotations

import numpy as np
import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.noise_schedule import (
    Betas,
    Schedules,
    betas_as_json,
    betas_from_json,
    check_reach,
    kept,
    linear,
    respaced,
    trained_steps,
)

TRAINING = linear(1e-4, 0.05, 50)
BASE: Betas = (1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5)
SEVEN: Betas = (1e-4, 1e-3, 1e-2, 0.05, 0.1, 0.2, 0.3)
KNOWN = Schedules(TRAINING, (), (BASE, SEVEN))


def test_fast_is_the_published_list_and_training_the_whole() -> None:
    assert KNOWN.chosen("fast", 0) == BASE
    assert KNOWN.chosen("training", 0) == TRAINING
    assert KNOWN.chosen("0.1, 2e-1", 0) == (0.1, 0.2)


def test_as_many_steps_as_a_published_list_has_are_that_list() -> None:
    assert KNOWN.chosen("fast", 7) == SEVEN
    assert KNOWN.chosen("fast", 50) == TRAINING
    assert KNOWN.chosen("training", 50) == TRAINING
    assert len(KNOWN.chosen("training", 7)) == 7
    assert KNOWN.chosen("training", 7) != SEVEN


def test_a_models_own_short_list_comes_first() -> None:
    own: Betas = (1e-4, 0.2, 0.5)
    assert Schedules(TRAINING, own, (BASE,)).chosen("fast", 0) == own
    assert Schedules(TRAINING, own, (BASE,)).chosen("fast", 6) == BASE


def test_a_published_list_that_a_model_never_reached_is_not_fast_for_it() -> None:
    brief = linear(1e-4, 0.02, 10)
    chosen = Schedules(brief, (), (BASE,)).chosen("fast", 0)
    assert len(chosen) == 6
    check_reach(chosen, brief)
    trained_steps(chosen, brief)


@pytest.mark.parametrize("steps", [2, 3, 6, 20, 100])
def test_a_spread_schedule_keeps_its_ends_and_its_course(steps: int) -> None:
    found = kept(respaced(BASE, steps))
    np.testing.assert_allclose(found[[0, -1]], kept(BASE)[[0, -1]], rtol=1e-9)
    assert (np.diff(found) < 0).all()
    assert all(0 < beta < 1 for beta in respaced(BASE, steps))
    trained_steps(respaced(BASE, steps), TRAINING)


def test_spreading_over_its_own_number_changes_nothing() -> None:
    np.testing.assert_allclose(respaced(BASE, 6), BASE, rtol=1e-9)


def test_one_step_stands_where_the_noise_is_most() -> None:
    np.testing.assert_allclose(kept(respaced(BASE, 1)), kept(BASE)[-1:])
    assert respaced((0.5,), 1) == (0.5,)
    with pytest.raises(ConfigError, match="one step cannot be spread over 3"):
        respaced((0.5,), 3)


def test_training_steps_are_told_as_whole_numbers() -> None:
    assert trained_steps(TRAINING, TRAINING).tolist() == list(range(50))


def test_steps_between_those_of_training_are_told_as_published() -> None:
    found = trained_steps(BASE, TRAINING)
    expected = [0.0, 0.89413, 4.08665, 10.45182, 22.99249, 42.91864]
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("betas", [(1e-5, 0.1), (0.1, 0.9), (1e-4, 0.99)])
def test_a_step_outside_training_is_an_error_and_not_left_out(betas: Betas) -> None:
    with pytest.raises(ConfigError, match=r"after beta \d .* outside the .* trained with"):
        trained_steps(betas, TRAINING)


def test_evenly_spaced_betas_are_written_by_their_ends() -> None:
    assert betas_as_json(TRAINING) == {"first": 1e-4, "last": 0.05, "count": 50}
    assert betas_as_json(BASE) == list(BASE)
    for betas in (TRAINING, BASE, linear(1e-6, 0.01, 1000)):
        assert betas_from_json(betas_as_json(betas), "betas") == betas
