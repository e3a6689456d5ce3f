"""Notes begin on their very sample in any blocks, follow the hands, and end by themselves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.backends.torch_runner import TorchRunner
from synthhost.core.messages import NoteOff, Trigger
from synthhost.core.specs import ModelSpec
from synthhost.effects.chain import Chain
from synthhost.engine.note_voice import NoteVoice
from synthhost.engine.poly_voice import MOST_VOICES
from synthhost.engine.resampler import Resampler
from synthhost.families import ddsp
from synthhost.families.ddsp_hyper import DdspHyper
from synthhost.sources.notes import NotesSource

RATE, HOP, RELEASE_S = 8000, 40, 0.05
SAMPLES = 2000
HYPER = DdspHyper(RATE, HOP, 2, 8, 1, 6, 4, RELEASE_S, 30.0, 90.0, (-9.0, 0.0, 0.0, 0.0))
Script = list[tuple[int, Any]]


def network(fundamental: float = 1.0) -> Any:
    """Return a network whose fundamental is as loud, in nats, and its loudest harmonic."""
    torch.manual_seed(0)
    made = ddsp.build(HYPER).eval()
    with torch.no_grad():
        for layer in ddsp.named_layers(made).values():
            layer.bias.fill_(-2.0)
        ddsp.named_layers(made)["levels"].bias[0] = fundamental
    return made


@pytest.fixture(scope="module")
def runner() -> TorchRunner:
    spec = ModelSpec("n", "ddsp", RATE, HOP, HYPER.bands, 0, 2, None, "0" * 64, notes=HYPER.notes)
    return TorchRunner(spec, network())


def voice_of(runner: TorchRunner, chunk_frames: int = 1, engine_rate: int = RATE, **params: float) -> Any:
    source = NotesSource(runner.spec, 1, engine_rate)
    for name, value in params.items():
        source.jump_param(name.replace("__", "."), value)
    chain = Chain([], engine_rate)
    return NoteVoice(source, runner, chunk_frames, Resampler(RATE, engine_rate), chain, engine_rate)


def struck(key: float = 60.0, velocity: float = 0.8, latent: tuple[float, ...] | None = None) -> Trigger:
    return Trigger("x", key, velocity, latent)


def played(voice: Any, script: Script, cuts: list[int], samples: int = SAMPLES) -> Any:
    wet, dry = np.zeros((2, samples), np.float32), np.zeros(samples, np.float32)
    at = turn = 0
    waiting = list(script)
    while at < samples:
        while waiting and waiting[0][0] == at:
            what = waiting.pop(0)[1]
            if isinstance(what, Trigger):
                assert voice.trigger(what) is None
            elif isinstance(what, NoteOff):
                voice.release(what)
            else:
                voice.set_param(*what)
        end = min(at + cuts[turn % len(cuts)], samples, waiting[0][0] if waiting else samples)
        voice.render(wet[:, at:end], dry[at:end])
        at, turn = end, turn + 1
    return dry


@pytest.mark.parametrize("at", [0, 1, 37, 511, 513])
def test_a_note_is_heard_from_its_own_sample_on(runner: TorchRunner, at: int) -> None:
    first = played(voice_of(runner), [(0, struck())], [64])
    dry = played(voice_of(runner), [(at, struck())], [64])
    assert not dry[:at].any()
    np.testing.assert_array_equal(dry[at:], first[: SAMPLES - at])
    assert np.abs(first[:8]).max() > 0.0


moments = st.integers(0, SAMPLES - 1)
happenings = st.one_of(
    st.builds(struck, st.integers(40, 43).map(float)),
    st.builds(NoteOff, st.just("x"), st.integers(40, 43).map(float)),
    st.tuples(st.just("bend"), st.floats(-12.0, 12.0)),
    st.tuples(st.sampled_from(["latent.0", "brightness", "vibrato_hz"]), st.floats(0.1, 3.0)),
    st.tuples(st.sampled_from(["vibrato", "wander"]), st.floats(0.0, 1.0)),
)


@settings(max_examples=25, deadline=None)
@given(
    script=st.lists(st.tuples(moments, happenings), max_size=6),
    cuts=st.lists(st.integers(1, 700), min_size=1, max_size=4),
)
def test_no_block_size_changes_the_sound(script: Script, cuts: list[int]) -> None:
    spec = ModelSpec("n", "ddsp", RATE, HOP, HYPER.bands, 0, 2, None, "0" * 64, notes=HYPER.notes)
    runner = TorchRunner(spec, network())
    ordered = sorted(script, key=lambda one: one[0])
    one, other = (played(voice_of(runner), ordered, each) for each in (cuts, [SAMPLES]))
    np.testing.assert_array_equal(one, other)


def test_a_note_ends_as_its_model_says_and_its_place_is_free_again(runner: TorchRunner) -> None:
    voice = voice_of(runner)
    sound = played(voice, [(0, struck()), (400, NoteOff("x", 60.0))], [100])
    over = 400 + HOP + round(RELEASE_S * RATE) + 2
    assert np.abs(sound[400:440]).max() > 0.0
    assert not sound[over:].any()
    assert not voice.clips


def test_a_held_note_that_was_turned_down_can_be_raised_again() -> None:
    spec = ModelSpec("n", "ddsp", RATE, HOP, HYPER.bands, 0, 2, None, "0" * 64, notes=HYPER.notes)
    soft = network(-5.5)
    with torch.no_grad():
        levels = ddsp.named_layers(soft)["levels"]
        levels.weight.zero_()
        levels.bias[1:] = -12.0
    voice = voice_of(TorchRunner(spec, soft), level=-60.0)
    sound = played(voice, [(0, struck()), (6000, ("level", 0.0))], [100], 8000)
    assert 0.0 < np.abs(sound[:6000]).max() < 1e-5
    assert np.abs(sound[7000:]).max() > 1e-3


def test_a_bend_moves_notes_that_sound(runner: TorchRunner) -> None:
    bent = played(voice_of(runner), [(0, struck(57.0)), (600, ("bend", 12.0))], [100])
    octave = played(voice_of(runner), [(0, struck(57.0)), (600, ("bend", 0.0))], [100])
    np.testing.assert_array_equal(bent[:600], octave[:600])
    spectra = [np.abs(np.fft.rfft(sound[1000:2000] * np.hanning(1000))) for sound in (bent, octave)]
    assert [int(np.argmax(one[:60])) * 8 for one in spectra] == pytest.approx([440, 220], abs=8)


def test_the_same_key_is_struck_anew_and_the_old_note_rings_out(runner: TorchRunner) -> None:
    voice = voice_of(runner)
    played(voice, [(0, struck()), (200, struck())], [50], 250)
    assert [clip.line.released_frames is None for clip in voice.clips] == [False, True]


def test_no_more_notes_sound_than_there_are_voices(runner: TorchRunner) -> None:
    voice = voice_of(runner, voices=3.0)
    script: Script = [(200 * index, struck(50.0 + index)) for index in range(9)]
    played(voice, script, [100], 1800)
    assert sum(not clip.stolen for clip in voice.clips) <= 3
    crowd = voice_of(runner, voices=float(MOST_VOICES))
    assert all(crowd.trigger(struck(40.0 + index)) is None for index in range(MOST_VOICES))
    said = crowd.trigger(struck(90.0))
    assert said is not None
    assert "notes, as many as there are voices" in said


def test_a_timbre_of_its_own_must_have_the_models_dimensions(runner: TorchRunner) -> None:
    voice = voice_of(runner)
    assert voice.trigger(struck(60.0, 0.5, (1.0, 2.0))) is None
    said = voice.trigger(struck(60.0, 0.5, (1.0,)))
    assert said == "the model's vectors have 2 dimensions, this one has 1"


def test_at_another_rate_a_note_has_the_same_pitch(runner: TorchRunner) -> None:
    sound = played(voice_of(runner, engine_rate=16000), [(0, struck(69.0))], [128], 8000)[2000:]
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(sound.size), 1 << 17))
    found = np.argmax(spectrum[: int(600 / 16000 * (1 << 17))]) * 16000 / (1 << 17)
    assert abs(1200 * np.log2(found / 440.0)) < 5.0


class Steady:
    """A runner that makes the same sound of every frame, and tells by what chance it was begun."""

    controls = ()

    def __init__(self, spec: ModelSpec) -> None:
        self.spec = spec
        self.seeds: list[tuple[int, ...]] = []

    def new_state(self, batch: int = 1, draws: Any = None) -> Any:
        if draws is not None:
            self.seeds.append(draws.seeds)
        return None

    def set_control(self, state: Any, name: str, value: float) -> None:
        pass

    def step(self, frames: Any, state: Any, out: Any) -> int:
        count = frames.shape[2] * HOP
        out[:, :count] = 1.0
        return count

    def flush(self, state: Any, out: Any) -> int:
        return 0


def steady(own_gain: bool) -> Any:
    notes = replace(HYPER.notes, own_gain=own_gain, hands=("level",), voices=2)
    return Steady(ModelSpec("n", "x", RATE, HOP, notes.bands, 0, 1, None, "0" * 64, notes=notes))


def test_where_a_network_does_not_follow_the_level_its_voice_does() -> None:
    followed, ignored = (played(voice_of(steady(own)), [(0, struck())], [64], 400) for own in (False, True))
    np.testing.assert_array_equal(ignored, 1.0)
    np.testing.assert_allclose(followed[:HOP], np.arange(1, HOP + 1) / HOP, rtol=1e-6)
    np.testing.assert_array_equal(followed[HOP:], 1.0)
    script: Script = [(0, struck()), (200, ("level", -20.0))]
    turned = played(voice_of(steady(False)), script, [64], 1200)
    assert turned[-1] == pytest.approx(0.1, rel=1e-3)
    assert (np.diff(turned[200:]) <= 1e-6).all()
    for cuts in ([1], [37, 5]):
        np.testing.assert_array_equal(played(voice_of(steady(False)), script, cuts, 1200), turned)


def test_notes_have_chance_of_their_own_that_follows_from_the_seed() -> None:
    begun = []
    for seed in (1, 1, 2):
        runner = steady(False)
        source = NotesSource(runner.spec, seed, RATE)
        voice = NoteVoice(source, runner, 1, Resampler(RATE, RATE), Chain([], RATE), RATE, seed)
        runner.seeds.clear()
        played(voice, [(0, struck(50.0)), (100, struck(60.0))], [50], 300)
        begun.append(tuple(runner.seeds))
    assert begun[0] == begun[1] != begun[2]
    assert len(set(begun[0])) == 2
