"""The mirror of the engine's values holds through new descriptions."""

from __future__ import annotations

from typing import Any

from synthhost.control.values import Values, macro_key
from synthhost.core.messages import SetParam

GAIN = ("voice", "gain_db")
DRIFT = macro_key("voice", "drift")


def description(as_of_sample: int, gain_db: float, preset: str = "one") -> dict[str, Any]:
    track = {
        "preset": preset,
        "params": [],
        "macros": [{"name": "drift", "value": 0.0}],
        "values": {"gain_db": gain_db},
    }
    return {"as_of_sample": as_of_sample, "tracks": {"voice": track}}


def test_an_event_holds_against_a_description_made_before_it() -> None:
    values = Values(description(0, 0.0))
    values.take(SetParam("voice", "gain_db", -5.0, at_sample=1000))
    assert Values(description(1000, 0.0), values)[GAIN] == -5.0
    assert Values(description(1001, -3.0), values)[GAIN] == -3.0


def test_an_event_holds_through_any_number_of_older_descriptions() -> None:
    values = Values(description(0, 0.0))
    values.take(SetParam("voice", "gain_db", -5.0, at_sample=1000))
    for as_of_sample in (700, 800, 900):
        values = Values(description(as_of_sample, 0.0), values)
    assert values[GAIN] == -5.0


def test_a_macro_stays_where_it_is_while_its_preset_plays() -> None:
    values = Values(description(0, 0.0))
    values.put(DRIFT, 0.75)
    again = Values(description(500, 0.0), values)
    assert again[DRIFT] == 0.75
    assert Values(description(900, 0.0, preset="two"), again)[DRIFT] == 0.0
