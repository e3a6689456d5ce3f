"""A track: changes without a step, candidates on the cue bus alone, panic that silences and forgets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.engine.track import Track

RATE = 8000
FADE_MS, FADE_SAMPLES = 20.0, 160
OLD = {"name": "old", "level": 0.4}
NEW = {"name": "new", "level": 0.3, "model": {"omega": 0.08}}
OWN_STEP = 0.7 * 0.05 + 0.6 * 0.08  # of both sines at once, tapes included
FADE_STEP = 1.8 / 80  # of the fastest fade there is, 10 ms


class Stage:
    """One track played by hand."""

    def __init__(self, make_voice: Any, make_loader: Any, body: dict[str, Any] = OLD) -> None:
        self.make_voice = make_voice
        self.loader = make_loader()
        self.track = Track("voice", 0, make_voice(body), self.loader, RATE)

    def render(self, samples: int, block: int = 50) -> tuple[Audio, Audio, Audio]:
        """Return wet and cue `[2, samples]` and dry `[samples]`."""
        wet, cue = (np.full((2, samples), 9.0, dtype=np.float32) for _ in range(2))
        dry = np.full(samples, 9.0, dtype=np.float32)
        for at in range(0, samples, block):
            part = slice(at, min(at + block, samples))
            self.track.render(wet[:, part], dry[part], cue[:, part])
        return wet, dry, cue

    def alone(self, body: dict[str, Any], samples: int) -> Audio:
        """Return a voice's own sound from its first sample on, `[samples]`."""
        wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
        self.make_voice(body).voice.render(wet, dry)
        return dry


@pytest.fixture
def stage(make_voice: Any, make_loader: Any) -> Stage:
    return Stage(make_voice, make_loader)


@settings(max_examples=25, deadline=None)
@given(block=st.integers(1, 400), fade_ms=st.floats(0, 60))
def test_a_crossfade_is_exactly_as_long_as_asked(
    make_voice: Any, make_loader: Any, largest_step: Callable[[Audio], float], block: int, fade_ms: float
) -> None:
    stage = Stage(make_voice, make_loader)
    before, _, _ = stage.render(200, block)
    stage.track.swap(make_voice(NEW), fade_ms)
    wet, dry, cue = stage.render(1000, block)
    fade_samples = max(round(fade_ms * RATE / 1000), 1)
    new = stage.alone(NEW, 1000)
    np.testing.assert_array_equal(wet[:, fade_samples:], [new[fade_samples:]] * 2)
    np.testing.assert_array_equal(dry[fade_samples:], new[fade_samples:])
    assert not np.array_equal(wet[:, fade_samples - 1], [new[fade_samples - 1]] * 2) or fade_samples == 1
    assert wet[0, 0] == stage.alone(OLD, 201)[200]
    assert not cue.any()
    if fade_ms > 5.0:
        heard = np.concatenate((before, wet), axis=1)
        assert largest_step(heard) < OWN_STEP + 1.8 / fade_samples
    assert [one.name for one in stage.loader.retired] == ["old"]


def test_the_loudness_holds_during_a_crossfade(stage: Stage, make_voice: Any) -> None:
    stage.render(100)
    stage.track.swap(make_voice(NEW), 500.0)
    wet, _, _ = stage.render(4000)
    level = [float(np.sqrt(np.mean(wet[0, at : at + 800] ** 2))) for at in range(0, 4000, 800)]
    assert max(level) / min(level) < 2.0


def test_a_second_change_waits_for_the_first(stage: Stage, make_voice: Any) -> None:
    third = {"name": "third", "level": 0.9}
    stage.track.swap(make_voice(NEW), FADE_MS)
    stage.render(50)
    stage.track.swap(make_voice(third), FADE_MS)
    wet, _, _ = stage.render(300, 10)
    assert stage.track.playing.name == "third"
    np.testing.assert_array_equal(wet[0, 110], stage.alone(NEW, 161)[160])  # alone for that one sample
    np.testing.assert_array_equal(wet[0, 270:], stage.alone(third, 190)[160:])
    assert [one.name for one in stage.loader.retired] == ["old", "new"]


def test_a_candidate_is_heard_on_the_cue_bus_alone(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float]
) -> None:
    stage.track.audition(make_voice(NEW))
    wet, dry, cue = stage.render(400)
    np.testing.assert_array_equal(dry, stage.alone(OLD, 400))
    np.testing.assert_array_equal(wet, [dry, dry])
    np.testing.assert_array_equal(cue[:, 80:], [stage.alone(NEW, 400)[80:]] * 2)
    assert largest_step(cue) < OWN_STEP + FADE_STEP
    assert stage.track.describe()["cue"] == "new"


