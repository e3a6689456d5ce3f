"""Replay: the accepted commands of a performance, given to a second engine, give the same bits again."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.core.messages import (
    MASTER,
    NOW,
    Accepted,
    Activate,
    Command,
    CommitCue,
    CuePreset,
    DropCue,
    Failed,
    LoadPreset,
    LoadTape,
    NoteOff,
    Panic,
    PushMel,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    Trigger,
    as_plain,
    from_plain,
)

BLOCK = 64
BLOCKS = 40
BODIES = {
    "a": {"name": "a", "level": 0.4, "echo": True},
    "b": {"name": "b", "model": {"omega": 0.08, "look_ahead": 23}},
    "c": {"name": "c", "clips": {"voices": 3.0, "release_ms": 5.0}, "model": {"frames": 40}},
}
tracks = st.sampled_from(["a", "a", "b", "b", "c", MASTER, "nobody"])
places = st.one_of(st.just(NOW), st.integers(0, BLOCK * BLOCKS))
fades_ms = st.sampled_from([0.0, 3.0, 20.0, 90.0])
bodies = st.fixed_dictionaries(
    {"name": st.sampled_from(["x", "y"])},
    optional={
        "level": st.floats(0, 1),
        "echo": st.booleans(),
        "broken": st.sampled_from([False, False, True]),
        "chunk": st.integers(1, 9),
        "model": st.sampled_from([{}, {"omega": 0.2}, {"bands": 3, "look_ahead": 40}]),
        "clips": st.sampled_from([{}, {"choke": 1.0}]),
    },
)
hits = st.builds(
    Trigger,
    st.sampled_from(["c", "c", "c", "a"]),
    st.sampled_from([None, 36.0, 40.5]),
    st.floats(0, 1),
    st.sampled_from([None, (0.5, 0.25), (1.0,), (0.5, float("nan"))]),
    st.integers(0, 2),
    places,
)
params = st.one_of(
    st.tuples(st.just("gain_db"), st.sampled_from([-90.0, -20.0, 0.0, 6.0, float("nan")])),
    st.tuples(st.sampled_from(["pan", "level", "fx.0.gain"]), st.floats(-1, 1)),
    st.tuples(st.sampled_from(["mute", "solo", "wobble"]), st.sampled_from([0.0, 1.0])),
    st.tuples(st.sampled_from(["morph", "variation", "voices", "latent.0"]), st.floats(0, 3)),
)
frames = st.lists(st.floats(0, 1, width=32), min_size=2, max_size=8).map(
    lambda values: np.float32(values[: len(values) // 2 * 2]).reshape(2, -1)
)
commands = st.one_of(
    st.builds(lambda track, param, at: SetParam(track, *param, at), tracks, params, places),
    st.builds(lambda track, new, at: PushMel(track, None, new, at), tracks, frames, places),
    hits,
    st.builds(NoteOff, tracks, st.sampled_from([36.0, 40.5]), places),
    st.builds(LoadTape, tracks, st.sampled_from(["a", "b"]), st.sampled_from(["one", "two"]), places),
    st.builds(
        lambda t, body, ms, at: LoadPreset(t, body["name"], body, ms, at), tracks, bodies, fades_ms, places
    ),
    st.builds(lambda track, body, at: CuePreset(track, body["name"], body, at), tracks, bodies, places),
    st.builds(CommitCue, tracks, fades_ms, places),
    st.builds(DropCue, tracks, places),
    st.builds(Panic, places),
    st.builds(StartRecording, st.just("/takes/1"), st.just("wav32f"), places),
    st.builds(StopRecording, places),
    st.builds(Sync, st.integers(0, 9), places),
)
bundles = st.lists(
    st.tuples(st.integers(0, BLOCKS - 1), st.lists(commands, min_size=1, max_size=4)), max_size=25
)


def perform(live: Any, script: list[tuple[int, list[Command]]]) -> Audio:
    """Play a script, each bundle before its block; return everything put out."""
    blocks = []
    for turn in range(BLOCKS):
        for at, bundle in script:
            if at == turn:
                live.send(*bundle)
        blocks.append(live.render(BLOCK))
    return np.concatenate(blocks, axis=1)


def replay(again: Any, written: list[str]) -> Audio:
    """Play lines of a journal, each handed over before its block."""
    waiting = [from_plain(json.loads(line)) for line in written]
    blocks = []
    for turn in range(BLOCKS):
        while waiting and waiting[0].at_sample < (turn + 1) * BLOCK:
            again.send(waiting.pop(0))
        blocks.append(again.render(BLOCK))
    return np.concatenate(blocks, axis=1)


@settings(max_examples=150, deadline=None)
@given(script=bundles, patience=st.integers(0, 6))
def test_the_accepted_commands_give_the_same_bits_again(
    bench: Any, script: list[tuple[int, list[Command]]], patience: int
) -> None:
    live = bench(BODIES, patience=patience, block_samples=BLOCK)
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    heard = perform(live, script)
    taken = [event.command for event in live.of(Accepted)]
    heard_again = replay(again, [json.dumps(as_plain(command)) for command in taken])
    np.testing.assert_array_equal(heard_again, heard)
    assert [as_plain(event.command) for event in again.of(Accepted)] == [as_plain(one) for one in taken]
    assert not any(event.late_samples for event in again.of(Accepted))
    assert_same_takes(live, again)


def assert_same_takes(live: Any, again: Any) -> None:
    """Compare the stems of every take that began."""
    begun = [[stems for stems in one.loader.stems if stems.begun >= 0] for one in (live, again)]
    assert [(take.begun, take.ended) for take in begun[0]] == [(take.begun, take.ended) for take in begun[1]]
    for take, same in zip(*begun, strict=True):
        assert take.blocks.keys() == same.blocks.keys()
        for name in take.blocks:
            np.testing.assert_array_equal(take.whole(name), same.whole(name))


def test_a_replay_says_when_what_it_loads_is_not_what_was_played(bench: Any) -> None:
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    again.send(LoadPreset("a", "x", {"name": "x"}, 0.0, 10))
    again.send(Activate(1, {"model": "another"}, 128))
    with pytest.raises(RecordingError, match=r"preset: .*differs from the journal: model is x, then"):
        again.render(256)
    assert again.renderer.tracks[0].playing.name == "a"


def test_a_replay_ends_where_the_journal_puts_something_in_its_place_that_was_not_loaded(bench: Any) -> None:
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    again.send(LoadPreset("a", "x", {"name": "x", "broken": True}, 0.0, 10))
    again.send(Activate(1, {"model": "x"}, 128))
    with pytest.raises(RecordingError, match=r"nothing was loaded under ticket 1.*sample 128"):
        again.render(256)


def test_an_activation_of_nothing_is_answered_while_playing(bench: Any) -> None:
    live = bench(BODIES, block_samples=BLOCK)
    live.send(Activate(3, {}))
    live.render(BLOCK)
    (failed,) = live.of(Failed)
    assert "ticket 3" in failed.reason


def test_nothing_takes_its_place_in_a_replay_until_it_is_told_to(bench: Any) -> None:
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    again.send(LoadPreset("a", "x", {"name": "x"}, 0.0, 10))
    again.render(2560)
    assert again.renderer.tracks[0].playing.name == "a"


def test_a_change_too_many_is_refused_live_and_no_replay_knows_of_it(bench: Any) -> None:
    live = bench(BODIES, patience=30, block_samples=BLOCK)
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    bundle = [LoadPreset("a", f"v{n}", {"name": f"v{n}", "level": n / 10}, 3.0, 10 + n) for n in range(9)]
    other = [LoadPreset("b", "w", {"name": "w"}, 3.0, 30), LoadTape("a", "a", "one", 40)]
    heard = perform(live, [(0, bundle + other), (36, [LoadPreset("a", "late", {"name": "late"}, 3.0)])])
    taken = [event.command for event in live.of(Accepted)]
    refused = live.of(Failed)
    assert [one.address for one in refused] == ["/track/a/preset"] * 5 + ["/track/a/tape/load"]
    assert all("send it again later" in one.reason for one in refused)
    asked = [one.name for one in taken if isinstance(one, LoadPreset)]
    assert asked == ["v0", "v1", "v2", "v3", "w", "late"], "one is taken again when there is room"
    heard_again = replay(again, [json.dumps(as_plain(command)) for command in taken])
    np.testing.assert_array_equal(heard_again, heard)
    assert [job.ticket for job in live.loader.jobs] == [job.ticket for job in again.loader.jobs]
    assert not again.of(Failed)


def test_a_replay_takes_as_many_changes_as_the_journal_has(bench: Any) -> None:
    again = bench(BODIES, self_activating=False, block_samples=BLOCK)
    again.send(*[LoadPreset("a", f"v{n}", {"name": f"v{n}"}, 3.0, n) for n in range(20)])
    again.render(BLOCK)
    assert len(again.loader.jobs) == 20
    assert not again.of(Failed)
