"""What a network hears of itself while it learns strays as a recipe says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from synthhost.core.errors import ConfigError
from synthhost.families.quantisation import amplitudes
from synthhost.train.straying import Straying

IDS = np.tile(128 + np.rint(60 * np.sin(np.arange(4000) / 7.0)).astype(np.int64), (64, 1))


def heard(settings: dict[str, Any], ids: Any = IDS, companding: float = 255.0, part: float = 0.0) -> Any:
    return Straying.from_json(settings, 256, 256.0, companding).of(ids, np.random.default_rng(0), part)


def test_without_settings_what_was_recorded_is_heard() -> None:
    np.testing.assert_array_equal(heard({}), IDS)


def test_rows_have_levels_of_noise_around_the_median() -> None:
    levels = (heard({"heard_noise": 3.0}) - IDS).std(1)
    assert 2.0 < np.median(levels) < 4.5
    assert levels.min() < 1.0
    assert levels.max() > 8.0


def test_a_small_spread_leaves_no_row_quiet() -> None:
    levels = (heard({"heard_noise": 3.0, "heard_noise_spread": 0.1}) - IDS).std(1)
    assert levels.min() > 2.0
    assert levels.max() < 4.5


@pytest.mark.parametrize(("part", "median"), [(0.0, 8.0), (0.5, 4.0), (1.0, 2.0)])
def test_noise_moves_evenly_in_decibels(part: float, median: float) -> None:
    settings = {"heard_noise": 8.0, "heard_noise_to": 2.0, "heard_noise_spread": 0.1}
    levels = (heard(settings, part=part) - IDS).std(1)
    assert np.median(levels) == pytest.approx(median, rel=0.1)


@pytest.mark.parametrize("settings", [{"heard_noise_to": 2.0}, {"heard_noise": 2.0, "heard_noise_to": 0.0}])
def test_noise_that_would_come_from_nothing_or_go_there_is_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="heard_noise_to"):
        heard(settings)


@pytest.mark.parametrize("companding", [0.0, 255.0])
def test_a_gain_is_one_of_amplitudes_not_of_ids(companding: float) -> None:
    told, found = (
        amplitudes(ids, 256.0, companding) for ids in (IDS, heard({"heard_gain_db": 3.0}, IDS, companding))
    )
    gains = (found * told).sum(1) / (told * told).sum(1)
    db = 20.0 * np.log10(gains)
    assert 2.0 < db.std() < 4.5
    off = found - gains[:, None] * told
    assert np.abs(off).max() < 0.06 * np.abs(found).max(), "but for the steps between ids"


def test_a_constant_is_a_share_of_a_rows_level() -> None:
    told, found = (amplitudes(ids, 256.0, 255.0) for ids in (IDS, heard({"heard_offset": 0.2})))
    offsets = (found - told).mean(1) / np.sqrt((told * told).mean(1))
    assert 0.15 < offsets.std() < 0.25
    assert np.abs(found - told - (found - told).mean(1, keepdims=True)).max() < 0.06 * np.abs(found).max()


def test_ids_stay_ids() -> None:
    loudest = heard({"heard_noise": 40.0, "heard_gain_db": 30.0}, np.full((64, 50), 255))
    assert loudest.min() >= 0
    assert loudest.max() == 255


@pytest.mark.parametrize(
    "setting", ["heard_noise", "heard_noise_to", "heard_noise_spread", "heard_gain_db", "heard_offset"]
)
@pytest.mark.parametrize("value", ["loud", None, -1.0, float("nan"), float("inf")])
def test_settings_that_are_no_numbers_are_refused(setting: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=setting):
        heard({setting: value})
