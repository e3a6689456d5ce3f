"""Options are checked with a sentence, and travel with a model's name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.errors import ConfigError
from synthhost.core.options import OptionSpec, OptionValue, model_of, settled, with_options, without_options

STEPS = OptionSpec("steps", 6, "how many", 1, 50)
SCALE = OptionSpec("scale", 0.5, "how far", 0.0, 1.0)
MODE = OptionSpec("mode", "exact", "how", choices=("exact", "window"))
TEXT = OptionSpec("schedule", "training", "which")
SPECS = (STEPS, SCALE, MODE, TEXT)

values = st.one_of(
    st.integers(-(10**9), 10**9),
    st.floats(-1e9, 1e9),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=20).filter(
        lambda text: not _looks_like_a_number(text)
    ),
)


def _looks_like_a_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def test_what_is_not_said_is_the_default() -> None:
    assert settled(SPECS, {"steps": 4}, "m") == {
        "steps": 4,
        "scale": 0.5,
        "mode": "exact",
        "schedule": "training",
    }


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"step": 4}, "no option is called 'step'. Did you mean 'steps'"),
        ({"steps": 0}, "steps: 0 lies outside 1 to 50"),
        ({"steps": 2.5}, "expected a whole number"),
        ({"steps": "six"}, "expected a number"),
        ({"steps": True}, "expected a number"),
        ({"scale": 2}, "lies outside 0 to 1"),
        ({"mode": "exactly"}, "Did you mean 'exact'"),
        ({"schedule": True}, "expected a line of text"),
        ({"schedule": "x" * 5000}, "5000 letters; the most are 4000"),
    ],
)
def test_what_cannot_be_meant_gets_a_sentence(given: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigError, match=r"^m: ") as refused:
        settled(SPECS, given, "m")
    assert sentence in str(refused.value)


def test_a_model_without_options_says_so() -> None:
    with pytest.raises(ConfigError, match="It has no options"):
        settled((), {"steps": 4}, "m")


@given(
    model=st.sampled_from(["glow", "/a/b c?.pt", "x?y"]),
    options=st.dictionaries(st.sampled_from(["steps", "mode", "schedule"]), values, max_size=3),
)
def test_a_reference_keeps_its_options(model: str, options: dict[str, OptionValue]) -> None:
    assert without_options(with_options(model, options)) == (model, options)


def test_a_preset_names_its_model_with_its_options() -> None:
    assert model_of({"model": "glow"}) == "glow"
    assert (
        model_of({"model": "glow", "options": {"steps": 6, "mode": "window"}}) == "glow?mode=window&steps=6"
    )


def test_a_list_of_one_number_is_text_too() -> None:
    assert settled((TEXT,), without_options("glow?schedule=0.1")[1], "m") == {"schedule": "0.1"}
