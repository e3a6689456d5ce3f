"""The render loop: commands at their sample, answers for what cannot be, stems of what was put out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.board import STATUS_FIELDS, StatusPage
from synthhost.core.messages import (
    MASTER,
    Accepted,
    Activate,
    CommitCue,
    CuePreset,
    DropCue,
    Failed,
    LoadPreset,
    LoadTape,
    Notice,
    Panic,
    PushMel,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    Synced,
)
from synthhost.core.region import Region

A, B = {"name": "a", "level": 0.4}, {"name": "b", "level": 0.2, "model": {"omega": 0.08}}
NEW: dict[str, Any] = {"name": "new", "model": {"omega": 0.11}}


@pytest.fixture
def pair(bench: Any) -> Any:
    """Two tracks whose loads come four blocks after they were asked for."""
    return bench({"a": A, "b": B}, patience=4)


def test_the_master_is_the_sum_of_the_tracks_and_the_cue_is_silent(pair: Any) -> None:
    heard = pair.render(640)
    np.testing.assert_array_equal(heard[:2], [pair.alone(A, 640) + pair.alone(B, 640)] * 2)
    assert not heard[2:].any()
    assert pair.renderer.sample == 640


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 1200), min_size=1, max_size=8), st.sampled_from([16, 80, 400]))
def test_a_command_takes_effect_at_its_sample_whatever_the_blocks(
    bench: Any, places: list[int], block_samples: int
) -> None:
    benches = [bench({"a": A}, block_samples=size) for size in (1200, block_samples)]
    for one in benches:
        for number, at in enumerate(places):
            one.send(SetParam("a", "gain_db", -3.0 * number, at))
    np.testing.assert_array_equal(benches[0].render(1200), benches[1].render(1200))
    taken = [event.command.at_sample for event in benches[1].of(Accepted)]
    assert taken == sorted(at for at in places if at < 1200)
    assert benches[1].of(Failed) == []


def test_a_mute_begins_at_its_very_sample(pair: Any) -> None:
    pair.send(SetParam("b", "mute", 1.0, 100), SetParam("a", "gain_db", -90.0, 100))
    heard = pair.render(256)
    whole = pair.alone(A, 256) + pair.alone(B, 256)
    np.testing.assert_array_equal(heard[0, :100], whole[:100])
    assert heard[0, 100] != whole[100]
    assert not heard[0, 180:].any()


def test_late_commands_take_effect_at_once_and_are_counted(pair: Any, tmp_path: Any) -> None:
    pair.render(640)
    pair.send(SetParam("a", "level", 0.1, 600))
    pair.send(SetParam("a", "level", 0.2))
    pair.render(64)
    late, now = pair.of(Accepted)
    assert (late.command.at_sample, late.late_samples) == (640, 40)
    assert (now.command.at_sample, now.late_samples) == (640, 0)
    Region.create(tmp_path / "status", STATUS_FIELDS.itemsize)
    status = StatusPage(Region.open(tmp_path / "status"))
    pair.renderer.show(status)
    assert status["late_commands"] == 1
    assert status["worst_command_late_ms"] == 5.0
    assert status["commands"] == 2
    assert status["queued_commands"] == status["refused_commands"] == status["recording"] == 0
    assert status.track(0)["held_frames"] == 3
    assert 0.0 < status.track(1)["peak"][0] < status.track(0)["peak"][0]


def test_one_bundle_takes_effect_at_one_sample(pair: Any) -> None:
    pair.render(64)
    pair.send(*(SetParam(track, "mute", 1.0) for track in "abab"))
    pair.send(*(SetParam(track, "mute", 0.0, 150) for track in "abab"))
    pair.render(192)
    assert [event.command.at_sample for event in pair.of(Accepted)] == [64] * 4 + [150] * 4


def test_a_queue_without_room_is_answered(bench: Any) -> None:
    small = bench({"a": A}, capacity=3)
    small.send(*(SetParam("a", "level", 0.1, 50, origin=7) for _ in range(3)))
    assert not small.of(Failed)
    small.send(SetParam("a", "level", 0.2, 50, origin=8))
    small.send(SetParam("a", "level", 0.2, 10**9, origin=9))
    assert [failed.origin for failed in small.of(Failed)] == [8, 9]
    assert "full" in small.of(Failed)[0].reason
    small.render(64)
    assert len(small.of(Accepted)) == 3


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("track", ["a", MASTER, "nobody"])
def test_values_that_are_no_numbers_are_refused(bench: Any, value: float, track: str) -> None:
    one = bench({"a": A})
    one.send(SetParam(track, "gain_db", value, origin=4))
    np.testing.assert_array_equal(one.render(64)[0], one.alone(A, 64))
    assert not one.of(Accepted)
    assert "finite" in one.of(Failed)[0].reason
    assert one.of(Failed)[0].origin == 4


@pytest.mark.parametrize(
    ("command", "address"),
    [
        (SetParam("a", "wobble", 1.0), "/track/a/param/wobble"),
        (SetParam(MASTER, "wobble", 1.0), "/master/wobble"),
        (SetParam("nobody", "level", 1.0), "/track/nobody/param/level"),
        (PushMel("nobody", None, np.zeros((2, 1), dtype=np.float32)), "/track/nobody/mel"),
        (PushMel("a", None, np.full((2, 1), np.nan, dtype=np.float32)), "/track/a/mel"),
        (PushMel("a", None, np.zeros((3, 1), dtype=np.float32)), "/track/a/mel"),
        (LoadPreset("nobody", "new", NEW, 20.0), "/track/nobody/preset"),
        (LoadPreset("a", "new", NEW, float("nan")), "/track/a/preset"),
        (CuePreset("nobody", "new", NEW), "/track/nobody/cue"),
        (LoadTape("nobody", "a", "x.wav"), "/track/nobody/tape/load"),
        (LoadTape("a", "c", "x.wav"), "/track/a/tape/load"),
        (CommitCue("a", 20.0), "/track/a/cue"),
        (CommitCue("a", float("inf")), "/track/a/cue"),
        (DropCue("a"), "/track/a/cue"),
        (DropCue("nobody"), "/track/nobody/cue"),
        (StopRecording(), "/record/stop"),
        (Activate(3, {}), ""),
    ],
)
def test_what_cannot_be_done_is_answered(bench: Any, command: Any, address: str) -> None:
    one = bench({"a": A})
    one.send(command)
    np.testing.assert_array_equal(one.render(256)[0], one.alone(A, 256))
    (failed,) = one.of(Failed)
    assert failed.address == address
    assert failed.reason
    assert not one.loader.jobs


def test_a_preset_takes_its_place_at_a_definite_sample(pair: Any, make_voice: Any) -> None:
    pair.send(LoadPreset("a", "new", NEW, 20.0, 10, origin=5))
    pair.render(128)
    pair.send(SetParam("a", "level", 0.05), SetParam("a", "fx.0.gain", 0.5))
    heard = pair.render(1024 - 128)
    asked, first, _, activated = pair.of(Accepted)
    assert asked.command.at_sample == 10
    assert isinstance(activated.command, Activate)
    assert (activated.command.ticket, activated.command.origin) == (1, 5)
    assert activated.command.details == {"model": "new"}
    at_sample = activated.command.at_sample
    assert at_sample % 64 == 0
    assert at_sample > first.command.at_sample == 128
    playing = pair.renderer.tracks[0].playing
    assert playing.name == "new"
    assert playing.values["level"] == 0.05  # changed between asking and taking its place
    faded = at_sample - 128 + 160
    twin = make_voice(NEW, {"level": 0.4})
    twin.set_param("level", 0.05)
    sound, dry = np.zeros((2, 1024 - at_sample), dtype=np.float32), np.zeros(1024 - at_sample, np.float32)
    twin.voice.render(sound, dry)
    other = pair.alone(B, 1024)
    np.testing.assert_array_equal(heard[0, faded:], dry[160:] + other[at_sample + 160 :])
    assert [one.name for one in pair.loader.retired] == ["a"]


def test_a_newcomer_is_warmed_on_the_values_of_the_moment_it_was_asked_for(pair: Any) -> None:
    pair.send(SetParam("a", "level", 0.9, 5), LoadPreset("a", "new", NEW, 20.0, 30))
    pair.render(64)
    (job,) = pair.loader.jobs
    assert job.values["level"] == 0.9
    assert 0.0 < job.values["position"] < 1.0


def test_a_preset_that_cannot_be_loaded_is_answered_and_the_old_one_plays_on(pair: Any) -> None:
    pair.send(LoadPreset("a", "new", {**NEW, "broken": True}, 20.0, origin=6))
    heard = pair.render(640)
    np.testing.assert_array_equal(heard[0], pair.alone(A, 640) + pair.alone(B, 640))
    assert pair.of(Failed) == [Failed(6, "/track/a/preset", "the sound cannot be read")]


def test_what_has_not_taken_its_place_yet_is_named(pair: Any) -> None:
    pair.send(LoadPreset("a", "new", NEW, 0.0), StartRecording("/takes/1", "flac"))
    pair.render(64)
    assert pair.renderer.waiting == ["/track/a/preset", "/record/start"]
    pair.render(640)
    assert pair.renderer.waiting == []


def test_what_is_loaded_takes_its_place_though_the_queue_is_full(bench: Any) -> None:
    small = bench({"a": A}, capacity=2, patience=2)
    small.send(LoadPreset("a", "new", NEW, 0.0))
    small.render(64)
    small.send(SetParam("a", "level", 0.1, 90_000), SetParam("a", "level", 0.1, 90_000))
    small.render(256)
    assert small.renderer.tracks[0].playing.name == "new"
    assert not small.of(Failed)


def test_a_stray_activation_leaves_what_is_being_loaded_alone(pair: Any) -> None:
    pair.send(LoadPreset("a", "new", NEW, 0.0))
    pair.render(64)
    pair.send(Activate(1, {}))
    pair.render(640)
    assert pair.renderer.tracks[0].playing.name == "new"
    assert len(pair.of(Failed)) == 1


def test_the_cue_bus_carries_the_candidate_until_it_is_committed(pair: Any) -> None:
    pair.send(CuePreset("a", "new", NEW))
    heard = pair.render(640)
    np.testing.assert_array_equal(heard[0], pair.alone(A, 640) + pair.alone(B, 640))
    assert np.abs(heard[2:, 500:]).max() > 0.1
    pair.send(CommitCue("a", 20.0))
    heard = pair.render(640)
    assert not heard[2:, 160:].any()
    assert pair.renderer.tracks[0].playing.name == "new"


def test_a_tape_is_put_in_and_the_old_one_let_go_elsewhere(pair: Any) -> None:
    source = pair.renderer.tracks[0].playing.voice.source
    old = source.tapes["a"]
    pair.send(LoadTape("a", "a", "other"))
    pair.render(640)
    assert source.tapes["a"] is not old
    assert pair.loader.retired == [old]
    assert pair.of(Accepted)[1].command.details == {"sounds": {"other": "1"}}


def test_a_tape_that_comes_after_a_change_of_model_is_refused(pair: Any, make_voice: Any) -> None:
    pair.send(LoadTape("a", "a", "other"))
    pair.render(64)
    pair.renderer.tracks[0].swap(make_voice({"name": "wide", "model": {"bands": 3}}), 0.0)
    pair.render(640)
    assert "another model" in pair.of(Failed)[0].reason
    assert len(pair.loader.retired) == 2  # the voice that left and the tape nobody plays


def test_solo_closes_the_others_and_mute_wins(pair: Any) -> None:
    pair.send(SetParam("b", "solo", 1.0))
    heard = pair.render(640)
    np.testing.assert_array_equal(heard[0, 80:], pair.alone(B, 640)[80:])
    pair.send(SetParam("b", "mute", 1.0))
    assert not pair.render(640)[:, 80:].any()
    pair.send(SetParam("b", "solo", 0.0))
    np.testing.assert_array_equal(pair.render(640)[0, 80:], pair.alone(A, 1920)[1360:])


def test_panic_silences_everything_within_12_ms(pair: Any) -> None:
    pair.send(CuePreset("b", "new", NEW))
    pair.render(640)
    pair.send(Panic(650))
    heard = pair.render(640)
    assert np.abs(heard[:, :10]).max() > 0.1
    assert not heard[:, 10 + 96 :].any()


def test_the_last_block_may_be_shorter(pair: Any, tmp_path: Any) -> None:
    pair.send(SetParam("a", "mute", 1.0, 0), SetParam("b", "mute", 1.0, 100))
    pair.render(64)
    last = np.zeros((4, 50), dtype=np.float32)
    pair.renderer.render(last)
    assert pair.renderer.sample == 114
    assert [event.command.at_sample for event in pair.of(Accepted)] == [0, 100]
    np.testing.assert_array_equal(last[0, 16:36], pair.alone(B, 100)[80:])
    Region.create(tmp_path / "status", STATUS_FIELDS.itemsize)
    status = StatusPage(Region.open(tmp_path / "status"))
    pair.renderer.show(status)
    assert status.track(1)["peak"][0] == np.abs(last[0]).max()


def test_the_master_fader_scales_the_sum(pair: Any) -> None:
    pair.send(SetParam(MASTER, "gain_db", -90.0))
    assert not pair.render(128)[:, 80:].any()
    assert pair.renderer.master.strip.values["gain_db"] == -90.0


def test_a_sync_is_answered_in_its_turn_and_cuts_no_block(bench: Any) -> None:
    echoing, plain = bench({"a": {**A, "echo": True}}), bench({"a": {**A, "echo": True}})
    for one in (echoing, plain):
        one.send(SetParam("a", "fx.0.gain", 0.1, 10))
    echoing.send(Sync(77, 30, origin=2))
    np.testing.assert_array_equal(echoing.render(256), plain.render(256))
    assert echoing.of(Synced) == [Synced(2, 77)]
    assert len(echoing.of(Accepted)) == 1


def test_stems_have_what_was_put_out_from_block_edge_to_block_edge(pair: Any) -> None:
    pair.send(SetParam("a", "pan", -0.3, 5), CuePreset("b", "new", NEW))
    pair.render(640)
    pair.send(StartRecording("/takes/1", "wav32f", 650))
    heard = [pair.render(640)]
    pair.send(StopRecording(1300))
    heard.append(pair.render(128))
    (stems,) = pair.loader.stems
    whole = np.concatenate(heard, axis=1)
    assert stems.begun % 64 == 0
    assert 650 < stems.begun < 1280
    assert stems.ended == 1280
    part = slice(stems.begun - 640, stems.ended - 640)
    np.testing.assert_array_equal(stems.whole("master"), whole[:2, part])
    np.testing.assert_array_equal(stems.whole("cue"), whole[2:, part])
    np.testing.assert_array_equal(stems.whole("a-dry"), pair.alone(A, 1280)[None, stems.begun :])
    np.testing.assert_array_equal(stems.whole("a-wet") + stems.whole("b-wet"), stems.whole("master"))
    assert stems in pair.loader.retired
    assert pair.of(Notice) == [Notice("recording", "/takes/1", stems.begun)]


def test_a_new_recording_ends_the_one_before(pair: Any) -> None:
    pair.send(StartRecording("/takes/1", "wav32f"))
    pair.render(640)
    pair.send(StartRecording("/takes/2", "wav32f"))
    pair.render(640)
    first, second = pair.loader.stems
    assert first.ended == second.begun
    assert first in pair.loader.retired
    assert pair.renderer.stems is second


def test_a_recording_that_the_disk_ended_is_no_longer_shown(pair: Any, tmp_path: Any) -> None:
    pair.send(StartRecording("take", "flac"))
    pair.render(640)
    Region.create(tmp_path / "status", STATUS_FIELDS.itemsize)
    status = StatusPage(Region.open(tmp_path / "status"))
    pair.renderer.show(status)
    assert status["recording"] == 1
    (stems,) = pair.loader.stems
    stems.error = "there is no room left on the disk"
    pair.renderer.show(status)
    assert status["recording"] == 0
    pair.send(StopRecording())
    pair.render(64)
    assert pair.of(Failed) == []  # as in a replay, where no disk was full
    assert stems.ended >= 0


def test_samples_that_are_not_finite_are_shown(bench: Any, tmp_path: Any) -> None:
    broken = bench({"a": {"name": "a", "model": {"bad_from": 100}}})
    assert np.isfinite(broken.render(256)).all()
    assert broken.renderer.bad_samples == 10


def test_the_revision_grows_when_what_can_be_told_has_changed(pair: Any) -> None:
    seen = [pair.renderer.revision]
    for command in (LoadPreset("a", "new", NEW, 0.0), CuePreset("b", "new", NEW), CommitCue("b", 0.0)):
        pair.send(command)
        pair.render(640)
        seen.append(pair.renderer.revision)
    pair.send(StartRecording("/takes/1", "wav32f"))
    pair.render(640)
    pair.send(StopRecording())
    pair.render(64)
    seen.append(pair.renderer.revision)
    assert seen == sorted(set(seen))
    pair.send(SetParam("a", "level", 0.1))
    pair.render(64)
    assert pair.renderer.revision == seen[-1]
