"""An option of a model changes while it plays: the same voice built anew, every control where it stood."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthhost.core.messages import Accepted, Activate, Failed, LoadPreset, SetOption, SetParam, TakeRung
from synthhost.core.options import OptionSpec, options_of
from synthhost.engine.loading import VoiceJob

BODY = {"name": "glow", "model": {"omega": 0.05}, "level": 0.5, "echo": True}
STEPS = OptionSpec("steps", 6, "how many", 1, 50)


@pytest.fixture
def playing(bench: Any) -> Any:
    made = bench({"a": BODY}, patience=2)
    track = made.renderer.tracks[0]
    track.playing = replace(track.playing, option_specs=(STEPS,), options={"steps": 6})
    return made


def test_the_voice_is_built_anew_where_everything_stands(playing: Any) -> None:
    playing.send(SetParam("a", "level", 0.3), SetParam("a", "fx.0.gain", 0.7))
    playing.render(64)
    playing.send(SetOption("a", "steps", 4, 20.0, 70, origin=3))
    playing.render(128)
    (job,) = playing.loader.jobs
    assert isinstance(job, VoiceJob)
    assert job.kept
    assert job.body == {**BODY, "options": {"steps": 4}}
    assert (job.values["level"], job.values["fx.0.gain"]) == (0.3, 0.7)
    playing.send(SetParam("a", "fx.0.gain", 0.9))
    assert np.isfinite(playing.render(1024)).all()
    assert [type(event.command) for event in playing.of(Accepted)][-1] in (Activate, SetParam)
    assert playing.renderer.tracks[0].playing.body["options"] == {"steps": 4}
    assert playing.renderer.tracks[0].playing.values["fx.0.gain"] == 0.9  # moved while it was built


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [("step", 4, "Did you mean 'steps'"), ("steps", 99, "outside 1 to 50"), ("steps", "few", "a number")],
)
def test_what_is_no_option_is_answered(playing: Any, option: str, value: Any, reason: str) -> None:
    playing.send(SetOption("a", option, value, 20.0, origin=3))
    playing.render(64)
    (failed,) = playing.of(Failed)
    assert (failed.origin, failed.address) == (3, f"/track/a/model/{option}")
    assert reason in failed.reason
    assert playing.loader.jobs == []


def test_the_description_tells_the_options(playing: Any) -> None:
    described = playing.renderer.tracks[0].describe()
    assert described["options"][0]["name"] == "steps"
    assert described["option_values"] == {"steps": 6}


def on_ladder(playing: Any) -> Any:
    """Return the one track, with two rungs below it."""
    track = playing.renderer.tracks[0]
    body = {**BODY, "ladder": [{"steps": 4}, {"steps": 2}], "rung": 0}
    track.playing = replace(track.playing, body=body)
    return track


def test_a_rung_is_built_like_an_option_and_told_with_its_reason(playing: Any) -> None:
    track = on_ladder(playing)
    assert track.rungs_left == 2
    playing.send(SetParam("a", "level", 0.3), TakeRung("a", 1, "late", 5.0))
    playing.render(1024)
    (job,) = playing.loader.jobs
    assert (job.kept, job.body["rung"], job.values["level"]) == (True, 1, 0.3)
    assert "options" not in job.body  # what the preset says itself stays as it is, for the way up
    told = track.describe()
    assert (told["rung"], told["rung_reason"], len(told["ladder"])) == (1, "late", 2)
    assert track.rungs_left == 1


def test_an_option_said_by_hand_is_the_new_top_of_the_ladder(playing: Any) -> None:
    track = on_ladder(playing)
    playing.send(TakeRung("a", 1, "late", 5.0))
    playing.render(1024)
    track.playing = replace(track.playing, option_specs=(STEPS,))
    playing.send(SetOption("a", "steps", 9, 5.0))
    playing.render(1024)
    body = playing.loader.jobs[-1].body
    assert (body["options"], body["ladder"], body["rung"]) == ({"steps": 9}, [{"steps": 2}], 0)
    assert track.describe()["rung_reason"] == ""


def test_an_option_said_by_hand_holds_on_the_lowest_rung_too(playing: Any) -> None:
    track = on_ladder(playing)
    track.playing = replace(track.playing, body={**track.playing.body, "rung": 2})
    playing.send(SetOption("a", "steps", 9, 5.0))
    playing.render(1024)
    body = track.playing.body
    assert options_of(body) == {"steps": 9}
    assert (body["ladder"], body["rung"], track.rungs_left) == ([], 0, 0)


OTHER = {**BODY, "name": "other", "model": {"omega": 0.09}}
LADDERED = {**BODY, "ladder": [{"steps": 4}], "rung": 0}
CHANGED = "the track has been changed meanwhile, so rung 1 is not taken"


def rung_of(preset: str) -> TakeRung:
    return TakeRung("a", 1, "late", 5.0, preset=preset)


def reasons(playing: Any) -> list[str]:
    return [failed.reason for failed in playing.of(Failed)]


def test_a_rung_does_not_take_the_place_of_a_preset_that_waits_for_its_fade(playing: Any) -> None:
    track = playing.renderer.tracks[0]
    long_ms = 500.0
    playing.send(LoadPreset("a", "glow", LADDERED, long_ms))
    playing.render(1024)
    playing.send(LoadPreset("a", "other", OTHER, 5.0))
    playing.render(1024)
    assert (track.playing.name, track.awaits) == ("glow", True)
    playing.send(rung_of("glow"))
    playing.render(8192)
    assert (track.playing.name, reasons(playing)) == ("other", [CHANGED])


def test_a_rung_waits_for_the_fade_of_its_own_preset(playing: Any) -> None:
    track = playing.renderer.tracks[0]
    playing.send(LoadPreset("a", "glow", LADDERED, 500.0))
    playing.render(1024)
    track.playing = replace(track.playing, option_specs=(STEPS,))
    playing.send(rung_of("glow"))
    playing.render(8192)
    assert (track.playing.body["rung"], reasons(playing)) == (1, [])


@pytest.mark.parametrize(
    ("change", "plays"),
    [(LoadPreset("a", "other", OTHER, 5.0), "other"), (SetOption("a", "steps", 9, 5.0), "glow")],
)
def test_a_rung_that_is_built_after_another_change_is_not_taken(
    playing: Any, change: Any, plays: str
) -> None:
    track = on_ladder(playing)
    playing.send(change, rung_of("glow"))  # both are being built
    playing.render(1024)
    assert (track.playing.name, track.playing.body.get("rung", 0)) == (plays, 0)
    assert reasons(playing) == [CHANGED]
    assert len(playing.loader.retired) == 2  # what played, and what was built in vain


def test_a_rung_of_a_preset_that_plays_no_more_is_not_built(playing: Any) -> None:
    on_ladder(playing)
    playing.send(rung_of("before"))
    playing.render(1024)
    assert playing.loader.jobs == []
    assert reasons(playing) == [CHANGED]


@pytest.mark.parametrize("rung", [-1, 3])
def test_a_rung_that_is_not_there_is_answered(playing: Any, rung: int) -> None:
    on_ladder(playing)
    playing.send(TakeRung("a", rung, "late", 5.0, origin=3))
    playing.render(64)
    (failed,) = playing.of(Failed)
    assert (failed.origin, failed.address) == (3, "/track/a/rung")
    assert f"has 2 rungs, none is {rung}" in failed.reason
