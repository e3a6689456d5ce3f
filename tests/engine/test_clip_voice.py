"""Clips begin on their very sample, whatever the blocks and rates, and no flood costs more than is said."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.messages import NoteOff, Trigger
from synthhost.engine.poly_voice import MOST_VOICES
from synthhost.engine.resampler import Resampler

RATE, HOP, FRAMES = 8000, 5, 60
CLIP_SAMPLES = HOP * FRAMES
SAMPLES = 1200
LOUD = (0.5, 0.0)
Script = list[tuple[int, Any]]


def hit(
    key: float | None = None, level: float | None = 0.5, velocity: float = 1.0, choke: int = 0
) -> Trigger:
    """Return a trigger of a clip at a level, or of a drawn one."""
    return Trigger("x", key, velocity, None if level is None else (level, 0.0), choke)


def voice_of(make_voice: Any, rates: tuple[int, int] = (RATE, RATE), **more: Any) -> Any:
    """Return a voice of clips whose parameters stand at `clips`."""
    body = {"name": "x", "clips": more.pop("clips", {}), "model": {"frames": FRAMES, **more.pop("model", {})}}
    return make_voice({**body, **more}, converter=Resampler(*rates)).voice


def played(voice: Any, script: Script, cuts: list[int], samples: int = SAMPLES) -> Audio:
    """Play a script of samples and what happens at them, in blocks of given lengths; return the dry sound."""
    wet, dry = np.zeros((2, samples), dtype=np.float32), np.zeros(samples, dtype=np.float32)
    at = turn = 0
    waiting = list(script)
    while at < samples:
        while waiting and waiting[0][0] == at:
            happen(voice, waiting.pop(0)[1])
        end = min(at + cuts[turn % len(cuts)], samples, waiting[0][0] if waiting else samples)
        voice.render(wet[:, at:end], dry[at:end])
        at, turn = end, turn + 1
    return dry


def happen(voice: Any, what: Any) -> None:
    if isinstance(what, Trigger):
        voice.trigger(what)
    elif isinstance(what, NoteOff):
        voice.release(what)
    else:
        voice.set_param(*what)


def clip(level: float = 0.5) -> Audio:
    """Return a whole clip of the fake model."""
    return (np.float32(level) * np.sin(0.05 * np.arange(CLIP_SAMPLES))).astype(np.float32)


@pytest.mark.parametrize("at", [0, 1, 37, 511, 513])
@pytest.mark.parametrize("look_ahead", [0, 7, 33])
def test_a_trigger_is_heard_from_its_own_sample_on(make_voice: Any, at: int, look_ahead: int) -> None:
    dry = played(voice_of(make_voice, model={"look_ahead": look_ahead}), [(at, hit())], [64])
    assert not dry[:at].any()
    np.testing.assert_allclose(dry[at : at + CLIP_SAMPLES], clip(), atol=1e-6)
    assert not dry[at + CLIP_SAMPLES :].any()


@pytest.mark.parametrize("rates", [(RATE, 11025), (16000, RATE), (RATE, 48000)])
def test_at_another_rate_every_trigger_gives_the_very_same_samples(
    make_voice: Any, rates: tuple[int, int]
) -> None:
    first = played(voice_of(make_voice, rates), [(0, hit())], [100], 3000)
    converter = Resampler(*rates)
    sound = np.concatenate((clip(), np.zeros(400, np.float32)))
    whole = converter.process(sound)
    length = min(whole.size, 3000)
    np.testing.assert_allclose(first[:length], whole[:length], atol=1e-6)
    for at in (1, 2, 3, 101):
        np.testing.assert_array_equal(
            played(voice_of(make_voice, rates), [(at, hit())], [64], 3000)[at:], first[:-at]
        )


moments = st.integers(0, SAMPLES - 1)
happenings = st.one_of(
    st.builds(hit, st.sampled_from([None, 36.0, 40.0]), st.sampled_from([None, 0.5, -0.25]), st.floats(0, 1)),
    st.builds(hit, choke=st.integers(0, 2)),
    st.builds(NoteOff, st.just("x"), st.sampled_from([36.0, 40.0])),
    st.tuples(st.sampled_from(["morph", "variation", "latent.0", "reach"]), st.floats(0, 1)),
    st.tuples(st.just("voices"), st.integers(1, 16).map(float)),
    st.tuples(st.just("choke"), st.integers(0, 2).map(float)),
)


@settings(max_examples=40, deadline=None)
@given(
    script=st.lists(st.tuples(moments, happenings), max_size=14).map(
        lambda s: sorted(s, key=lambda one: one[0])
    ),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=6),
    look_ahead=st.integers(0, 40),
    chunk=st.integers(1, 9),
    rates=st.sampled_from([(RATE, RATE), (RATE, 11025), (16000, RATE)]),
)
def test_any_blocks_give_the_same_bits(
    make_voice: Any, script: Script, cuts: list[int], look_ahead: int, chunk: int, rates: tuple[int, int]
) -> None:
    more: dict[str, Any] = {"clips": {"voices": 3.0, "release_ms": 4.0}, "model": {"look_ahead": look_ahead}}
    voices = [voice_of(make_voice, rates, chunk=chunk, **more) for _ in range(2)]
    np.testing.assert_array_equal(played(voices[0], script, cuts), played(voices[1], script, [SAMPLES]))


def test_overlapping_clips_add_up_at_their_velocities(make_voice: Any) -> None:
    script = [(0, hit(velocity=1.0)), (100, hit(level=-0.25, velocity=0.5))]
    dry = played(voice_of(make_voice), script, [64])
    expected = np.zeros(SAMPLES, np.float32)
    expected[:CLIP_SAMPLES] += clip()
    expected[100 : 100 + CLIP_SAMPLES] += 0.5 * clip(-0.25)
    np.testing.assert_allclose(dry, expected, atol=1e-6)


def test_one_clip_too_many_takes_the_place_of_the_oldest_without_a_click(
    make_voice: Any, largest_step: Any
) -> None:
    voice = voice_of(make_voice, clips={"voices": 2.0}, model={"frames": 400})
    for at in range(3):
        played(voice, [(0, hit(level=1.0))], [64], 200)
        assert len(voice.clips) == min(at + 1, 2)
    voice = voice_of(make_voice, clips={"voices": 1.0}, model={"frames": 400})
    dry = played(voice, [(0, hit(level=1.0)), (600, hit(level=1.0))], [64])
    slope = 2 * 0.05 + 1.0 / 40  # of the sines, and of a fade of 5 ms
    assert largest_step(dry) <= slope + 1e-3
    np.testing.assert_allclose(dry[640:1000], np.sin(0.05 * np.arange(40, 400)), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "first", "second", "silenced"),
    [
        ({}, hit(36.0), hit(36.0), False),
        ({}, hit(choke=1), hit(choke=1), True),
        ({}, hit(choke=1), hit(choke=2), False),
        ({}, hit(choke=0), hit(choke=0), False),
        ({"choke": 1.0}, hit(36.0), hit(36.0), True),
        ({"choke": 1.0}, hit(36.0), hit(37.0), False),
        ({"choke": 1.0}, hit(None), hit(None), False),
        ({"choke": 2.0}, hit(36.0), hit(None), True),
    ],
)
def test_a_clip_silences_its_group_its_key_or_all(
    make_voice: Any, params: dict[str, float], first: Trigger, second: Trigger, silenced: bool
) -> None:
    voice = voice_of(make_voice, clips={"choke_ms": 2.0, **params})
    played(voice, [(0, first), (50, second)], [64], 50 + 16)
    assert len(voice.clips) == (1 if silenced else 2)
    played(voice, [], [64], 10)
    assert [one.choke for one in voice.clips][-1] == second.choke


def test_a_note_that_ends_fades_only_where_the_preset_has_a_release(make_voice: Any) -> None:
    script = [(0, hit(36.0)), (0, hit(40.0, level=0.25)), (100, NoteOff("x", 36.0))]
    kept = played(voice_of(make_voice), script, [64])
    np.testing.assert_allclose(kept[:CLIP_SAMPLES], clip() + clip(0.25), atol=1e-6)
    faded = played(voice_of(make_voice, clips={"release_ms": 5.0}), script, [64])
    np.testing.assert_array_equal(faded[:100], kept[:100])
    np.testing.assert_allclose(faded[140:CLIP_SAMPLES], clip(0.25)[140:], atol=1e-6)


def test_the_vector_under_the_hands_moves_a_clip_that_sounds(make_voice: Any) -> None:
    voice = voice_of(make_voice, model={"look_ahead": 0})
    script = [(0, hit(level=0.5)), (100, ("latent.0", 1.0)), (100, ("morph", 1.0)), (200, ("morph", 0.5))]
    dry = played(voice, script, [64])
    sine = np.sin(0.05 * np.arange(CLIP_SAMPLES))
    levels = np.repeat([0.5, 1.0, 0.75], 100)
    np.testing.assert_allclose(dry[:CLIP_SAMPLES], levels * sine, atol=1e-6)


def test_the_first_sample_costs_no_more_frames_than_the_model_looks_ahead(make_voice: Any) -> None:
    voice = voice_of(make_voice, model={"look_ahead": 33}, chunk=2)
    voice.runner.steps.clear()
    played(voice, [(0, hit())], [1], 1)
    assert voice.runner.steps == [33 // HOP + 1]
    played(voice, [], [64], 1)
    assert len(voice.runner.steps) == 1
    played(voice, [], [64], CLIP_SAMPLES)
    assert voice.runner.steps[1:] == [2] * 26 + [1, 0]
    assert sum(voice.runner.steps) == FRAMES


def test_no_flood_begins_more_clips_than_there_are_voices_in_20_ms(make_voice: Any) -> None:
    voice = voice_of(make_voice, clips={"voices": 4.0})
    answers = [voice.trigger(hit()) for _ in range(6)]
    assert answers[:4] == [None] * 4
    assert all("4 clips" in answer and "20 ms" in answer for answer in answers[4:])
    played(voice, [], [64], 159)
    assert voice.trigger(hit()) is not None
    played(voice, [], [64], 1)
    assert voice.trigger(hit()) is None


def test_no_flood_of_changes_makes_more_clips_than_there_is_room_for(make_voice: Any) -> None:
    voice = voice_of(make_voice, clips={"voices": 16.0}, model={"frames": 4000})
    chance = np.random.default_rng(0)
    for _ in range(300):
        voice.set_param("voices", float(chance.choice([1, 2, 16])))
        voice.trigger(hit(velocity=0.01))
        assert sum(not one.stolen for one in voice.clips) <= MOST_VOICES
        played(voice, [], [64], int(chance.integers(1, 30)))
    assert len(voice.clips) <= 2 * MOST_VOICES


def test_a_vector_of_another_length_is_refused(make_voice: Any) -> None:
    answer = voice_of(make_voice).trigger(Trigger("x", None, 1.0, (1.0, 2.0, 3.0)))
    assert answer == "the model's vectors have 2 dimensions, this one has 3"


def test_what_is_not_finite_is_silence_and_counted_in_every_clip(make_voice: Any) -> None:
    voice = voice_of(make_voice, model={"bad_from": 40})
    dry = played(voice, [(0, hit()), (500, hit())], [64])
    assert voice.bad_samples == 20
    assert not dry[40:50].any()
    assert np.isfinite(dry).all()


def test_forgetting_tails_ends_every_clip_at_once(make_voice: Any) -> None:
    voice = voice_of(make_voice, echo=True)
    played(voice, [(0, hit()), (10, hit())], [64], 100)
    voice.forget_tails()
    assert not voice.clips
    assert voice.effects.resets == 1
    assert not played(voice, [], [64], 100).any()


def test_drawn_clips_differ_and_are_the_same_again(make_voice: Any) -> None:
    scripts: list[Script] = [[(0, hit(level=None)), (600, hit(level=None))]] * 2
    first, again = (played(voice_of(make_voice), script, [64]) for script in scripts)
    np.testing.assert_array_equal(first, again)
    assert np.abs(first[:CLIP_SAMPLES] - first[600 : 600 + CLIP_SAMPLES]).max() > 0.01


def test_a_voice_tells_what_its_model_cost_and_warms_up_in_silence(make_voice: Any) -> None:
    voice = voice_of(make_voice)
    voice.warm_up(1000)
    assert not voice.clips
    played(voice, [(0, hit())], [64], 100)
    assert voice.take_cost() > 0.0
    assert voice.take_cost() == 0.0
