"""Frames that arrive from outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.errors import SourceError
from synthhost.core.note_frames import NoteSpec
from synthhost.core.specs import MelSpec, ModelSpec
from synthhost.features.mel import CONVENTIONS
from synthhost.sources.frame_queue import CAPACITY_FRAMES
from synthhost.sources.frames import FrameSource
from synthhost.sources.registry import SOURCE_KINDS, make_source, source_params
from synthhost.sources.tape import Tape

SPEC = CONVENTIONS["jik876"]
FLOOR = np.float32(np.log(1e-5))


def numbered(first: int, count: int) -> np.ndarray:
    """Frames whose bands all hold -0.01 times the frame's number."""
    return np.repeat(
        np.float32(-0.01) * np.arange(first, first + count, dtype=np.float32)[None], SPEC.bands, 0
    )


def waiting(depth: float = 0.0) -> FrameSource:
    source = FrameSource(SPEC, seed=1)
    source.jump_param("depth", depth)
    return source


def take(source: FrameSource, frames: int) -> np.ndarray:
    out = np.full((SPEC.bands, frames), np.nan, np.float32)
    source.next_frames(out)
    return out


def test_frames_come_out_as_they_went_in() -> None:
    source = waiting()
    source.push(0, numbered(0, 20))
    np.testing.assert_array_equal(take(source, 20), numbered(0, 20))
    assert not any(source.counters().values())


@settings(max_examples=60, deadline=None)
@given(order=st.permutations(range(24)), doubled=st.lists(st.integers(0, 23), max_size=5))
def test_any_order_within_the_buffer_is_put_right(order: list[int], doubled: list[int]) -> None:
    source = waiting()
    source.push(100, numbered(100, 1))
    for index in [*order, *doubled]:
        source.push(101 + index, numbered(101 + index, 1))
    np.testing.assert_array_equal(take(source, 25), numbered(100, 25))
    assert source.counters()["duplicate"] == len(doubled)


def test_before_the_first_frame_there_is_silence() -> None:
    source = waiting()
    assert (take(source, 10) == FLOOR).all()
    assert not any(source.counters().values())


def test_depth_gathers_frames_before_starting() -> None:
    source = waiting(depth=4)
    source.push(0, numbered(0, 3))
    assert (take(source, 2) == FLOOR).all()
    source.push(3, numbered(3, 1))
    np.testing.assert_array_equal(take(source, 4), numbered(0, 4))


def test_a_lone_frame_is_played_after_waiting_for_depth() -> None:
    source = waiting(depth=4)
    source.push(None, numbered(7, 1))
    frames = take(source, 6)
    assert (frames[:, :4] == FLOOR).all()
    np.testing.assert_array_equal(frames[:, 4:5], numbered(7, 1))


def test_a_lost_frame_repeats_the_one_before_and_keeps_time() -> None:
    source = waiting()
    source.push(0, numbered(0, 3))
    source.push(4, numbered(4, 3))
    frames = take(source, 7)
    np.testing.assert_array_equal(frames[:, :3], numbered(0, 3))
    np.testing.assert_array_equal(frames[:, 3:4], numbered(2, 1))
    np.testing.assert_array_equal(frames[:, 4:], numbered(4, 3))
    assert source.counters()["missing"] == 1


def test_a_frame_after_its_time_is_counted_and_not_played() -> None:
    source = waiting()
    source.push(0, numbered(0, 3))
    source.push(4, numbered(4, 3))
    take(source, 5)
    source.push(3, numbered(3, 1))
    np.testing.assert_array_equal(take(source, 2), numbered(5, 2))
    assert source.counters()["late"] == 1


def test_a_sender_that_paused_goes_on_where_it_was() -> None:
    source = waiting()
    source.push(0, numbered(0, 3))
    take(source, 5)
    source.push(3, numbered(3, 3))
    np.testing.assert_array_equal(take(source, 3), numbered(3, 3))
    assert source.counters()["starved"] == 2
    assert source.counters()["late"] == 0


def test_a_long_hold_moves_and_fades_to_silence() -> None:
    source = waiting()
    source.push(0, np.full((SPEC.bands, 1), -2.0, np.float32))
    frames = take(source, 80)
    held = frames[:, 3:40]
    assert np.abs(np.diff(held, axis=1)).mean() > 0.1
    level = held.mean(axis=0)
    assert np.polyfit(np.arange(level.size), level, 1)[0] < -0.1
    assert (frames[:, 46:] == FLOOR).all()


