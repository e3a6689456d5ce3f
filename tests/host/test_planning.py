"""Plans out of wishes: what cannot be carried out is refused before anything starts."""

from __future__ import annotations

from pathlib import Path

import pytest

from synthhost.core.errors import ConfigError, RecordingError
from synthhost.host.planning import Wishes, make_plan


def wishes(studio: Path, out: Path) -> Wishes:
    return Wishes(str(studio / "presets" / "same-set.yaml"), "file", out=out)


@pytest.mark.parametrize("name", ["out.wav", "out.FLAC"])
def test_the_file_sink_writes_wav_or_flac(studio: Path, tmp_path: Path, name: str) -> None:
    plan = make_plan(wishes(studio, tmp_path / name)).plan
    assert plan.sink.out == str(tmp_path / name)


@pytest.mark.parametrize("name", ["out.mp3", "out", "out.wav.part"])
def test_the_file_sink_refuses_other_endings(studio: Path, tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=r"--out .*/out.*: the sound is written as WAV or FLAC"):
        make_plan(wishes(studio, tmp_path / name))


def test_the_file_sink_overwrites_nothing(studio: Path, tmp_path: Path) -> None:
    (tmp_path / "out.wav").write_bytes(b"a song")
    with pytest.raises(RecordingError, match=r"out\.wav: exists already and is never overwritten"):
        make_plan(wishes(studio, tmp_path / "out.wav"))
