"""Sinks without a device: paced by a clock, and a file that begins where the sound begins."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.sinks import clocked
from synthhost.sinks.clocked import ClockedSink, MasterFile

RATE, BLOCK = 8000, 80


class Clock:
    """A clock that moves when somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 100.0
        self.slept: list[float] = []
        monkeypatch.setattr(clocked, "monotonic", lambda: self.now_s)
        monkeypatch.setattr(clocked, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


class Counting:
    """Plays silence, then 1, 2, 3 ... from the third block on."""

    def __init__(self) -> None:
        self.begun = False
        self.blocks = 0

    def fill(self, out: Audio) -> None:
        self.blocks += 1
        self.begun = self.blocks > 2
        out[:] = max(self.blocks - 2, 0)


def test_blocks_are_taken_at_the_pace_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, playback = Clock(monkeypatch), Counting()
    sink = ClockedSink(playback, RATE, BLOCK)  # type: ignore[arg-type]
    clock.now_s += 5.0  # until the engine is there: the clock starts with the first block
    for _ in range(5):
        clock.now_s += 0.003  # of work
        sink.turn()
    assert clock.now_s - 105.003 == pytest.approx(0.04)
    assert playback.blocks == 5


def test_a_clock_that_fell_behind_hurries_and_one_far_behind_starts_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock(monkeypatch)
    sink = ClockedSink(Counting(), RATE, BLOCK)  # type: ignore[arg-type]
    sink.turn()
    clock.now_s += 0.035
    for _ in range(3):
        sink.turn()
    assert not clock.slept
    sink.turn()
    assert clock.slept == [pytest.approx(0.005)]
    clock.now_s += 60.0
    sink.turn()
    sink.turn()
    assert clock.slept[1:] == [pytest.approx(0.01)]


def test_what_waited_before_the_first_sample_is_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    heard: list[float] = []
    sink = ClockedSink(Counting(), RATE, BLOCK, lambda block: heard.append(float(block[0, 0])))  # type: ignore[arg-type]
    for _ in range(5):
        sink.turn()
    assert heard == [1.0, 2.0, 3.0]


def test_the_master_file_holds_left_and_right_exactly(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "out.wav"
    sound = np.random.default_rng(1).uniform(-2, 2, (300, 4)).astype(np.float32)
    file = MasterFile(path, RATE)
    for at in range(0, 300, 70):
        file.write(sound[at : at + 70])
    file.close()
    read, rate = soundfile.read(path, dtype="float32")
    assert rate == RATE
    np.testing.assert_array_equal(read, sound[:, :2])


def test_the_master_file_is_flac_where_its_name_ends_so(tmp_path: Path) -> None:
    path = tmp_path / "out.flac"
    sound = np.random.default_rng(1).uniform(-0.9, 0.9, (300, 4)).astype(np.float32)
    file = MasterFile(path, RATE)
    file.write(sound)
    file.close()
    assert soundfile.info(path).format == "FLAC"
    np.testing.assert_allclose(soundfile.read(path, dtype="float32")[0], sound[:, :2], atol=2**-23)


def test_the_master_file_overwrites_nothing(tmp_path: Path) -> None:
    path = tmp_path / "out.wav"
    path.write_bytes(b"a song")
    with pytest.raises(RecordingError, match=r"out\.wav: exists already and is never overwritten"):
        MasterFile(path, RATE)
    assert path.read_bytes() == b"a song"


def test_a_file_that_cannot_be_written_is_told_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match=r"out\.wav: cannot be written .*--out"):
        MasterFile(tmp_path / "file" / "out.wav", RATE)