@pytest.mark.parametrize("heard_samples", [0, 30, 300])
def test_a_commit_carries_the_candidate_from_the_cue_bus_into_the_mix(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float], heard_samples: int
) -> None:
    stage.track.audition(make_voice(NEW))
    first = stage.render(heard_samples)
    assert stage.track.commit(FADE_MS)
    assert stage.track.candidate is None
    wet, _, cue = stage.render(400, 30)
    new = stage.alone(NEW, heard_samples + 400)[heard_samples:]
    np.testing.assert_array_equal(wet[:, FADE_SAMPLES:], [new[FADE_SAMPLES:]] * 2)
    assert not cue[:, FADE_SAMPLES:].any()
    assert largest_step(np.concatenate((first[2], cue), axis=1)) < OWN_STEP + FADE_STEP
    assert largest_step(np.concatenate((first[0], wet), axis=1)) < OWN_STEP + FADE_STEP
    assert not stage.track.commit(FADE_MS)


def test_a_committed_candidate_that_must_wait_stays_on_the_cue_bus(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float]
) -> None:
    stage.track.swap(make_voice({"name": "between", "level": 0.2}), 100.0)
    stage.render(50)
    stage.track.audition(make_voice(NEW))
    first = stage.render(200)[2]
    stage.track.commit(FADE_MS)
    cue = np.concatenate((first, stage.render(1000)[2]), axis=1)
    np.testing.assert_array_equal(cue[:, 80:750], [stage.alone(NEW, 750)[80:]] * 2)
    assert not cue[:, 950:].any()
    assert largest_step(cue) < OWN_STEP + FADE_STEP


def test_of_several_that_wait_for_a_fade_to_end_the_last_is_played(stage: Stage, make_voice: Any) -> None:
    stage.track.swap(make_voice(NEW), FADE_MS)
    stage.render(50)
    for name in ("second", "third", "last"):
        stage.track.swap(make_voice({"name": name, "level": 0.9}), FADE_MS)
    assert [one.name for one in stage.loader.retired] == ["second", "third"]
    wet, _, _ = stage.render(300, 10)
    assert stage.track.playing.name == "last"
    np.testing.assert_array_equal(wet[0, 270:], stage.alone({"name": "last", "level": 0.9}, 190)[160:])
    assert [one.name for one in stage.loader.retired] == ["second", "third", "old", "new"]


def test_a_committed_candidate_that_is_superseded_fades_from_the_cue_bus(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float]
) -> None:
    stage.track.swap(make_voice({"name": "between", "level": 0.2}), 100.0)
    stage.render(50)
    stage.track.audition(make_voice(NEW))
    first = stage.render(200)[2]
    stage.track.commit(FADE_MS)
    second = stage.render(100)[2]
    stage.track.swap(make_voice({"name": "last", "level": 0.9}), FADE_MS)
    third = stage.render(900, 30)[2]
    cue = np.concatenate((first, second, third), axis=1)
    assert second.any()
    assert third[:, :60].any()
    assert not third[:, 80:].any()
    assert largest_step(cue) < OWN_STEP + FADE_STEP
    assert stage.track.playing.name == "last"
    assert [one.name for one in stage.loader.retired] == ["new", "old", "between"]


def test_a_dropped_candidate_fades_out_and_is_retired(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float]
) -> None:
    stage.track.audition(make_voice(NEW))
    first = stage.render(300)[2]
    assert stage.track.drop()
    assert not stage.track.drop()
    assert stage.track.describe()["cue"] is None
    cue = stage.render(200, 20)[2]
    assert np.abs(cue[:, :60]).max() > 0.0
    assert not cue[:, 80:].any()
    assert largest_step(np.concatenate((first, cue), axis=1)) < OWN_STEP + FADE_STEP
    assert [one.name for one in stage.loader.retired] == ["new"]


def test_another_candidate_takes_the_earlier_ones_place_without_a_step(
    stage: Stage, make_voice: Any, largest_step: Callable[[Audio], float]
) -> None:
    stage.track.audition(make_voice(NEW))
    first = stage.render(300)[2]
    stage.track.audition(make_voice({"name": "other", "level": 0.1}))
    cue = stage.render(300)[2]
    assert largest_step(np.concatenate((first, cue), axis=1)) < OWN_STEP + FADE_STEP
    np.testing.assert_array_equal(cue[0, 80:], stage.alone({"name": "other", "level": 0.1}, 300)[80:])
    assert [one.name for one in stage.loader.retired] == ["new"]


def test_parameters_reach_every_voice_that_plays_or_may_play(stage: Stage, make_voice: Any) -> None:
    waiting, candidate = make_voice(NEW), make_voice({"name": "candidate", "echo": True})
    stage.track.swap(make_voice({**NEW, "echo": True}), 1000.0)
    stage.render(50)
    stage.track.swap(waiting, FADE_MS)
    stage.track.audition(candidate)
    assert stage.track.set_param("level", 7.0)
    playing = stage.track.playing
    for prepared in (playing, waiting, candidate):
        assert prepared.voice.source.level == prepared.values["level"] == 1.0  # held to the range
    assert stage.track.set_param("fx.0.gain", 0.5)
    assert playing.voice.effects.target == 0.5
    assert candidate.voice.effects.target == 1.0
    assert not stage.track.set_param("wobble", 1.0)
    assert stage.track.values["level"] == 1.0


