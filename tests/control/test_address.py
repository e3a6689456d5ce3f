from __future__ import annotations

import contextlib
import json
import math
import struct
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.control.address import AddressTable, below
from synthhost.control.mel_endpoint import read_mel
from synthhost.control.packets import OscMessage, TimeTag
from synthhost.control.requests import (
    Heartbeat,
    ListAddresses,
    MoveMacro,
    Query,
    Refusal,
    StatusRequest,
    Subscribe,
    Unsubscribe,
)
from synthhost.control.values import Values
from synthhost.core.errors import ConfigError, OscError, SynthhostError
from synthhost.core.mel_conventions import MEL_CONVENTIONS as CONVENTION
from synthhost.core.mel_units import mel_units
from synthhost.core.messages import (
    MASTER,
    NOW,
    CommitCue,
    CuePreset,
    DropCue,
    LoadPreset,
    LoadTape,
    Panic,
    PushMel,
    SetOption,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
)
from synthhost.core.options import OptionSpec


def preset(name: str) -> dict[str, Any]:
    if name != "choir-pad":
        raise ConfigError(f"no preset is named {name!r}. Did you mean 'choir-pad'?")
    return {"name": name}


@pytest.fixture
def table(description: dict[str, Any]) -> AddressTable:
    return AddressTable(description, preset, lambda path: f"/sounds/{path}", lambda name: f"/takes/{name}")


def asked(table: AddressTable, address: str, *args: Any) -> list[Any]:
    return table.translate(OscMessage(address, args), 5, 9)


@pytest.mark.parametrize(
    ("address", "track", "param"),
    [
        ("/track/voice/param/speed", "voice", "speed"),
        ("/track/voice/tape/speed", "voice", "speed"),
        ("/track/voice/tape/freeze", "voice", "freeze"),
        ("/track/voice/fx/0/wet_level", "voice", "fx.0.wet_level"),
        ("/track/voice/param/fx.0.wet_level", "voice", "fx.0.wet_level"),
        ("/track/voice/gain", "voice", "gain_db"),
        ("/track/choir/pan", "choir", "pan"),
        ("/track/choir/param/depth", "choir", "depth"),
        ("/master/gain", MASTER, "gain_db"),
        ("/master/param/gain_db", MASTER, "gain_db"),
    ],
)
def test_parameters_are_set_in_their_unit(table: AddressTable, address: str, track: str, param: str) -> None:
    assert asked(table, address, 1) == [SetParam(track, param, 1.0, 5, 9)]


@pytest.mark.parametrize("value", [1, 1.0, True, 1 << 40])
def test_any_numeric_type_is_a_number(table: AddressTable, value: float) -> None:
    (command,) = asked(table, "/track/voice/mute", value)
    assert command.value == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, "1", None, b"", TimeTag(1), ()])
def test_what_is_no_finite_number_is_refused(table: AddressTable, value: Any) -> None:
    with pytest.raises(OscError, match="argument 1"):
        asked(table, "/track/voice/gain", value)


@given(value=st.floats(allow_nan=False, allow_infinity=False))
def test_values_outside_are_clipped_to_the_declared_range(value: float) -> None:
    table = AddressTable(
        {"tracks": {}, "master": {"params": [_gain()]}}, preset, lambda path: path, lambda _: "/takes/new"
    )
    (command,) = asked(table, "/master/gain", value)
    assert command.value == min(max(value, -60.0), 12.0)


def _gain() -> dict[str, Any]:
    return {"name": "gain_db", "unit": "dB", "minimum": -60, "maximum": 12, "default": 0, "doc": "loudness"}


def test_norm_addresses_follow_the_curve(table: AddressTable) -> None:
    (command,) = asked(table, "/track/voice/norm/fx.1.cutoff_hz", 0.5)
    assert command.value == pytest.approx(math.sqrt(20 * 20_000))


@pytest.mark.parametrize("args", [(), (1, 2)])
def test_a_wrong_count_of_arguments_is_told(table: AddressTable, args: tuple[int, ...]) -> None:
    with pytest.raises(OscError, match=f"one number .*-60 to 12 dB.*got {len(args)}"):
        asked(table, "/track/voice/gain", *args)


def test_a_macro_moves_all_its_targets_within_their_ranges(table: AddressTable) -> None:
    assert asked(table, "/track/voice/macro/drift", 0.75) == [
        MoveMacro("voice", "drift", 0.75),
        SetParam("voice", "speed", -0.5, 5, 9),
        SetParam("voice", "fx.0.wet_level", 1.0, 5, 9),
    ]


