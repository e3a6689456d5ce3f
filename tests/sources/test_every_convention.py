"""Sources play every mel convention alike: levels in decibels, silence, colour, freeze."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.mel_units import mel_units
from synthhost.core.specs import MelSpec
from synthhost.features.mel import CONVENTIONS, band_centres_hz, mel_spectrogram
from synthhost.sources.frames import FrameSource
from synthhost.sources.mel_colour import MelColour
from synthhost.sources.tape import Tape, load_tape
from synthhost.sources.tape_source import TapeSource

DIFFWAVE = replace(CONVENTIONS["lmnt"], n_fft=1024, hop_samples=256, win_samples=1024, bands=80)
SPECS = {**CONVENTIONS, "lmnt 80": DIFFWAVE}
every_convention = pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
STILL = np.zeros(1, np.float32)


def between(spec: MelSpec, part: float) -> float:
    """A value part of the way from silence to the ceiling."""
    units = mel_units(spec)
    return units.silence + part * (units.ceiling - units.silence)


def noise_tape(spec: MelSpec, frames: int = 120, seed: int = 0) -> Tape:
    values = np.random.default_rng(seed).uniform(between(spec, 0.1), between(spec, 0.8), (spec.bands, frames))
    return Tape.from_mel(values.astype(np.float32), spec)


def level_tape(spec: MelSpec, frames: int = 20) -> Tape:
    return Tape.from_mel(np.full((spec.bands, frames), between(spec, 0.6), np.float32), spec)


def playing(tape: Tape, **values: float) -> TapeSource:
    source = TapeSource(tape.spec, tape, noise_tape(tape.spec, 90, seed=9), seed=3)
    for name, value in values.items():
        source.jump_param(name, value)
    return source


def take(source: TapeSource | FrameSource, frames: int, cut: int | None = None) -> np.ndarray:
    out = np.full((source.spec.bands, frames), np.nan, np.float32)
    for first in range(0, frames, cut or frames):
        source.next_frames(out[:, first : first + (cut or frames)])
    return out


def voice(spec: MelSpec, pitch_hz: float, throat: float = 1.0) -> np.ndarray:
    """The mel of a steady voice-like tone with its formants moved by a ratio, one frame, `[1, bands]`."""
    time_s = np.arange(8192) / spec.sample_rate
    partials = np.arange(pitch_hz, 8000, pitch_hz)
    centres = throat * np.array([600.0, 1500.0, 2700.0])
    levels = (1 / (1 + ((partials[:, None] - centres) / 150) ** 2)).sum(axis=1) + 0.02
    audio = levels @ np.sin(2 * np.pi * partials[:, None] * time_s + partials[:, None] ** 2)
    return mel_spectrogram((0.05 * audio).astype(np.float32), spec)[:, 14:15].T.copy()


def coloured(spec: MelSpec, rows: np.ndarray, pitch: float = 0.0, formant: float = 0.0) -> np.ndarray:
    out = rows.copy()
    MelColour(spec).apply(out, STILL + np.float32(pitch), STILL + np.float32(formant), STILL, STILL)
    return out


def error(rows: np.ndarray, truth: np.ndarray) -> float:
    """The mean distance inside the range that both cover."""
    bands = rows.shape[1]
    return float(np.abs(rows - truth)[:, bands // 40 : 3 * bands // 4].mean())


@every_convention
def test_at_its_defaults_a_tape_comes_out_bit_for_bit(spec: MelSpec) -> None:
    tape = noise_tape(spec)
    np.testing.assert_array_equal(take(playing(tape), 120), tape.rows.T)


@every_convention
def test_level_and_brightness_are_exact_in_decibels(spec: MelSpec) -> None:
    tape, per_db = level_tape(spec), mel_units(spec).per_db
    louder = take(playing(tape, level=3.0), 5)
    np.testing.assert_allclose(louder - tape.rows[:5].T, 3.0 * per_db, atol=1e-5)
    tilted = take(playing(tape, brightness=3.0), 5)[:, 0]
    octave_up, octave_down = np.interp([2000.0, 500.0], band_centres_hz(spec), tilted)
    assert octave_up - octave_down == pytest.approx(2 * 3.0 * per_db, rel=0.01)


@every_convention
def test_level_agrees_with_the_mel_of_the_louder_sound(spec: MelSpec) -> None:
    audio = (0.05 * np.random.default_rng(0).standard_normal(20 * spec.n_fft)).astype(np.float32)
    tape = Tape.from_mel(mel_spectrogram(audio, spec), spec)
    louder = mel_spectrogram(np.float32(10 ** (6 / 20)) * audio, spec)
    np.testing.assert_allclose(take(playing(tape, level=6.0), 30), louder[:, :30], atol=2e-3)


@every_convention
@pytest.mark.parametrize("level", [-60.0, 12.0])
def test_whatever_is_asked_lies_between_silence_and_the_ceiling(spec: MelSpec, level: float) -> None:
    frames = take(playing(noise_tape(spec), level=level, brightness=12.0, motion=1.0, formant=-9.0), 200)
    units = mel_units(spec)
    assert frames.min() >= np.float32(units.silence)
    assert frames.max() <= np.float32(units.ceiling)


@every_convention
@settings(max_examples=8, deadline=None)
@given(
    cut=st.sampled_from([1, 3, 17]),
    values=st.fixed_dictionaries(
        {
            "pitch": st.floats(-24, 24),
            "formant": st.floats(-24, 24),
            "level": st.floats(-60, 12),
            "speed": st.floats(-2, 2),
        }
    ),
)
def test_any_chunking_gives_the_same_bits(spec: MelSpec, cut: int, values: dict[str, float]) -> None:
    tape = noise_tape(spec)
    pieces = take(playing(tape, motion=0.5, blend=0.3, **values), 50, cut)
    np.testing.assert_array_equal(pieces, take(playing(tape, motion=0.5, blend=0.3, **values), 50))


def partial(spec: MelSpec, hz: float) -> np.ndarray:
    """The mel of a sine, one frame, `[1, bands]`."""
    sine = 0.05 * np.sin(2 * np.pi * hz * np.arange(8192) / spec.sample_rate)
    return mel_spectrogram(sine.astype(np.float32), spec)[:, 14:15].T.copy()


@every_convention
def test_a_partial_lands_at_its_new_pitch(spec: MelSpec) -> None:
    moved = coloured(spec, partial(spec, 1500.0), pitch=12.0)
    assert abs(int(np.argmax(moved)) - int(np.argmin(np.abs(band_centres_hz(spec) - 3000)))) <= 1


@every_convention
def test_a_partial_keeps_its_level_up_and_down(spec: MelSpec) -> None:
    """Reading between bands takes a little off its peak; bands of other widths must add nothing to that."""
    off_db = {}
    for start_hz, way in ((1500.0, 1), (3000.0, -1)):
        moves = way * np.arange(9.0, 15.5, 1.0)
        peaks = [coloured(spec, partial(spec, start_hz), pitch=move).max() for move in moves]
        truths = [partial(spec, start_hz * 2 ** (move / 12)).max() for move in moves]
        off_db[way] = float(np.mean(np.subtract(peaks, truths))) / mel_units(spec).per_db
    assert -4.0 < off_db[1] < 0.0
    assert abs(off_db[1] - off_db[-1]) < 1.5


@every_convention
@pytest.mark.parametrize("semitones", [-7, 5, 12])
def test_a_transposed_mel_is_nearer_the_mel_of_the_transposed_sound(spec: MelSpec, semitones: int) -> None:
    ratio = 2 ** (semitones / 12)
    before, truth = voice(spec, 440.0), voice(spec, 440.0 * ratio, ratio)
    assert error(coloured(spec, before, pitch=semitones), truth) < 0.8 * error(before, truth)


@every_convention
@pytest.mark.parametrize("semitones", [-5.0, 5.0])
def test_formant_moves_the_formants(spec: MelSpec, semitones: float) -> None:
    before, truth = voice(spec, 220.0), voice(spec, 220.0, 2 ** (semitones / 12))
    assert error(coloured(spec, before, formant=semitones), truth) < 0.9 * error(before, truth)


@every_convention
def test_a_freeze_never_stands_still(spec: MelSpec) -> None:
    frozen = take(playing(noise_tape(spec), speed=0.0, position=0.5), 100)
    assert (np.abs(np.diff(frozen, axis=1)).max(axis=0) > 0.0).all()


@every_convention
def test_a_recordings_digital_silence_is_silence(spec: MelSpec, tmp_path: Path) -> None:
    sound = 0.1 * np.sin(2 * np.pi * 440 * np.arange(12000) / spec.sample_rate)
    soundfile.write(tmp_path / "a.wav", np.concatenate([sound, np.zeros(12000)]), spec.sample_rate, "FLOAT")
    tape = load_tape(tmp_path / "a.wav", spec)
    np.testing.assert_allclose(tape.rows[-20:], mel_units(spec).silence, atol=1e-5)
    assert tape.rows[20].max() > between(spec, 0.5)


@every_convention
def test_outside_frames_begin_and_end_in_silence_and_shimmer_between(spec: MelSpec) -> None:
    source, units = FrameSource(spec, seed=1), mel_units(spec)
    source.jump_param("depth", 0.0)
    silence = np.float32(units.silence)
    assert (take(source, 4) == silence).all()
    source.push(0, np.full((spec.bands, 1), between(spec, 0.7), np.float32))
    frames = take(source, 80)
    assert np.abs(np.diff(frames[:, 4:30], axis=1)).mean() > units.per_db
    assert (frames[:, 60:] == silence).all()
    assert frames.max() <= units.ceiling