def test_after_a_fade_any_index_begins_a_new_stream() -> None:
    source = waiting()
    source.push(500, numbered(0, 2))
    take(source, 80)
    source.push(0, numbered(30, 4))
    np.testing.assert_array_equal(take(source, 4), numbered(30, 4))
    assert source.counters()["late"] == 0


def test_coming_back_from_a_hold_is_mixed_in() -> None:
    source = waiting()
    source.push(0, np.full((SPEC.bands, 1), -2.0, np.float32))
    held = take(source, 25)[:, -1]
    source.push(1, np.full((SPEC.bands, 6), -2.0, np.float32))
    frames = take(source, 6)
    np.testing.assert_allclose(frames[:, 0], held + 0.2 * (-2.0 - held), atol=1e-5)
    assert (frames[:, 4:] == -2.0).all()


def test_a_flood_is_bounded_and_counted() -> None:
    source = waiting()
    source.push(0, numbered(0, CAPACITY_FRAMES + 40))
    assert source.counters()["dropped"] == 40
    np.testing.assert_array_equal(take(source, CAPACITY_FRAMES), numbered(0, CAPACITY_FRAMES))


def test_a_leap_in_the_numbering_begins_a_new_stream() -> None:
    source = waiting()
    source.push(0, numbered(0, 2))
    take(source, 2)
    source.push(1_000_000, numbered(5, 2))
    np.testing.assert_array_equal(take(source, 2), numbered(5, 2))
    assert source.counters()["restarted"] == 1


@settings(max_examples=40, deadline=None)
@given(
    pushes=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 5), st.integers(1, 40)), max_size=8),
    cut=st.integers(1, 7),
)
def test_any_chunking_gives_the_same_bits(pushes: list[tuple[int, int, int]], cut: int) -> None:
    def play(cut_frames: int | None) -> np.ndarray:
        source = waiting(depth=2)
        source.set_param("level", -3.0)
        parts = []
        for index, count, frames in pushes:
            source.push(index, numbered(index, count))
            size = cut_frames or frames
            parts += [take(source, n) for n in [size] * (frames // size) + [frames % size]]
        return np.concatenate([*parts, take(source, 3)], axis=1)

    np.testing.assert_array_equal(play(cut), play(None))


def model_spec(bands: int, mel: MelSpec | None) -> ModelSpec:
    return ModelSpec("m", "fake", SPEC.sample_rate, SPEC.hop_samples, bands, 0, 1, mel, "")


NOTES = NoteSpec(2, 0.5, 40.0, 80.0, (-9.0, 0.0, 0.0, 0.0))
MODELS = {
    "tape": model_spec(SPEC.bands, SPEC),
    "frames": model_spec(SPEC.bands, SPEC),
    "latent": model_spec(6, None),
    "free": model_spec(0, None),
    "clip": replace(model_spec(6, None), clip_frames=4),
    "notes": replace(model_spec(NOTES.bands, None), notes=NOTES),
}


@pytest.mark.parametrize("kind", SOURCE_KINDS)
def test_every_kind_can_be_made_and_declares_its_parameters(kind: str) -> None:
    tape = Tape.from_mel(np.zeros((SPEC.bands, 20), np.float32), SPEC)
    source = make_source(kind, MODELS[kind], seed=1, tapes={"a": tape})
    assert source.kind == kind
    assert source.params[: len(source_params(kind))] == source_params(kind)
    for param in source.params:
        source.set_param(param.name, param.maximum)
    out = np.full((MODELS[kind].bands, 4), np.nan, np.float32)
    source.next_frames(out)
    assert np.isfinite(out).all()


@pytest.mark.parametrize(
    ("kind", "model", "fitting"),
    [
        ("tape", "latent", "latent"),
        ("latent", "clip", "kind 'clip'"),
        ("clip", "latent", "makes no clips"),
        ("frames", "free", "free"),
        ("latent", "tape", "mel frames"),
        ("free", "latent", "latent"),
    ],
)
def test_a_source_that_does_not_fit_the_model_is_refused(kind: str, model: str, fitting: str) -> None:
    with pytest.raises(SourceError, match=fitting):
        make_source(kind, MODELS[model])


def test_an_unknown_kind_and_a_missing_tape_are_refused() -> None:
    with pytest.raises(SourceError, match="Did you mean 'tape'"):
        make_source("tap", MODELS["tape"])
    with pytest.raises(SourceError, match="no sound to play"):
        make_source("tape", MODELS["tape"])
