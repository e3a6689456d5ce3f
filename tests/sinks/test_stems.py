"""Stems: aligned, exact, readable after a crash or a full disk, and never in the render thread's way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.sinks.stems import FORMATS, StemFormat, StemWriter
from synthhost.sinks.tap import Tap
from synthhost.sinks.wav_format import WavFile, encode

RATE = 48000
STEP = {"wav16": 2.0**-16, "wav24": 2.0**-24, "wav32f": 0.0, "flac": 2.0**-24}  # half a step of rounding
every_format = pytest.mark.parametrize("format", FORMATS)


def noise(channels: int, samples: int, seed: int = 3) -> Audio:
    return np.random.default_rng(seed).uniform(-0.99, 0.99, (channels, samples)).astype(np.float32)


def read(path: Path) -> Audio:
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    assert rate == RATE
    return sound.T


def feed(tap: Tap, sound: Audio, block: int = 256) -> None:
    for at in range(0, sound.shape[1], block):
        tap.write(sound[:, at : at + block])


@every_format
def test_stems_hold_what_was_written_and_end_together(tmp_path: Path, format: StemFormat) -> None:
    writer = StemWriter(tmp_path / "take", {"master": 2, "voice": 1}, RATE, format, start_sample=1000)
    master, voice = noise(2, 10_001), noise(1, 4_321)
    feed(writer.tap("master"), master)
    feed(writer.tap("voice"), voice)
    writer.close(end_sample=1000 + 12_000)
    assert writer.error is None
    heard = {name: read(path) for name, path in writer.paths.items()}
    assert {sound.shape[1] for sound in heard.values()} == {12_000}
    for name, sound in (("master", master), ("voice", voice)):
        length = sound.shape[1]
        np.testing.assert_allclose(heard[name][:, :length], sound, rtol=0, atol=STEP[format])
        assert not heard[name][:, length:].any()


@every_format
def test_close_without_an_end_pads_to_the_longest_stem(tmp_path: Path, format: StemFormat) -> None:
    writer = StemWriter(tmp_path, {"a": 1, "b": 1, "empty": 1}, RATE, format)
    feed(writer.tap("a"), noise(1, 300))
    feed(writer.tap("b"), noise(1, 77))
    writer.close()
    assert {read(path).shape[1] for path in writer.paths.values()} == {300}


def test_float_stems_are_exact_beyond_full_scale(tmp_path: Path) -> None:
    writer = StemWriter(tmp_path, {"hot": 3}, RATE, "wav32f")
    sound = noise(3, 5000) * np.float32(40.0)
    feed(writer.tap("hot"), sound)
    writer.close()
    np.testing.assert_array_equal(read(writer.paths["hot"]), sound)


def test_whole_number_formats_round_half_to_even_and_clip() -> None:
    steps = np.array([[0.5, 1.5, -0.5, 2.0, 4e4, -4e4, np.nan, np.inf, -np.inf]], dtype=np.float32)
    written = np.frombuffer(encode(steps / np.float32(32768), "wav16"), dtype="<i2")
    assert written.tolist() == [0, 2, 0, 2, 32767, -32768, 0, 32767, -32768]
    top = np.frombuffer(encode(np.array([[1.0, -1.0]], dtype=np.float32), "wav24"), dtype=np.uint8)
    assert top.tolist() == [0xFF, 0xFF, 0x7F, 0x00, 0x00, 0x80]


@every_format
def test_dropped_blocks_are_counted_and_leave_silence_of_their_length(
    tmp_path: Path, format: StemFormat
) -> None:
    writer = StemWriter(tmp_path, {"voice": 1, "other": 1}, RATE, format)
    tap = writer.tap("voice")
    first, last = noise(1, 1000), noise(1, 500)
    tap.write(first)
    tap.write(noise(1, 10 * RATE))  # longer than the ring: dropped whole
    tap.write(last)
    writer.close()
    assert writer.counters() == {"voice": 1, "other": 0}
    assert tap.dropped_samples == 10 * RATE
    expected = np.concatenate((first, np.zeros((1, 10 * RATE), dtype=np.float32), last), axis=1)
    np.testing.assert_allclose(read(writer.paths["voice"]), expected, rtol=0, atol=STEP[format])
    assert read(writer.paths["other"]).shape == expected.shape


@settings(deadline=None, max_examples=60)
@given(steps=st.lists(st.one_of(st.none(), st.integers(0, 90)), max_size=60))
def test_tap_keeps_order_and_place_whatever_is_dropped(steps: list[int | None]) -> None:
    tap, sent, kept = Tap(2, 100, 5), [], {}
    dropped = 0
    for step in [*steps, None]:
        if step is None:
            while (run := tap.read()) is not None:
                kept[run[0]] = run[1]
            continue
        sent.append(noise(2, step, seed=len(sent)))
        before = tap.dropped_samples
        tap.write(sent[-1])
        if tap.dropped_samples > before or (step == 0 and tap.dropped_blocks > dropped):
            sent[-1] = np.zeros_like(sent[-1])
        dropped = tap.dropped_blocks
    expected = np.concatenate([np.zeros((2, 0), dtype=np.float32), *sent], axis=1)
    heard = np.zeros_like(expected)
    for start, run in kept.items():
        heard[:, start : start + run.shape[1]] = run
    np.testing.assert_array_equal(heard, expected)
    assert tap.position == expected.shape[1]


def test_full_tap_drops_whole_blocks_until_it_is_read_again() -> None:
    tap = Tap(1, 1000, 100)
    for _ in range(5):
        tap.write(np.ones((1, 300), dtype=np.float32))
    assert (tap.dropped_blocks, tap.dropped_samples, tap.position) == (2, 600, 1500)
    assert [run[1].shape[1] for run in iter(tap.read, None)] == [900]
    tap.write(np.ones((1, 300), dtype=np.float32))
    assert [(start, run.shape[1]) for start, run in iter(tap.read, None)] == [(1500, 300)]


def test_file_past_four_gigabytes_is_rf64_and_reads_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "long.wav"
    file, tail = WavFile(path, 2, RATE, "wav32f"), noise(2, 1000)
    file.write(tail)
    file.pad(600_000_000)  # 4.8 GB of silence, a hole on disk
    file.write(tail)
    file.close()
    if os.stat(path).st_blocks * 512 > 1 << 26:
        pytest.skip("this file system keeps no holes")
    with soundfile.SoundFile(path) as sound:
        assert (sound.format, sound.frames) == ("RF64", 600_002_000)
        sound.seek(600_001_000)
        np.testing.assert_array_equal(sound.read(dtype="float32").T, tail)


@pytest.mark.parametrize("format", ["wav16", "wav24", "wav32f"])
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_file_turns_from_wav_to_rf64_where_the_size_says(
    tmp_path: Path, format: StemFormat, channels: int
) -> None:
    sound, formats = noise(channels, 501), []
    for limit in (1_000_000, 1000):
        path = tmp_path / f"{limit}.wav"
        file = WavFile(path, channels, RATE, format, rf64_from_bytes=limit)
        file.write(sound)
        file.close()
        np.testing.assert_allclose(read(path), sound, rtol=0, atol=STEP[format])
        formats.append(soundfile.info(path).format)
    assert formats[0].startswith("WAV")
    assert formats[1] == "RF64"


def test_wav_carries_its_start_as_broadcast_time_reference(tmp_path: Path) -> None:
    writer = StemWriter(tmp_path, {"a": 1}, RATE, "wav24", start_sample=(7 << 32) + 5)
    writer.close()
    plain = writer.paths["a"].read_bytes()
    body = plain.index(b"bext") + 8
    assert int.from_bytes(plain[body + 338 : body + 346], "little") == (7 << 32) + 5


CHILD = """
import os, resource, signal, sys
from pathlib import Path
import numpy as np
from synthhost.sinks.stems import StemWriter

