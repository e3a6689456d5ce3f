"""Ids stand for the amplitudes that loops make of them again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from synthhost.families.quantisation import amplitude_ids

Array = NDArray[np.float64]
SOUNDS = st.lists(st.floats(-1.0, 1.0), min_size=1, max_size=40).map(np.array)


def companded(heard: Array, companding: float) -> Array:
    """Return amplitudes on the scale that ids are evenly spaced on."""
    if not companding:
        return heard
    return np.asarray(np.sign(heard) * np.log1p(companding * np.abs(heard)) / np.log1p(companding))


def amplitudes(ids: NDArray[np.int64], levels: float, companding: float) -> Array:
    """Return what ids stand for before de-emphasis, as the loops reckon it."""
    drawn = 2.0 * ids / levels - 1.0
    if not companding:
        return np.asarray(drawn)
    return np.asarray(np.sign(drawn) * ((1.0 + companding) ** np.abs(drawn) - 1.0) / companding)


def heard_again(drawn: Array, pole: float) -> Array:
    """Undo pre-emphasis."""
    out, last = np.empty_like(drawn), 0.0
    for place, value in enumerate(drawn):
        out[place] = last = value + pole * last
    return out


@settings(deadline=None)
@given(
    sound=SOUNDS,
    levels=st.integers(2, 300),
    companding=st.sampled_from([0.0, 15.0, 255.0]),
    more=st.booleans(),
)
def test_ids_stand_for_a_sound_to_within_half_a_step(
    sound: Array, levels: int, companding: float, more: bool
) -> None:
    ids = amplitude_ids(sound, levels + more, float(levels), companding)
    highest = 2.0 * (levels - 1 + more) / levels - 1.0  # of the outermost id
    wanted = np.minimum(companded(sound, companding), highest)
    found = companded(amplitudes(ids, float(levels), companding), companding)
    assert np.abs(found - wanted).max() <= 1.0 / levels + 1e-9


@settings(deadline=None)
@given(sound=SOUNDS, pole=st.floats(0.1, 0.95))
def test_emphasis_is_undone_to_within_half_a_step_and_what_it_rings(sound: Array, pole: float) -> None:
    sound, levels = 0.5 * sound, 256.0  # so that no difference lies beyond the ends
    found = heard_again(amplitudes(amplitude_ids(sound, 257, levels, 0.0, pole), levels, 0.0), pole)
    assert np.abs(found - sound).max() <= 1.0 / levels / (1.0 - pole) + 1e-9


def test_emphasis_comes_before_companding() -> None:
    times = np.arange(400)
    sound = 0.4 * np.sin(0.05 * times) + 0.1 * np.sin(0.9 * times)
    ids = amplitude_ids(sound, 256, 256.0, 255.0, 0.8)
    drawn = amplitudes(ids, 256.0, 255.0)
    wanted = sound - 0.8 * np.concatenate(([0.0], sound[:-1]))
    assert np.abs(companded(drawn, 255.0) - companded(wanted, 255.0)).max() <= 1.0 / 256.0 + 1e-9
    assert np.abs(heard_again(drawn, 0.8) - sound).max() < 0.02


@pytest.mark.parametrize("settings_", [{}, {"companding": 255.0}])
def test_what_lies_beyond_the_ends_becomes_the_outermost_ids(settings_: dict[str, Any]) -> None:
    sound = np.array([-7.0, -1.0, 0.0, 1.0, 7.0])
    np.testing.assert_array_equal(amplitude_ids(sound, 256, 256.0, **settings_), [0, 0, 128, 255, 255])
    np.testing.assert_array_equal(amplitude_ids(sound, 257, 256.0, **settings_), [0, 0, 128, 256, 256])


def test_a_louder_sound_never_has_a_lower_id() -> None:
    ids = amplitude_ids(np.linspace(-1.0, 1.0, 20001), 256, 256.0, 255.0)
    assert (np.diff(ids) >= 0).all()
    np.testing.assert_array_equal(np.unique(ids), np.arange(256))
