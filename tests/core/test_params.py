from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.params import ParamSpec

LINEAR = ParamSpec("gain_db", "dB", -60.0, 12.0, 0.0, "loudness")
LOG = ParamSpec("cutoff_hz", "Hz", 20.0, 20_000.0, 1000.0, "cutoff", curve="log")
WHOLE = ParamSpec("depth", "frames", 0.0, 16.0, 4.0, "frames waited for", kind="int")
SWITCH = ParamSpec("mute", "", 0.0, 1.0, 0.0, "silence", kind="bool")
EVERY = [LINEAR, LOG, WHOLE, SWITCH]
finite = st.floats(allow_nan=False, allow_infinity=False)


@given(st.sampled_from(EVERY), finite)
def test_clamped_values_lie_in_range_and_stay(spec: ParamSpec, value: float) -> None:
    held = spec.clamp(value)
    assert spec.minimum <= held <= spec.maximum
    assert spec.clamp(held) == held
    if spec.kind != "float":
        assert held == int(held)


@given(st.sampled_from([LINEAR, LOG]), st.floats(0, 1))
def test_a_place_survives_the_way_through_the_unit(spec: ParamSpec, place: float) -> None:
    assert spec.to_norm(spec.from_norm(place)) == pytest.approx(place, abs=1e-9)


@given(st.sampled_from(EVERY), finite, finite)
def test_higher_places_never_mean_lower_values(spec: ParamSpec, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert spec.from_norm(low) <= spec.from_norm(high)


@pytest.mark.parametrize("spec", EVERY)
def test_the_ends_are_met_exactly(spec: ParamSpec) -> None:
    assert (spec.from_norm(0.0), spec.from_norm(1.0)) == (spec.minimum, pytest.approx(spec.maximum))
    assert (spec.to_norm(spec.minimum), spec.to_norm(spec.maximum)) == (0.0, 1.0)


@pytest.mark.parametrize("spec", EVERY)
def test_a_declaration_survives_json(spec: ParamSpec) -> None:
    assert ParamSpec.from_json(spec.as_json()) == spec


def test_a_declaration_that_contradicts_itself_is_our_mistake() -> None:
    with pytest.raises(AssertionError):
        ParamSpec("x", "", 1.0, 0.0, 0.0, "")
    with pytest.raises(AssertionError):
        ParamSpec("x", "", 0.0, 1.0, 2.0, "")
    with pytest.raises(AssertionError):
        ParamSpec("x", "", 0.0, 1.0, 0.5, "", curve="log")
