"""Triggers on tracks: on their sample, on the candidate too, answered where nothing plays clips."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from synthhost.core.arrays import Audio
from synthhost.core.messages import (
    Accepted,
    CommitCue,
    CuePreset,
    Failed,
    LoadPreset,
    NoteOff,
    Panic,
    SetParam,
    Trigger,
)

CLIPS = {"name": "c", "clips": {}, "model": {"frames": 60}}
LOUD = {"name": "d", "clips": {}, "model": {"frames": 60, "omega": 0.3}}
HIT = (0.5, 0.0)


def sine(omega: float = 0.05) -> Audio:
    return (0.5 * np.sin(omega * np.arange(300))).astype(np.float32)


def hit(at: int, track: str = "c", latent: tuple[float, ...] | None = HIT) -> Trigger:
    return Trigger(track, None, 1.0, latent, 0, at)


@pytest.mark.parametrize("block_samples", [32, 64, 256])
def test_a_trigger_sounds_from_its_sample_on_in_any_block(bench: Any, block_samples: int) -> None:
    live = bench({"c": CLIPS}, block_samples=block_samples)
    live.send(hit(101), hit(102))
    heard = live.render(512)
    expected = np.zeros(512, np.float32)
    for at in (101, 102):
        expected[at : at + 300] += sine()
    np.testing.assert_allclose(heard[0], expected, atol=1e-6)
    assert [event.command.at_sample for event in live.of(Accepted)] == [101, 102]
    assert not live.of(Failed)


def test_what_cannot_be_triggered_is_answered(bench: Any) -> None:
    live = bench({"c": CLIPS, "a": {"name": "a"}})
    live.send(hit(0, "a"), hit(0, "nobody"), hit(0, latent=(1.0,)), NoteOff("a", 36.0, 0))
    live.send(hit(0, latent=(0.5, float("inf"))), Trigger("c", float("nan"), 1.0, None))
    live.render(64)
    reasons = {(event.address, event.reason) for event in live.of(Failed)}
    assert reasons == {
        ("/track/a/trigger", "the track's present preset plays no clips"),
        ("/track/nobody/trigger", "there is no such track"),
        ("/track/c/trigger", "the model's vectors have 2 dimensions, this one has 1"),
        ("/track/a/note/off", "the track's present preset plays no clips"),
        ("/track/c/trigger", "a number in it is not finite"),
    }


def test_a_candidate_is_triggered_with_the_track_and_heard_on_the_cue_bus(bench: Any) -> None:
    live = bench({"c": CLIPS})
    live.send(CuePreset("c", "d", LOUD))
    live.render(640)
    live.send(hit(640))
    heard = live.render(384)
    np.testing.assert_allclose(heard[0, :300], sine(), atol=1e-6)
    np.testing.assert_allclose(heard[2, :300], sine(0.3), atol=1e-6)
    live.send(CommitCue("c", 0.0))
    live.render(64)
    live.send(hit(1088))
    np.testing.assert_allclose(live.render(320)[0, :300], sine(0.3), atol=1e-6)


def test_a_candidate_of_clips_can_be_played_where_the_track_plays_none(bench: Any) -> None:
    live = bench({"c": {"name": "a", "level": 0.0}})
    assert live.renderer.tracks[0].describe()["clip_bands"] is None
    live.send(CuePreset("c", "d", LOUD))
    live.render(640)
    assert live.renderer.tracks[0].describe()["clip_bands"] == 2
    live.send(hit(640))
    np.testing.assert_allclose(live.render(320)[2, :300], sine(0.3), atol=1e-6)
    assert not live.of(Failed)


def test_clips_sound_on_while_the_track_fades_to_another_preset(bench: Any) -> None:
    live = bench({"c": CLIPS})
    live.send(hit(0), LoadPreset("c", "d", LOUD, 20.0))
    live.render(64)
    heard = live.render(256)
    assert np.abs(heard[0, :32]).max() > 0.05
    live.send(hit(320))
    np.testing.assert_allclose(live.render(320)[0, :300], sine(0.3), atol=1e-6)


def test_a_panic_ends_every_clip_for_good(bench: Any) -> None:
    live = bench({"c": {**CLIPS, "model": {"frames": 2000}}})
    live.send(hit(0))
    live.render(128)
    live.send(Panic(128))
    live.render(256)
    live.send(SetParam("c", "mute", 0.0, 384))
    assert not live.render(1024).any()


def test_a_trigger_shows_in_what_the_track_cost(bench: Any) -> None:
    live = bench({"c": CLIPS})
    live.render(64)
    assert live.renderer.model_seconds == 0.0
    live.send(hit(64))
    live.render(64)
    assert live.renderer.model_seconds > 0.0
