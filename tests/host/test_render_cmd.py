"""`synthhost render` in the studio of this folder: what it leaves behind and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest
import soundfile
from typer.testing import CliRunner, Result

from synthhost.cli.app import make_app
from synthhost.core.errors import RecordingError

SAMPLES = 2205


def render(studio: Path, score: Path, out: Path, *more: str) -> Result:
    set_ = str(studio / "presets" / "same-set.yaml")
    words = ["render", "--score", str(score), "--set", set_, "--out", str(out), "--for", "0.1", *more]
    return CliRunner().invoke(make_app("render"), words)


@pytest.fixture
def score(tmp_path: Path) -> Path:
    """Give a score with a mistake in its middle."""
    path = tmp_path / "piece.txt"
    path.write_text("0 /track/voice/gain -6\n0.05 /track/vioce/gain 0\n")
    return path


def test_a_render_that_failed_can_be_repeated_into_the_same_folder(
    studio: Path, score: Path, tmp_path: Path
) -> None:
    failed = render(studio, score, tmp_path / "out")
    assert isinstance(failed.exception, RecordingError)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []
    score.write_text(score.read_text().replace("vioce", "voice"))
    assert render(studio, score, tmp_path / "out").exit_code == 0
    assert soundfile.info(tmp_path / "out" / "master.wav").frames == SAMPLES


def test_a_render_that_failed_leaves_alone_what_others_put_there(
    studio: Path, score: Path, tmp_path: Path
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    assert "something in this folder" in str(render(studio, score, tmp_path / "out").exception)
    assert (tmp_path / "out" / "notes.txt").read_text() == "mine"


def test_the_length_told_is_that_of_the_stems(studio: Path, score: Path, tmp_path: Path) -> None:
    score.write_text("0 /panic\n")
    said = render(studio, score, tmp_path / "out").stderr
    assert f"{SAMPLES} samples in {tmp_path / 'out'}" in said


def test_more_than_a_day_is_refused_with_its_length(studio: Path, score: Path, tmp_path: Path) -> None:
    refused = render(studio, score, tmp_path / "out", "--for", "1e6").exception
    assert str(refused) == ("--for 1e+06: would render 277.8 hours; at most 24 hours are rendered at once.")
    score.write_text("90000 /panic\n")
    words = ["render", "--score", str(score), "--out", str(tmp_path / "out")]
    assert "25.0 hours" in str(CliRunner().invoke(make_app("render"), words).exception)