def test_tapes_presets_and_cues_become_their_commands(table: AddressTable) -> None:
    body = {"name": "choir-pad"}
    assert asked(table, "/track/voice/tape/load_b", "x.wav") == [
        LoadTape("voice", "b", "/sounds/x.wav", 5, 9)
    ]
    assert asked(table, "/track/voice/preset", "choir-pad") == [
        LoadPreset("voice", "choir-pad", body, 30.0, 5, 9)
    ]
    assert asked(table, "/track/voice/preset", "choir-pad", 500) == [
        LoadPreset("voice", "choir-pad", body, 500.0, 5, 9)
    ]
    assert asked(table, "/track/voice/cue", "choir-pad") == [CuePreset("voice", "choir-pad", body, 5, 9)]
    assert asked(table, "/track/voice/cue/commit", 80) == [CommitCue("voice", 80.0, 5, 9)]
    assert asked(table, "/track/voice/cue/drop") == [DropCue("voice", 5, 9)]


def test_the_show_addresses_become_their_commands(table: AddressTable) -> None:
    assert asked(table, "/panic") == [Panic(5, 9)]
    assert asked(table, "/record/start", "take") == [StartRecording("/takes/take", "wav24", 5, 9)]
    assert asked(table, "/record/start", "take", "flac") == [StartRecording("/takes/take", "flac", 5, 9)]
    assert asked(table, "/record/stop") == [StopRecording(5, 9)]
    assert asked(table, "/sync", 77.0) == [Sync(77, 5, 9)]
    with pytest.raises(OscError, match="whole number"):
        asked(table, "/sync", 0.5)
    with pytest.raises(OscError, match="not a format"):
        asked(table, "/record/start", "take", "mp3")


def test_questions_become_requests(table: AddressTable) -> None:
    assert asked(table, "/status") == [StatusRequest()]
    assert asked(table, "/q/track/*/gain") == [Query(("/track/voice/gain", "/track/choir/gain"))]
    assert asked(table, "/subscribe", 9001, "/meter", 1000, 1e9) == [Subscribe(9001, "/meter", 60.0, 3600.0)]
    assert asked(table, "/unsubscribe") == [Unsubscribe(0, "")]
    assert asked(table, "/list") == [ListAddresses("/")]


def test_another_hosts_heartbeat_is_not_answered(table: AddressTable) -> None:
    assert asked(table, "/heartbeat") == [Heartbeat()]
    assert asked(table, "/heartbeat", 3) == []


def test_a_pattern_reaches_every_match(table: AddressTable) -> None:
    assert asked(table, "/track/*/gain", -6) == [
        SetParam("voice", "gain_db", -6.0, 5, 9),
        SetParam("choir", "gain_db", -6.0, 5, 9),
    ]


def test_those_that_refuse_a_patterns_arguments_are_named(table: AddressTable) -> None:
    *commands, refusal = asked(table, "/track/voice/{gain,preset}", 1)
    assert commands == [SetParam("voice", "gain_db", 1.0, 5, 9)]
    assert isinstance(refusal, Refusal)
    assert refusal.address == "/track/voice/preset"
    with pytest.raises(OscError, match="2 matches"):
        asked(table, "/track/*/gain", "loud")


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/track/voice/param/sped", "/track/voice/param/speed"),
        ("/track/vioce/gain", "'voice'"),
        ("/maste/gain", "/master/gain"),
        ("/track", "no such address"),
        ("/track/", "No track is named ''"),
        ("/q/track/voice/gian", "/track/voice/gain"),
        ("/q/panic", "no value"),
        ("/nothing/*", "no address matches"),
        ("/track/{voice", "does not close"),
    ],
)
def test_unknown_addresses_are_told_with_the_nearest_known(
    table: AddressTable, address: str, told: str
) -> None:
    with pytest.raises(OscError) as caught:
        asked(table, address, 1)
    assert told in str(caught.value)


def test_unknown_presets_are_told_with_the_nearest_known(table: AddressTable) -> None:
    with pytest.raises(SynthhostError, match="choir-pad"):
        asked(table, "/track/voice/preset", "choir-pda")


def test_frames_come_as_numbers_or_blob_with_or_without_index(table: AddressTable) -> None:
    frames = np.arange(160, dtype=np.float32) / 16 - 8
    blob = struct.pack(">160f", *frames)
    for args, index in [
        (tuple(frames.tolist()), None),
        ((7, *frames.tolist()), 7),
        ((7.0, *frames.tolist()), 7),
        ((blob,), None),
        ((7, blob), 7),
    ]:
        (command,) = asked(table, "/track/choir/mel", *args)
        assert isinstance(command, PushMel)
        assert (command.index, command.frames.shape, command.frames.dtype) == (index, (80, 2), np.float32)
        np.testing.assert_array_equal(command.frames.T.ravel(), frames)