def test_frames_reach_the_sources_they_fit(stage: Stage, make_voice: Any) -> None:
    narrow = make_voice({"name": "narrow", "model": {"bands": 1}})
    stage.track.audition(narrow)
    assert stage.track.push_frames(None, np.full((2, 3), 0.1, dtype=np.float32))
    assert len(stage.track.playing.voice.source.pushed) == 3
    assert not narrow.voice.source.pushed
    assert stage.track.push_frames(None, np.full((1, 1), 0.1, dtype=np.float32))
    assert len(narrow.voice.source.pushed) == 1
    assert not stage.track.push_frames(None, np.full((5, 1), 0.1, dtype=np.float32))


def test_a_voice_that_joins_begins_with_the_tracks_values_and_place(stage: Stage) -> None:
    stage.track.set_param("level", 0.9)
    stage.render(500)
    assert stage.track.live_values() == {"level": 0.9, "position": stage.track.playing.voice.source.place}


def test_panic_silences_within_12_ms_and_forgets_the_echo(make_voice: Any, make_loader: Any) -> None:
    stage = Stage(make_voice, make_loader, {"name": "old", "level": 0.4, "echo": True})
    stage.track.audition(make_voice(NEW))
    stage.render(1000)
    stage.track.panic()
    wet, dry, cue = stage.render(100, 10)
    assert not wet[:, 90:].any()  # 11 ms
    assert not cue[:, 90:].any()
    assert np.abs(dry[50:]).max() > 0.2
    stage.track.set_param("level", 0.0)
    stage.track.playing.voice.source.tapes["a"].value = 0.0
    stage.render(800)
    assert stage.track.playing.voice.effects.resets == 1
    stage.track.set_param("mute", 0.0)
    assert not stage.render(200)[0][:, 100:].any()


def test_panic_during_a_commit_silences_the_cue_bus_and_forgets_both_echoes(
    make_voice: Any, make_loader: Any
) -> None:
    stage = Stage(make_voice, make_loader, {"name": "old", "echo": True})
    stage.track.audition(make_voice({**NEW, "echo": True}))
    stage.render(300)
    stage.track.commit(10_000.0)
    stage.render(100)
    leaving_and_arriving = [stage.track._fade.leaving, stage.track.playing]
    stage.track.panic()
    stage.track.set_param("pan", 0.5)  # a message that opens nothing does not call it off
    wet, _, cue = stage.render(200, 40)
    assert not wet[:, 90:].any()
    assert not cue[:, 90:].any()
    assert [one.voice.effects.resets for one in leaving_and_arriving] == [1, 1]


def test_opening_a_track_right_after_panic_keeps_its_tails(make_voice: Any, make_loader: Any) -> None:
    stage = Stage(make_voice, make_loader, {"name": "old", "echo": True})
    stage.render(300)
    stage.track.panic()
    stage.render(10)
    stage.track.set_param("mute", 0.0)
    stage.render(300)
    assert stage.track.playing.voice.effects.resets == 0


def test_what_was_not_finite_is_counted_beyond_the_voices_life(stage: Stage, make_voice: Any) -> None:
    stage.track.swap(make_voice({**NEW, "model": {"bad_from": 20}}), 0.0)
    stage.render(100)
    assert stage.track.bad_samples == 10
    stage.track.swap(make_voice(OLD), FADE_MS)
    stage.render(400)
    assert [one.name for one in stage.loader.retired] == ["old", "new"]
    assert stage.track.bad_samples == 10


def test_the_revision_grows_with_every_change_of_what_plays_or_is_auditioned(
    stage: Stage, make_voice: Any
) -> None:
    seen = [stage.track.revision]
    stage.track.audition(make_voice(NEW))
    seen.append(stage.track.revision)
    stage.track.commit(FADE_MS)
    seen.append(stage.track.revision)
    stage.render(50)
    seen.append(stage.track.revision)
    assert stage.track.describe()["preset"] == "new"
    stage.track.panic()
    seen.append(stage.track.revision)
    assert seen == sorted(set(seen))
    stage.render(1000)
    assert stage.track.revision == seen[-1]


def test_a_track_describes_what_it_can_be_told(stage: Stage) -> None:
    said = stage.track.describe()
    assert [param["name"] for param in said["params"]] == ["level", "gain_db", "pan", "mute", "solo"]
    assert said["values"] == {"level": 0.4, "gain_db": 0.0, "pan": 0.0, "mute": 0.0, "solo": 0.0}
    assert (said["bands"], said["source"], said["preset"]) == (2, "fake", "old")


def test_what_a_leaving_voice_cost_is_told_when_it_has_gone(stage: Stage, make_voice: Any) -> None:
    leaving = stage.track.playing
    stage.track.swap(make_voice(NEW), FADE_MS)
    stage.render(50)
    leaving.voice.model_seconds = 100.0
    stage.render(FADE_SAMPLES)
    assert leaving in stage.loader.retired
    assert 100.0 < stage.track.take_cost() < 101.0
    assert stage.track.take_cost() == 0.0
