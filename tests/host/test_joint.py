"""Tracks of one model step together where that costs less, and nobody hears a difference."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from synthhost.core.arrays import Audio
from synthhost.core.messages import CommitCue, CuePreset, LoadPreset, SetParam
from synthhost.host import joint
from synthhost.host.assembly import make_renderer
from synthhost.host.factory import VoiceFactory
from synthhost.host.joint import JointSteps, alone
from synthhost.host.loader import ImmediateLoader, Workshop
from synthhost.host.planning import offline_plan
from synthhost.native.compiled import why_missing

if why_missing():
    pytest.skip(f"native code: {why_missing()}", allow_module_level=True)

from synthhost.backends.native_runner import NativeRunner

BLOCK = 256
BLOCKS = 60
TRACKS = ("one", "two", "three")


@pytest.fixture(scope="module")
def trio(studio: Path) -> str:
    """Give a set of three tracks of one model."""
    tracks = [{"name": name, "preset": "slow" if name == "two" else "plain"} for name in TRACKS]
    place = studio / "presets" / "trio.yaml"
    whole = {
        "synthhost": "set/1",
        "name": "trio",
        "sample_rate": 48000,
        "block_samples": BLOCK,
        "tracks": tracks,
    }
    place.write_text(yaml.safe_dump(whole))
    return str(place)


@pytest.fixture
def joined(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Give the number of streams of every joint step."""
    counts: list[int] = []
    real = NativeRunner.step_each

    def counted(self: NativeRunner, frames: Any, states: Any, outs: Any) -> list[int]:
        counts.append(len(states))
        return real(self, frames, states, outs)

    monkeypatch.setattr(NativeRunner, "step_each", counted)
    return counts


def played(reference: str, chunk_frames: int, joint_steps: Any) -> tuple[Audio, Audio]:
    """Play all kinds of changes; return master and cue, and every track's dry sound, `[tracks, samples]`."""
    plan = offline_plan(reference, 1, "native")
    factory = VoiceFactory(plan.sample_rate, plan.seed, lambda *_: chunk_frames, joint=joint_steps)
    loader = ImmediateLoader(Workshop(factory, lambda *_: pytest.fail("nothing is recorded")))
    renderer = make_renderer(plan, factory, loader, lambda _: None, self_activating=True)
    plain, slow = (plan.set["tracks"][place]["preset"] for place in (0, 1))
    renderer.receive(
        [
            SetParam("one", "pitch", 4.0, 700),
            SetParam("two", "speed", 1.5, 1111),
            LoadPreset("one", "slow", slow, 30.0, 2000),
            CuePreset("two", "plain", plain, 2500),
            SetParam("two", "brightness", 3.0, 4001),
            CommitCue("two", 20.0, 6000),
            LoadPreset("three", "slow", slow, 0.0, 7001),
        ]
    )
    heard, dry = [], []
    for _ in range(BLOCKS):
        out = np.zeros((4, BLOCK), np.float32)
        renderer.render(out)
        heard.append(out)
        dry.append(renderer._dry.copy())
    assert renderer.bad_samples == 0
    return np.concatenate(heard, axis=1), np.concatenate(dry, axis=1)


@pytest.mark.parametrize("chunk_frames", [1, 2, 3])
def test_tracks_that_step_together_sound_as_alone_to_the_bit(
    trio: str, joined: list[int], chunk_frames: int
) -> None:
    expected = played(trio, chunk_frames, alone)
    assert not joined
    heard = played(trio, chunk_frames, lambda *_: "together")
    assert max(joined) >= len(TRACKS)
    assert np.abs(expected[1]).max(axis=1).min() > 0.0
    for made, truth in zip(heard, expected, strict=True):
        np.testing.assert_array_equal(made, truth)


def test_what_a_voice_costs_counts_once_however_it_steps(trio: str) -> None:
    plan = offline_plan(trio, 1, "native")
    factory = VoiceFactory(plan.sample_rate, plan.seed, lambda *_: 2, joint=lambda *_: "together")
    loader = ImmediateLoader(Workshop(factory, lambda *_: pytest.fail("nothing is recorded")))
    renderer = make_renderer(plan, factory, loader, lambda _: None, self_activating=True)
    together_s = 0.0
    for _ in range(BLOCKS):
        renderer.render(np.zeros((4, BLOCK), np.float32))
        together_s += renderer.model_seconds
    spent = [track.model_seconds for track in renderer.tracks]
    assert min(spent) > 0.0
    assert sum(spent) == pytest.approx(together_s)


def test_a_step_that_is_no_number_silences_its_own_voice_alone(trio: str) -> None:
    plan = offline_plan(trio, 1, "native")
    factory = VoiceFactory(plan.sample_rate, plan.seed, lambda *_: 2, joint=lambda *_: "together")
    loader = ImmediateLoader(Workshop(factory, lambda *_: pytest.fail("nothing is recorded")))
    renderer = make_renderer(plan, factory, loader, lambda _: None, self_activating=True)
    source: Any = renderer.tracks[1].playing.voice.source
    source.next_frames = lambda out: out.fill(np.nan)
    for _ in range(BLOCKS):
        renderer.render(np.zeros((4, BLOCK), np.float32))
    bad = [track.bad_samples for track in renderer.tracks]
    assert bad[0] == bad[2] == 0 < bad[1]
    assert np.abs(renderer._dry[[0, 2]]).max(axis=1).min() > 0.0


def test_what_joint_steps_save_is_measured_once_and_before_the_show(
    trio: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = offline_plan(trio, 1, "native")
    runner = VoiceFactory(plan.sample_rate, plan.seed, lambda *_: 1).model("tiny").runner
    asked: list[int] = []
    gains = {1: 1.4, 2: 1.0}

    def gain(_runner: Any, chunk_frames: int) -> float:
        asked.append(chunk_frames)
        return gains[chunk_frames]

    monkeypatch.setattr(joint, "joint_gain", gain)
    playing = [False]
    steps = JointSteps(lambda: playing[0])
    assert [steps.told(runner, 1) for _ in range(2)] == [
        "voices of it step together, two 1.40 times cheaper"
    ] * 2
    assert steps.told(runner, 2) is None
    playing[0] = True
    assert steps.told(runner, 3) == "voices of it step together"
    assert steps.told(runner, 2) is None
    assert asked == [1, 2]


def test_the_reason_stands_beside_what_computes_the_model(trio: str) -> None:
    plan = offline_plan(trio, 1, "native")
    factory = VoiceFactory(plan.sample_rate, plan.seed, lambda *_: 2, joint=lambda *_: "together")
    prepared = factory.build(plan.set["tracks"][0]["preset"], 0, None)
    assert prepared.computed is not None
    assert prepared.computed == replace(prepared.computed, backend="native")
    assert prepared.computed.reason.endswith("; together")