@pytest.mark.parametrize(
    "args",
    [
        (),
        (1,),
        (1.0,) * 79,
        (-80.0,) * 80,  # decibels
        (1.0,) * 82,
        (b"",),
        (bytes(319),),
        (bytes(320), 1),
        (-1, bytes(320)),
        (0.5, bytes(320)),
        (1, 2, bytes(320)),
        (struct.pack(">f", math.nan) * 80,),
        (math.inf,) * 80,
        (1e300,) * 80,
        ("x",) * 80,
    ],
)
def test_what_is_no_whole_finite_frame_is_refused(args: tuple[Any, ...]) -> None:
    with pytest.raises(OscError, match=r"\w+"):
        read_mel(args, 80, CONVENTION["jik876"].published)


@pytest.mark.parametrize("name", CONVENTION)
def test_frames_of_each_convention_are_taken_and_decibels_refused(name: str) -> None:
    mel = CONVENTION[name].published
    units = mel_units(mel)
    for value in (units.silence, units.ceiling):
        _, frames = read_mel((value,) * 80, 80, mel)
        np.testing.assert_array_equal(frames, np.float32(value))
    for decibels in (-100.0, -60.0, -52.0):
        with pytest.raises(OscError, match=f"no value of mel convention '{name}'.*not decibels"):
            read_mel((units.silence,) * 79 + (decibels,), 80, mel)


def test_what_is_scaled_into_0_to_1_takes_no_plain_logarithms() -> None:
    with pytest.raises(OscError, match=r"holds -5\.5.* scaled into 0\.\.1"):
        read_mel((-5.5,) * 128, 128, CONVENTION["lmnt"].published)


def test_a_tape_track_says_why_it_takes_no_frames(table: AddressTable) -> None:
    with pytest.raises(OscError, match="of kind 'tape'"):
        asked(table, "/track/voice/mel", *(0.0,) * 80)


def test_now_stays_now(table: AddressTable) -> None:
    (command,) = table.translate(OscMessage("/panic"))
    assert command == Panic(NOW, 0)


@given(
    address=st.text(max_size=30),
    args=st.lists(st.one_of(st.floats(), st.text(max_size=4), st.binary(max_size=4))),
)
def test_whatever_is_asked_is_answered_or_refused(address: str, args: list[Any]) -> None:
    table = AddressTable({"tracks": {}, "master": {"params": [_gain()]}}, preset, str, lambda _: "/takes/new")
    with contextlib.suppress(SynthhostError):
        assert table.translate(OscMessage("/" + address, tuple(args)))


def test_prefixes_end_at_whole_parts() -> None:
    assert below("/track/a/gain", "/track/a")
    assert below("/track/a/gain", "/track/a/")
    assert below("/track/a", "/track/a")
    assert below("/track/a", "/")
    assert not below("/track/ab", "/track/a")


OPTIONS = [
    asdict(OptionSpec("steps", 6, "how many steps", 1, 50)),
    asdict(OptionSpec("mode", "exact", "how it streams", choices=("exact", "window"))),
]


@pytest.fixture
def stepped(description: dict[str, Any]) -> AddressTable:
    described = json.loads(json.dumps({**description}))  # as it comes over the board
    described["tracks"]["voice"]["options"] = json.loads(json.dumps(OPTIONS))
    described["tracks"]["voice"]["option_values"] = {"steps": 4}
    return AddressTable(described, preset, str, str)


def test_options_of_the_model_are_set_as_what_they_are(stepped: AddressTable) -> None:
    (steps,) = asked(stepped, "/track/voice/model/steps", 8.0, 500)
    assert steps == SetOption("voice", "steps", 8, 500.0, 5, 9)
    assert type(steps.value) is int
    (mode,) = asked(stepped, "/track/voice/model/mode", "window")
    assert (mode.option, mode.value) == ("mode", "window")
    assert stepped.endpoints["/track/voice/model/steps"].read(Values({})) == 4
    assert stepped.endpoints["/track/voice/model/mode"].read(Values({})) == "exact"


@pytest.mark.parametrize(
    ("option", "value"), [("steps", 0), ("steps", "six"), ("mode", "windy"), ("mode", 1)]
)
def test_a_value_no_option_can_take_is_refused(stepped: AddressTable, option: str, value: Any) -> None:
    with pytest.raises(SynthhostError):
        asked(stepped, f"/track/voice/model/{option}", value)


def test_a_take_that_runs_is_not_ended_by_another(description: dict[str, Any]) -> None:
    described = {**description, "recording": "/takes/show"}
    table = AddressTable(described, preset, str, lambda name: f"/takes/{name}")
    with pytest.raises(OscError, match="into /takes/show; send /record/stop first"):
        asked(table, "/record/start", "extra")
    assert asked(table, "/record/stop") == [StopRecording(5, 9)]
    assert asked(table, "/record/start", "extra") == [StartRecording("/takes/extra", "wav24", 5, 9)]
