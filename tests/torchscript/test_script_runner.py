"""The runner of TorchScript programs behind the Runner seam: exact copies, chance by counter, errors told."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.backends.script_runner import ScriptRunner, ScriptState
from synthhost.core.arrays import Audio, Features
from synthhost.core.draws import SeededDraws
from synthhost.core.errors import ConfigError, FeatureError, ModelError
from synthhost.core.seams import Runner
from synthhost.library.model import Model
from synthhost.library.shelves import load_model

LATENTS, HOP = 3, 4
Load = Callable[[str], Model]


@pytest.fixture(scope="module")
def loaded(exports: dict[str, Path]) -> Callable[[str], Runner]:
    """Give the runner of an export, loaded once."""
    kept: dict[str, Runner] = {}

    def runner(name: str) -> Runner:
        if name not in kept:
            kept[name] = load_model(exports[name], allow_code=True).runner
        return kept[name]

    return runner


def vectors(frames: int, batch: int = 1, seed: int = 3) -> Features:
    return np.random.default_rng(seed).standard_normal((batch, LATENTS, frames)).astype(np.float32)


def stepped(runner: Runner, state: ScriptState, frames: Features, cuts: list[int]) -> Audio:
    """Return the sound of frames in pieces, then of the rest, `[batch, samples]`."""
    out = np.zeros((frames.shape[0], frames.shape[2] * HOP), np.float32)
    sent = 0
    for length in [*cuts, frames.shape[2]]:
        piece = frames[:, :, sent : sent + length]
        written = runner.step(piece, state, out[:, sent * HOP :])
        assert written == piece.shape[2] * HOP
        sent += piece.shape[2]
    return out


def played(
    runner: Runner, frames: Features, cuts: list[int] | None = None, seeds: tuple[int, ...] = ()
) -> Audio:
    batch = frames.shape[0]
    state = runner.new_state(batch, SeededDraws(seeds or (0,) * batch))
    sound = stepped(runner, state, frames, cuts or [])
    assert runner.flush(state, np.zeros((batch, 0), np.float32)) == 0
    return sound


@settings(deadline=None, max_examples=30)
@given(cuts=st.lists(st.integers(0, 4), max_size=10))
def test_a_program_made_for_pieces_sounds_the_same_in_any(
    loaded: Callable[[str], Runner], cuts: list[int]
) -> None:
    frames = vectors(15)
    np.testing.assert_allclose(
        played(loaded("Rated"), frames, cuts), played(loaded("Rated"), frames), atol=1e-6
    )


@pytest.mark.parametrize("name", ["Rated", "Noisy", "Listed", "Cut"])
def test_a_batch_is_its_voices_alone(loaded: Callable[[str], Runner], name: str) -> None:
    frames, cuts, seeds = vectors(12, batch=3), [1, 4, 2], (5, 6, 7)
    together = played(loaded(name), frames, cuts, seeds)
    for voice, seed in enumerate(seeds):
        alone = played(loaded(name), frames[voice : voice + 1], cuts, (seed,))
        np.testing.assert_array_equal(together[voice], alone[0])


@pytest.mark.parametrize("name", ["Rated", "Noisy", "Listed"])
def test_a_copied_state_has_the_same_future_and_no_other_ties(
    loaded: Callable[[str], Runner], name: str
) -> None:
    runner = loaded(name)
    state = runner.new_state(1, SeededDraws.of(9))
    stepped(runner, state, vectors(5), [2])
    twin, third = state.copy(), state.copy()
    stepped(runner, twin, vectors(4, seed=8), [])  # what the twin does, the others do not hear
    runner.set_control(twin, "gain", 0.1)
    rest = [stepped(runner, one, vectors(6, seed=4), [3]) for one in (state, third)]
    np.testing.assert_array_equal(*rest)


@pytest.mark.parametrize("name", ["Rated", "Listed"])
def test_streams_do_not_hear_each_other(loaded: Callable[[str], Runner], name: str) -> None:
    alone = played(loaded(name), vectors(9), [4])
    other = loaded(name).new_state()
    stepped(loaded(name), other, 5 * vectors(3), [])
    np.testing.assert_array_equal(played(loaded(name), vectors(9), [4]), alone)


def test_an_attribute_holds_from_the_next_step_on(loaded: Callable[[str], Runner]) -> None:
    runner, frames = loaded("Rated"), vectors(8)
    state = runner.new_state()
    first = stepped(runner, state, frames[:, :, :4], [])
    runner.set_control(state, "gain", 0.25)
    runner.set_control(state, "tilt.0", 0.0)
    second = stepped(runner, state, frames[:, :, 4:], [])
    np.testing.assert_array_equal(first, played(runner, frames)[:, :16])
    assert np.abs(second).max() < 0.5 < np.abs(first).max()
    runner.set_control(state, "tilt.1", 0.75)
    runner.set_control(state, "tilt.0", 3.0)  # of several values the others stay
    assert state.modules[0].get_tilt() == (3, 0.75, "hard")


def test_a_control_of_a_batch_reaches_every_voice(loaded: Callable[[str], Runner]) -> None:
    runner = loaded("Rated")
    state = runner.new_state(2)
    runner.set_control(state, "gain", 0.5)
    assert [module.get_gain() for module in state.modules] == [0.5, 0.5]


def test_a_value_that_is_there_already_is_not_set_again(loaded: Callable[[str], Runner]) -> None:
    runner = loaded("Rated")
    runner.set_control(runner.new_state(), "hold", 0.0)  # its setter may have other effects


def test_a_refused_value_is_told_and_changes_nothing(loaded: Callable[[str], Runner]) -> None:
    runner, state = loaded("Rated"), loaded("Rated").new_state()
    with pytest.raises(ModelError, match=r"gain: the model's own program refuses 1\.75"):
        runner.set_control(state, "gain", 1.75)
    with pytest.raises(ModelError, match=r"hold: the model's own program failed: .*nothing can be held"):
        runner.set_control(state, "hold", 1.0)
    np.testing.assert_array_equal(stepped(runner, state, vectors(5), []), played(runner, vectors(5)))


def test_the_same_steps_draw_the_same_and_another_seed_another(loaded: Callable[[str], Runner]) -> None:
    runner, frames = loaded("Noisy"), vectors(9)
    once = played(runner, frames, [2, 3], (4,))
    torch.manual_seed(77)  # nobody else's chance counts
    torch.rand(5)
    np.testing.assert_array_equal(played(runner, frames, [2, 3], (4,)), once)
    assert not np.array_equal(played(runner, frames, [2, 3], (5,)), once)
    assert not np.array_equal(once[:, 8:20], played(runner, frames, [2, 2, 1], (4,))[:, 8:20])


def test_every_step_draws_anew(loaded: Callable[[str], Runner]) -> None:
    same = np.repeat(vectors(1), 12, axis=2)
    sound = played(loaded("Noisy"), same, [1] * 12).reshape(12, HOP)
    assert len(np.unique(sound[4:, 0])) == 8


def test_a_seed_told_while_playing_holds_from_the_next_step_on(loaded: Callable[[str], Runner]) -> None:
    runner, frames = loaded("Noisy"), vectors(6)
    assert runner.controls[-1].name == "seed"
    one, other = (runner.new_state(1, SeededDraws.of(seed)) for seed in (1, 2))
    for state in (one, other):
        runner.set_control(state, "seed", 30.0)
    np.testing.assert_array_equal(stepped(runner, one, frames, [3]), stepped(runner, other, frames, [3]))
    assert "seed" not in [control.name for control in loaded("Rated").controls]


def test_nobody_elses_chance_is_disturbed(loaded: Callable[[str], Runner]) -> None:
    torch.manual_seed(5)
    expected = [torch.rand(2), torch.rand(2)]
    torch.manual_seed(5)
    found = [torch.rand(2)]
    played(loaded("Noisy"), vectors(6), [2])
    played(loaded("Rated"), vectors(6), [2])
    found.append(torch.rand(2))
    assert all(torch.equal(*pair) for pair in zip(expected, found, strict=True))


def test_a_step_leaves_no_setting_behind(loaded: Callable[[str], Runner]) -> None:
    played(loaded("Noisy"), vectors(3))
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
    assert torch._C._get_graph_executor_optimize()


def test_the_first_step_is_as_any_other_on_every_thread(loaded: Callable[[str], Runner]) -> None:
    frames, sounds = vectors(7), []

    def play() -> None:
        sounds.append(played(loaded("Rated"), frames, [1, 2]))

    for _ in range(3):
        thread = threading.Thread(target=play)
        thread.start()
        thread.join()
    play()
    assert all(np.array_equal(sound, sounds[0]) for sound in sounds)


def test_a_program_that_fails_is_told_in_one_sentence(loaded: Callable[[str], Runner]) -> None:
    runner = loaded("Fragile")
    state = runner.new_state()
    with pytest.raises(ModelError, match=r"own program failed in 'decode': .*too large for me\.$") as told:
        runner.step(10 + vectors(2), state, np.zeros((1, 8), np.float32))
    assert "\n" not in str(told.value)
    np.testing.assert_array_equal(stepped(runner, state, vectors(4), []), played(runner, vectors(4)))


def test_channels_are_averaged(loaded: Callable[[str], Runner]) -> None:
    np.testing.assert_allclose(
        played(loaded("Stereo"), vectors(5)), 2 * played(loaded("Rated"), vectors(5)), rtol=1e-6
    )


def test_a_step_of_nothing_gives_nothing(loaded: Callable[[str], Runner]) -> None:
    runner = loaded("Rated")
    assert runner.step(vectors(0), runner.new_state(), np.zeros((1, 0), np.float32)) == 0


def test_frames_are_read_and_not_kept(loaded: Callable[[str], Runner]) -> None:
    runner, frames = loaded("Rated"), vectors(6)
    expected = played(runner, frames, [3])
    state, out = runner.new_state(), np.zeros((1, 24), np.float32)
    first = frames[:, :, :3].copy()
    runner.step(first, state, out)
    first[:] = 1e6  # the caller uses its array again
    frames.flags.writeable = False
    runner.step(frames[:, :, 3:], state, out[:, 12:])
    np.testing.assert_array_equal(out, expected)


def test_an_ended_stream_takes_no_more(loaded: Callable[[str], Runner]) -> None:
    runner = loaded("Rated")
    state, out = runner.new_state(), np.zeros((1, 80), np.float32)
    runner.step(vectors(2), state, out)
    runner.flush(state, out)
    with pytest.raises(FeatureError, match="take a new state"):
        runner.step(vectors(2), state, out)
    with pytest.raises(FeatureError, match="take a new state"):
        runner.flush(state, out)


@pytest.mark.parametrize(("batch", "room"), [(1, (1, 7)), (2, (2, 8)), (1, (2, 8))])
def test_a_wrong_room_or_batch_is_refused_before_the_stream_moves(
    loaded: Callable[[str], Runner], batch: int, room: tuple[int, int]
) -> None:
    runner = loaded("Rated")
    state = runner.new_state()
    with pytest.raises(FeatureError, match="give the stream's voices and room"):
        runner.step(vectors(2, batch), state, np.zeros(room, np.float32))
    np.testing.assert_array_equal(stepped(runner, state, vectors(4), []), played(runner, vectors(4)))


@pytest.mark.parametrize("field", ["bands", "hop_samples"])
def test_a_description_of_another_model_is_refused(load: Load, field: str) -> None:
    model = load("Rated")
    wrong = dataclasses.replace(model.spec, **{field: getattr(model.spec, field) + 1})
    with pytest.raises(ConfigError, match="another model's"):
        ScriptRunner(wrong, model.playable)  # type: ignore[arg-type]
