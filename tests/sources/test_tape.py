"""Loading recordings as tapes, and reading them."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr

from synthhost.core.errors import SourceError
from synthhost.features.mel import CONVENTIONS, mel_spectrogram
from synthhost.sources import tape as tape_module
from synthhost.sources.tape import Tape, load_tape

SPEC = CONVENTIONS["jik876"]


def tone(seconds: float, rate_hz: int, pitch_hz: float = 440.0) -> np.ndarray:
    time_s = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.4 * np.sin(2 * np.pi * pitch_hz * time_s)).astype(np.float32)


def written(path: Path, audio: np.ndarray, rate_hz: int, subtype: str | None = None) -> Path:
    soundfile.write(path, audio, rate_hz, subtype=subtype)
    return path


def test_a_file_at_the_models_rate_becomes_its_mel_bit_for_bit(tmp_path: Path) -> None:
    audio = tone(0.5, 22050)
    tape = load_tape(written(tmp_path / "a.wav", audio, 22050, "FLOAT"), SPEC)
    np.testing.assert_array_equal(tape.rows.T, mel_spectrogram(audio, SPEC))


@pytest.mark.parametrize("suffix", ["wav", "flac", "aiff", "ogg", "mp3"])
def test_common_formats_agree_on_a_tone(tmp_path: Path, suffix: str) -> None:
    exact = Tape.from_mel(mel_spectrogram(tone(1.0, 22050), SPEC), SPEC)
    tape = load_tape(written(tmp_path / f"a.{suffix}", tone(1.0, 44100), 44100), SPEC)
    middle = slice(20, 60)
    assert np.abs(np.max(tape.rows[middle], axis=1) - np.max(exact.rows[middle], axis=1)).max() < 0.1
    assert (np.argmax(tape.rows[middle], axis=1) == np.argmax(exact.rows[middle], axis=1)).all()


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = tone(0.5, 22050)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    tape = load_tape(written(tmp_path / "a.wav", stereo, 22050, "FLOAT"), SPEC)
    np.testing.assert_array_equal(tape.rows.T, mel_spectrogram(left * np.float32(0.5), SPEC))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"nowhere\.wav: no such sound file"):
        load_tape(tmp_path / "nowhere.wav", SPEC)


def test_a_file_that_is_no_sound_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "words.wav"
    path.write_text("these are words")
    with pytest.raises(SourceError, match=r"words\.wav: cannot be read as sound .* Use WAV"):
        load_tape(path, SPEC)


@pytest.mark.parametrize("samples", [0, 100, 1000])
def test_too_short_a_sound_is_refused(tmp_path: Path, samples: int) -> None:
    with pytest.raises(SourceError, match=r"short\.wav: .*(too short|needs at least)"):
        load_tape(written(tmp_path / "short.wav", np.zeros(samples, np.float32), 22050), SPEC)


def test_too_long_a_sound_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tape_module, "LONGEST_S", 1.0)
    with pytest.raises(SourceError, match=r"long\.wav: .* minutes long"):
        load_tape(written(tmp_path / "long.wav", tone(1.1, 8000), 8000), SPEC)


@pytest.mark.parametrize(("limit", "most"), [("MOST_SAMPLES", 22050), ("MOST_VALUES", 8 * 8000)])
def test_a_sound_that_would_take_too_much_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int
) -> None:
    monkeypatch.setattr(tape_module, limit, most)
    wide = np.repeat(tone(6.0, 8000)[:, None], 8, axis=1)
    with pytest.raises(SourceError, match=r"0\.1 minutes long; with 8 channels at 8000 Hz, .* at most 0\.0"):
        load_tape(written(tmp_path / "wide.wav", wide, 8000), SPEC)


@pytest.mark.parametrize("channels", [1, 2, 9])
@pytest.mark.parametrize("rate_hz", [22050, 44100, 48000])
def test_reading_block_by_block_gives_the_samples_of_reading_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, channels: int, rate_hz: int
) -> None:
    monkeypatch.setattr(tape_module, "_VALUES_AT_ONCE", 4567)
    noise = np.random.default_rng(5).uniform(-0.5, 0.5, (rate_hz // 2, channels)).astype(np.float32)
    mono = noise.mean(axis=1, dtype=np.float32)
    if rate_hz != SPEC.sample_rate:
        mono = soxr.resample(mono, rate_hz, SPEC.sample_rate, "VHQ")
    tape = load_tape(written(tmp_path / "a.wav", noise, rate_hz, "FLOAT"), SPEC)
    np.testing.assert_array_equal(tape.rows.T, mel_spectrogram(mono, SPEC))


def test_many_channels_at_a_high_rate_take_little_memory(tmp_path: Path) -> None:
    path = written(tmp_path / "wide.flac", np.zeros((384_000 * 4, 8), np.float32), 384_000)
    tracemalloc.start()
    load_tape(path, SPEC)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 30e6  # the file at once would be 49 MB


def test_samples_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    audio = tone(0.5, 22050)
    audio[77] = np.nan
    with pytest.raises(SourceError, match="not finite"):
        load_tape(written(tmp_path / "a.wav", audio, 22050, "FLOAT"), SPEC)


def test_mel_of_another_band_count_makes_no_tape() -> None:
    with pytest.raises(SourceError, match=r"expected mel \[80, frames\]"):
        Tape.from_mel(np.zeros((64, 20), np.float32), SPEC)


def test_reading_mixes_neighbours_and_mirrors_at_the_ends() -> None:
    rows = np.arange(10, dtype=np.float32)[:, None] * np.ones(SPEC.bands, np.float32)
    tape = Tape.from_mel(rows.T, SPEC)
    read = tape.read(np.array([0.0, 3.25, 9.0, 9.5, 12.0, -2.0, 18.0, 20.0]))[:, 0]
    np.testing.assert_array_equal(read, np.float32([0.0, 3.25, 9.0, 8.5, 6.0, 2.0, 0.0, 2.0]))
