"""Playing tapes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.errors import SourceError
from synthhost.features.mel import CONVENTIONS
from synthhost.sources.source_params import TAPE_PARAMS
from synthhost.sources.tape import Tape
from synthhost.sources.tape_source import TapeSource

SPEC = CONVENTIONS["jik876"]


def noise_tape(frames: int = 200, seed: int = 0) -> Tape:
    mel = np.random.default_rng(seed).uniform(-8.0, 0.0, (SPEC.bands, frames)).astype(np.float32)
    return Tape.from_mel(mel, SPEC, name=f"noise {seed}")


def ramp_tape(frames: int = 200) -> Tape:
    """A tape whose every band holds the frame's index, a tenth of it below zero."""
    return Tape.from_mel(-0.02 * np.ones((SPEC.bands, 1), np.float32) * np.arange(frames), SPEC)


def places(frames: np.ndarray) -> np.ndarray:
    """Where on a ramp tape frames were read."""
    return frames[0] / -0.02


def standing(tape: Tape, seed: int = 0, **values: float) -> TapeSource:
    source = TapeSource(SPEC, tape, noise_tape(150, seed=9), seed=seed)
    for name, value in values.items():
        source.jump_param(name, value)
    return source


def take(source: TapeSource, frames: int) -> np.ndarray:
    out = np.full((SPEC.bands, frames), np.nan, np.float32)
    source.next_frames(out)
    return out


def test_at_its_defaults_a_tape_comes_out_bit_for_bit() -> None:
    tape = noise_tape(300)
    np.testing.assert_array_equal(take(standing(tape), 300), tape.rows.T)


def test_after_its_end_the_tape_begins_again() -> None:
    tape = noise_tape(50)
    frames = take(standing(tape), 100)
    np.testing.assert_array_equal(frames[:, 54:100], tape.rows[4:].T)  # four frames are mixed at the wrap


def test_backwards_is_the_tape_reversed() -> None:
    tape = noise_tape(60)
    frames = take(standing(tape, speed=-1.0, position=1.0), 60)
    np.testing.assert_array_equal(frames, tape.rows[::-1].T)


settings_of_params = st.sampled_from([spec.name for spec in TAPE_PARAMS]).flatmap(
    lambda name: st.tuples(st.just(name), st.floats(0.0, 1.0))
)
steps = st.lists(
    st.one_of(st.integers(1, 70), settings_of_params, st.sampled_from(["tape a", "tape b"])),
    min_size=1,
    max_size=12,
)


