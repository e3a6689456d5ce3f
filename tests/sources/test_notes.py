"""Notes are told the same of a moment whoever asks first, and the hands' moves are lines without steps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from synthhost.core.errors import SourceError
from synthhost.core.note_frames import (
    AIR,
    FRACTION,
    GAIN,
    OSCILLATOR_CHANNELS,
    PITCH_FROM_HZ,
    PITCH_HZ,
    TILT,
    TOLD_CHANNELS,
    NoteLine,
    NoteSpec,
    key_hz,
)
from synthhost.core.specs import ModelSpec
from synthhost.sources.notes import NotesSource

RATE, HOP = 48000, 240
NOTES = NoteSpec(2, 0.5, 40.0, 90.0, (-9.0, 0.3, 0.2, 0.0))
SPEC = ModelSpec("m", "ddsp", RATE, HOP, NOTES.bands, 0, 2, None, "", notes=NOTES)


def line_at(source: NotesSource, key: float = 60.0, velocity: float = 0.5, number: int = 0) -> NoteLine:
    line = NoteLine(NOTES, RATE, HOP)
    source.begin(line, number, key, velocity)
    return line


def frames_of(source: NotesSource, line: NoteLine, sample: int, count: int, own: Any = None) -> Any:
    out = np.full((NOTES.bands, count), np.nan, np.float32)
    source.write(line, sample, own, out)
    assert np.isfinite(out).all()
    return out


def test_frames_are_the_same_in_any_pieces_and_whoever_asks_first() -> None:
    def told(pieces: list[int], *, other_first: bool) -> Any:
        source = NotesSource(SPEC, 3)
        source.stand_at(100)
        source.set_param("bend", 2.0)
        source.set_param("vibrato", 0.5)
        source.set_param("wander", 1.0)
        source.set_param("latent.0", -1.0)
        line, at, parts = line_at(source), 100, []
        for count in pieces:
            if other_first:
                frames_of(source, line_at(source, 72.0), at + 5000, 3)
            parts.append(frames_of(source, line, at, count))
            at += count * HOP
        return np.concatenate(parts, 1)

    whole = told([60], other_first=False)
    np.testing.assert_array_equal(told([1] * 60, other_first=True), whole)
    np.testing.assert_array_equal(told([7, 13, 40], other_first=True), whole)


def test_a_bend_goes_there_on_a_line_and_pitch_has_no_step() -> None:
    source = NotesSource(SPEC)
    line = line_at(source, 69.0)
    frames_of(source, line, 0, 2)
    source.stand_at(2 * HOP)
    source.set_param("bend", 12.0)
    moved = frames_of(source, line, 2 * HOP, 6)
    assert moved[PITCH_FROM_HZ, 0] == pytest.approx(440.0)
    assert moved[PITCH_HZ, -1] == pytest.approx(880.0)
    np.testing.assert_array_equal(moved[PITCH_FROM_HZ, 1:], moved[PITCH_HZ, :-1])
    assert (moved[FRACTION] >= 0.0).all()
    assert (moved[FRACTION] < 1.0).all()


def test_controls_reach_the_oscillators_in_their_units() -> None:
    source = NotesSource(SPEC)
    for name, value in (("level", -6.0), ("brightness", 3.0), ("air", 20.0), ("latent.1", 2.0)):
        source.jump_param(name, value)
    frames = frames_of(source, line_at(source), 0, 1)
    assert frames[GAIN, 0] == pytest.approx(10 ** (-6 / 20))
    assert frames[TILT, 0] == pytest.approx(3.0)
    assert frames[AIR, 0] == pytest.approx(10.0)
    np.testing.assert_allclose(frames[OSCILLATOR_CHANNELS + TOLD_CHANNELS :, 0], [0.0, 2.0])


def test_a_note_may_bring_a_timbre_of_its_own() -> None:
    source = NotesSource(SPEC)
    frames = frames_of(source, line_at(source), 0, 3, np.array([1.0, -2.0], np.float32))
    np.testing.assert_allclose(frames[-2:], [[1.0] * 3, [-2.0] * 3])


def test_without_touch_every_note_is_struck_alike() -> None:
    source = NotesSource(SPEC)
    source.jump_param("touch", 0.0)
    soft, hard = (frames_of(source, line_at(source, velocity=v), 0, 1) for v in (0.1, 1.0))
    np.testing.assert_array_equal(soft, hard)


def test_a_note_ends_as_long_after_its_release_as_its_model_says() -> None:
    source = NotesSource(SPEC)
    line = line_at(source)
    frames_of(source, line, 0, 4)
    assert line.frames_left is None
    line.release()
    assert line.frames_left == 100  # half a second
    frames_of(source, line, 4 * HOP, 30)
    line.release()
    assert line.frames_left == 70


def test_a_key_may_be_any_fraction() -> None:
    source = NotesSource(SPEC)
    frames = frames_of(source, line_at(source, 60.37), 0, 1)
    assert frames[PITCH_HZ, 0] == pytest.approx(float(key_hz(60.37)))


def test_a_model_that_plays_no_notes_is_refused() -> None:
    with pytest.raises(SourceError, match="plays no notes"):
        NotesSource(ModelSpec("mel", "hifigan", RATE, HOP, 80, 0, 1, None, ""))


def test_a_model_that_is_deaf_to_a_hand_has_no_such_parameter() -> None:
    plain = {param.name for param in NotesSource(SPEC).params}
    deaf = NotesSource(replace(SPEC, notes=replace(NOTES, hands=("level",), voices=2)))
    assert plain - {param.name for param in deaf.params} == {"brightness", "air"}
    assert deaf.value("voices") == 2.0
    frames = frames_of(deaf, line_at(deaf), 0, 3)
    np.testing.assert_array_equal(frames[TILT], 0.0)
    np.testing.assert_array_equal(frames[AIR], 1.0)


def test_what_a_note_is_told_settles_where_it_was_never_heard_older() -> None:
    source = NotesSource(replace(SPEC, notes=replace(NOTES, settled_s=0.1)))
    line = NoteLine(replace(NOTES, settled_s=0.1), RATE, HOP)
    source.begin(line, 0, 60.0, 0.5)
    told = frames_of(source, line, 0, 60)[OSCILLATOR_CHANNELS : OSCILLATOR_CHANNELS + TOLD_CHANNELS]
    settled = int(0.1 * RATE / HOP)
    assert (told[:, settled:] == told[:, -1:]).all()
    assert (told[:, settled - 5] != told[:, -1]).any()
