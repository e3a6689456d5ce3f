"""Addresses of clips and latent vectors: what every form of a trigger means, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from synthhost.control.address import AddressTable
from synthhost.control.packets import OscMessage
from synthhost.core.errors import OscError
from synthhost.core.messages import NoteOff, SetParam, Trigger
from synthhost.core.params import ParamSpec

AT, ORIGIN = 77, 3


def track(source: str, dimensions: int, clip_bands: int | None) -> dict[str, Any]:
    """Describe a track whose model has a latent vector."""
    params = [
        ParamSpec(f"latent.{index}", "", -5.0, 5.0, 0.0, "a dimension").as_json()
        for index in range(dimensions)
    ]
    return {
        "params": params,
        "source": source,
        "bands": dimensions,
        "clip_bands": clip_bands,
        "mel": None,
        "values": {},
    }


@pytest.fixture
def table() -> AddressTable:
    """Give the addresses of clips, a latent stream, what runs by itself, and clips of no vector."""
    tracks = {
        "drums": track("clip", 3, 3),
        "pad": track("latent", 3, None),
        "wind": track("free", 0, None),
        "bells": track("clip", 0, 0),
    }
    return AddressTable({"tracks": tracks}, lambda name: {}, str, str)


def asked(table: AddressTable, address: str, *args: Any) -> list[Any]:
    return table.translate(OscMessage(address, args), AT, ORIGIN)


@pytest.mark.parametrize(
    ("args", "velocity", "latent"),
    [
        ((), 1.0, None),
        ((0.5,), 0.5, None),
        ((1,), 1.0, None),
        ((0.5, 1.0, -2.0, 3), 0.5, (1.0, -2.0, 3.0)),
        ((1.0, -2.0, 3.0), 1.0, (1.0, -2.0, 3.0)),
    ],
)
def test_a_trigger_takes_a_velocity_and_a_vector_both_left_out_at_will(
    table: AddressTable, args: tuple[Any, ...], velocity: float, latent: tuple[float, ...] | None
) -> None:
    assert asked(table, "/track/drums/trigger", *args) == [
        Trigger("drums", None, velocity, latent, 0, AT, ORIGIN)
    ]
    assert asked(table, "/track/drums/trigger/group", 4, *args) == [
        Trigger("drums", None, velocity, latent, 4, AT, ORIGIN)
    ]


def test_notes_begin_and_end_with_keys_that_may_be_fractions(table: AddressTable) -> None:
    assert asked(table, "/track/drums/note", 36, 0.8) == [Trigger("drums", 36.0, 0.8, None, 0, AT, ORIGIN)]
    assert asked(table, "/track/drums/note", 36.5, 1) == [Trigger("drums", 36.5, 1.0, None, 0, AT, ORIGIN)]
    assert asked(table, "/track/drums/note", 36.5, 0) == [NoteOff("drums", 36.5, AT, ORIGIN)]
    assert asked(table, "/track/drums/note/off", 36.5) == [NoteOff("drums", 36.5, AT, ORIGIN)]


@pytest.mark.parametrize("name", ["drums", "pad"])
def test_a_whole_vector_sets_every_dimension_in_one_bundle(table: AddressTable, name: str) -> None:
    assert asked(table, f"/track/{name}/latent", 0.5, -9, 1) == [
        SetParam(name, "latent.0", 0.5, AT, ORIGIN),
        SetParam(name, "latent.1", -5.0, AT, ORIGIN),
        SetParam(name, "latent.2", 1.0, AT, ORIGIN),
    ]
    assert asked(table, f"/track/{name}/latent/1", 2.5) == [SetParam(name, "latent.1", 2.5, AT, ORIGIN)]


def test_clips_of_a_model_without_a_vector_take_a_velocity_alone(table: AddressTable) -> None:
    assert asked(table, "/track/bells/trigger", 0.25) == [Trigger("bells", None, 0.25, None, 0, AT, ORIGIN)]
    assert asked(table, "/track/bells/trigger") == [Trigger("bells", None, 1.0, None, 0, AT, ORIGIN)]
    with pytest.raises(OscError, match="takes nothing or a velocity, and got 2 arguments"):
        asked(table, "/track/bells/trigger", 0.25, 1.0)


@pytest.mark.parametrize(
    ("address", "args", "words"),
    [
        ("trigger", (0.5, 1.0), "a velocity and 3 numbers of a latent vector, and got 2 arguments"),
        ("trigger", (100,), "a velocity lies from 0 to 1, not 100; divide a MIDI velocity by 127"),
        ("trigger", (float("nan"),), "not a value that can be played"),
        ("trigger", (0.5, 1.0, "a", 2.0), "argument 2 must be a number"),
        ("trigger", (0.5, 1.0, 1e6, 2.0), "numbers lie from -100 to 100"),
        ("trigger/group", (), "takes a choke group"),
        ("trigger/group", (0.5,), "whole number from 0 to 127"),
        ("note", (36,), "takes a key"),
        ("note", (128, 1.0), "a key lies from 0 to 127, not 128"),
        ("note", (36, -0.5), "a velocity lies"),
        ("note/off", (), "takes a key"),
        ("latent", (1.0, 2.0), "takes 3 numbers, one for each dimension"),
    ],
)
def test_what_is_no_trigger_is_refused_with_what_is_wanted(
    table: AddressTable, address: str, args: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(OscError, match=words):
        asked(table, f"/track/drums/{address}", *args)


@pytest.mark.parametrize("address", ["/track/pad/trigger", "/track/wind/latent", "/track/wind/note"])
def test_tracks_have_only_the_addresses_their_models_answer(table: AddressTable, address: str) -> None:
    with pytest.raises(OscError, match="no such address"):
        asked(table, address)