what, folder, format = sys.argv[1:]
if what == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, 400_000))
writer = StemWriter(Path(folder), {"a": 2, "b": 1}, 48000, format)
rng = np.random.default_rng(3)
for _ in range(8):
    a = rng.uniform(-0.99, 0.99, (2, 24000)).astype(np.float32)
    writer.tap("a").write(a)
    writer.tap("b").write(a[:1])
    writer.flush()
if what == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
writer.close()
print(writer.error)
print(writer.counters())
"""


def child(what: str, folder: Path, format: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", CHILD, what, str(folder), format], capture_output=True, text=True, timeout=60
    )


def sent() -> Audio:
    rng = np.random.default_rng(3)
    return np.concatenate([rng.uniform(-0.99, 0.99, (2, 24000)) for _ in range(8)], axis=1).astype(np.float32)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@every_format
def test_killed_recording_can_be_read(tmp_path: Path, format: StemFormat) -> None:
    done = child("kill", tmp_path, format)
    assert done.returncode == -signal.SIGKILL, done.stderr
    ending = "flac" if format == "flac" else "wav"
    for name, sound in (("a", sent()), ("b", sent()[:1])):
        heard = read(tmp_path / f"{name}.{ending}")
        lost = sound.shape[1] - heard.shape[1]
        assert 0 <= lost <= (4096 if format == "flac" else 0)
        np.testing.assert_allclose(heard, sound[:, : heard.shape[1]], rtol=0, atol=STEP[format])


@pytest.mark.skipif(sys.platform == "win32", reason="no file size limit to set on this system")
@every_format
def test_full_disk_ends_the_stems_readably_and_the_show_goes_on(tmp_path: Path, format: StemFormat) -> None:
    done = child("full", tmp_path, format)
    assert done.returncode == 0, done.stderr
    error, counters = done.stdout.splitlines()
    assert "no room left" in error
    assert "new take" in error
    assert "whole up to" in error
    assert int(counters.split(":")[1].split(",")[0]) >= 1  # the taps went dead and counted
    lengths = []
    for name, sound in (("a", sent()), ("b", sent()[:1])):
        heard = read(tmp_path / f"{name}.{'flac' if format == 'flac' else 'wav'}")
        assert heard.shape[1] > 20_000
        whole = min(heard.shape[1], 24_000)
        np.testing.assert_allclose(heard[:, :whole], sound[:, :whole], rtol=0, atol=STEP[format])
        lengths.append(heard.shape[1])
    assert format == "flac" or lengths[0] == lengths[1]


def test_existing_file_is_never_overwritten_and_nothing_is_left_behind(tmp_path: Path) -> None:
    (tmp_path / "b.wav").write_bytes(b"precious")
    with pytest.raises(RecordingError, match=r"b\.wav: the file exists"):
        StemWriter(tmp_path, {"a": 1, "b": 1}, RATE)
    assert (tmp_path / "b.wav").read_bytes() == b"precious"
    assert not (tmp_path / "a.wav").exists()


@every_format
def test_folder_that_cannot_be_made_is_refused(tmp_path: Path, format: StemFormat) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        StemWriter(tmp_path / "file" / "take", {"a": 1}, RATE, format)


@given(name=st.text(max_size=40))
@settings(max_examples=40, deadline=None)
def test_no_stem_name_leaves_the_folder(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("take")
    if not name.translate(str.maketrans("", "", " .")):
        with pytest.raises(RecordingError, match="file name"):
            StemWriter(folder, {name: 1}, RATE)
        return
    writer = StemWriter(folder, {name: 1}, RATE)
    writer.close()
    assert writer.paths[name].resolve().parent == folder.resolve()
    assert list(folder.iterdir()) == [writer.paths[name]]


@pytest.mark.parametrize(
    ("names", "reason"),
    [(["../a", ".._a"], "share the file"), (["A", "a"], "share the file"), ([".."], "file name")],
)
def test_names_that_clash_or_vanish_are_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    with pytest.raises(RecordingError, match=reason):
        StemWriter(tmp_path, dict.fromkeys(names, 1), RATE)


def test_unknown_format_and_too_many_flac_channels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="Choose one of wav16"):
        StemWriter(tmp_path, {"a": 1}, RATE, "mp3")  # type: ignore[arg-type]
    with pytest.raises(RecordingError, match="at most 8 channels"):
        StemWriter(tmp_path, {"a": 9}, RATE, "flac")