def play(cuts: list[Any], cut_frames: int | None) -> np.ndarray:
    """Follow a list of frame counts, parameter changes and tape changes."""
    specs = {spec.name: spec for spec in TAPE_PARAMS}
    source = standing(noise_tape(), seed=3, pitch=0.5, wander=0.3, speed=0.4)
    parts = []
    for cut in cuts:
        if isinstance(cut, tuple):
            source.set_param(cut[0], specs[cut[0]].from_norm(cut[1]))
        elif isinstance(cut, str):
            source.put_tape("a" if cut == "tape a" else "b", noise_tape(90, seed=5))
        else:
            sizes = [cut] if cut_frames is None else [cut_frames] * (cut // cut_frames) + [cut % cut_frames]
            parts += [take(source, size) for size in sizes]
    return np.concatenate([*parts, take(source, 5)], axis=1)


@settings(max_examples=60, deadline=None)
@given(cuts=steps, cut_frames=st.sampled_from([1, 3, 16]))
def test_any_chunking_gives_the_same_bits(cuts: list[Any], cut_frames: int) -> None:
    np.testing.assert_array_equal(play(cuts, cut_frames), play(cuts, None))


@settings(max_examples=40, deadline=None)
@given(cuts=steps)
def test_whatever_is_played_stays_within_the_tapes_and_the_conventions_bounds(cuts: list[Any]) -> None:
    frames = play(cuts, None)
    assert np.isfinite(frames).all()
    assert frames.min() >= np.float32(np.log(1e-5))
    assert frames.max() <= 3.0


def test_seeds_differ_and_a_seed_repeats() -> None:
    frozen = [take(standing(noise_tape(), seed=seed, speed=0.0, position=0.5), 60) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(frozen[0], frozen[1])
    assert not np.array_equal(frozen[0], frozen[2])


def test_moving_the_position_glides_over_a_few_frames_and_runs_on() -> None:
    source = standing(ramp_tape(), speed=1.0)
    take(source, 10)
    source.set_param("position", 100 / 199)
    read = places(take(source, 10))
    np.testing.assert_allclose(read[:4], [9 + 91 * 0.2, 9 + 92 * 0.4, 9 + 93 * 0.6, 9 + 94 * 0.8], atol=1e-3)
    np.testing.assert_allclose(read[4:], np.arange(104, 110), atol=1e-3)


def test_half_speed_advances_half_as_far() -> None:
    read = places(take(standing(ramp_tape(), speed=0.5), 160))
    assert abs(np.mean(np.diff(read)) - 0.5) < 0.1


def test_a_freeze_stays_near_its_place_and_never_stands_still() -> None:
    read = places(take(standing(ramp_tape(), speed=0.0, position=0.5), 600))
    assert np.abs(read - 99.5).max() <= 8 + 11 + 1e-3
    assert np.abs(read.mean() - 99.5) < 3.0
    assert np.mean(np.abs(np.diff(read))) > 0.5  # about the recorded speed


@pytest.mark.parametrize("speed", [1.0, -0.5, 2.0])
def test_a_freeze_holds_the_playhead_at_any_speed_which_it_goes_on_at_afterwards(speed: float) -> None:
    source = standing(ramp_tape(), speed=speed, position=0.5)
    source.jump_param("freeze", 1.0)
    held = source.place
    take(source, 300)
    assert source.place == held
    source.jump_param("freeze", 0.0)
    take(source, 20)
    assert 199 * (source.place - held) == pytest.approx(20 * speed, abs=1e-3)


def test_a_freeze_sounds_as_a_speed_of_nought_does() -> None:
    frozen = standing(noise_tape(), speed=0.7, position=0.5)
    frozen.jump_param("freeze", 1.0)
    np.testing.assert_array_equal(take(frozen, 60), take(standing(noise_tape(), speed=0.0, position=0.5), 60))


def test_a_loop_stays_inside_its_ends_in_either_order() -> None:
    for start, end in ((0.2, 0.4), (0.4, 0.2)):
        read = places(take(standing(ramp_tape(), position=0.3, loop_start=start, loop_end=end), 200))
        assert read.min() >= 40 - 1e-3
        assert read.max() <= 80 + 1e-3
        assert np.ptp(read) > 30


def test_an_empty_loop_is_widened_so_that_it_moves() -> None:
    read = places(take(standing(ramp_tape(), loop_start=0.5, loop_end=0.5), 200))
    assert 3.0 < np.ptp(read) <= 8.0
    assert np.abs(read.mean() - 100) < 4


def test_a_wrap_never_leaps_further_than_a_glide_step() -> None:
    read = places(take(standing(ramp_tape(), loop_start=0.2, loop_end=0.6), 400))
    assert np.abs(np.diff(read)).max() < 80 / 5 + 2


def test_wander_strays_as_far_as_asked_and_no_further() -> None:
    strayed = places(take(standing(ramp_tape(600), speed=0.0, position=0.5, wander=1.0), 2000)) - 299.5
    assert 30 < np.abs(strayed).max() < 86.2 + 22


def test_level_and_brightness_are_exact_in_decibels() -> None:
    tape = Tape.from_mel(np.full((SPEC.bands, 20), -4.0, np.float32), SPEC)
    np.testing.assert_allclose(take(standing(tape, level=6.0), 5), -4.0 + 6.0 * np.log(10) / 20, atol=1e-5)
    tilted = take(standing(tape, brightness=3.0), 5)[:, 0]
    octave_up, octave_down = np.interp([2000.0, 500.0], band_hz(), tilted)
    assert octave_up - octave_down == pytest.approx(2 * 3.0 * np.log(10) / 20, abs=0.01)


def band_hz() -> np.ndarray:
    from_mel = np.linspace(0.0, 15 + np.log(8.0) / (np.log(6.4) / 27), 82)[1:-1]
    return np.where(from_mel < 15, from_mel * 200 / 3, 1000 * np.exp((from_mel - 15) * np.log(6.4) / 27))


def test_motion_moves_the_level_by_at_most_three_decibels() -> None:
    tape = Tape.from_mel(np.full((SPEC.bands, 20), -4.0, np.float32), SPEC)
    moved_db = (take(standing(tape, motion=1.0), 900)[0] + 4.0) * 20 / np.log(10)
    assert 1.5 < np.abs(moved_db).max() <= 3.001


def test_blend_reaches_tape_b_at_the_same_relative_place() -> None:
    tape_a, tape_b = ramp_tape(101), ramp_tape(201)
    source = TapeSource(SPEC, tape_a, tape_b)
    source.jump_param("blend", 1.0)
    np.testing.assert_allclose(places(take(source, 50)), 2.0 * np.arange(50), atol=1e-3)


def test_a_blend_without_a_second_tape_leaves_the_first() -> None:
    tape = noise_tape()
    source = TapeSource(SPEC, tape)
    source.jump_param("blend", 0.7)
    np.testing.assert_array_equal(take(source, 50), tape.rows[:50].T)


def test_another_tape_takes_over_at_the_same_relative_place_without_a_leap() -> None:
    source = TapeSource(SPEC, ramp_tape(101))
    take(source, 50)
    source.put_tape("a", ramp_tape(201))
    read = places(take(source, 10))
    assert np.abs(np.diff(read)).max() < 15
    np.testing.assert_allclose(read[4:], 100 + np.arange(4, 10), atol=1e-3)


def test_a_tape_of_another_convention_is_refused() -> None:
    other = Tape.from_mel(np.zeros((SPEC.bands, 20), np.float32), CONVENTIONS["jik876"].__class__(
        "other", 24000, 1024, 256, 1024, SPEC.bands, 0.0, 8000.0, "ln", 1e-5
    ))  # fmt: skip
    with pytest.raises(SourceError, match="'other'"):
        TapeSource(SPEC, other)


def test_an_unknown_parameter_is_answered_with_the_nearest() -> None:
    with pytest.raises(SourceError, match="Did you mean 'pitch'"):
        standing(noise_tape()).set_param("pich", 1.0)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused(value: float) -> None:
    with pytest.raises(SourceError, match="finite"):
        standing(noise_tape()).set_param("speed", value)
