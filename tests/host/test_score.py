"""Scores: read in the order of time, and every bad line named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synthhost.core.errors import RecordingError
from synthhost.host import score
from synthhost.host.score import ScoreLine, read_score


def read(folder: Path, text: str) -> list[ScoreLine]:
    (folder / "piece.txt").write_text(text, encoding="utf-8")
    return read_score(folder / "piece.txt")


def test_lines_are_messages_in_the_order_of_time(tmp_path: Path) -> None:
    lines = read(
        tmp_path,
        """
        # a comment
        2.5  /track/voice/preset "freeze pad" 200   # and another
        0    /track/voice/param/speed -0.5
        2.5  /panic
        1e0  /x 1 1.5 word '7' 1e3
        """,
    )
    assert lines == [
        ScoreLine(4, 0.0, "/track/voice/param/speed", (-0.5,)),
        ScoreLine(6, 1.0, "/x", (1, 1.5, "word", 7, 1000.0)),
        ScoreLine(3, 2.5, "/track/voice/preset", ("freeze pad", 200)),
        ScoreLine(5, 2.5, "/panic", ()),
    ]
    assert [type(each) for each in lines[1].args] == [int, float, str, int, float]


@pytest.mark.parametrize(
    "line", ["x /panic", "-1 /panic", "nan /panic", "inf /panic", "1", "1 panic", "/panic 1"]
)
def test_a_bad_line_is_named_with_an_example_of_a_good_one(tmp_path: Path, line: str) -> None:
    with pytest.raises(RecordingError, match=r"piece\.txt:2: a line is SECONDS /ADDRESS ARGUMENTS"):
        read(tmp_path, f"0 /panic\n{line}\n1 /panic")


def test_open_quotes_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"piece\.txt:1: No closing quotation"):
        read(tmp_path, '0 /track/voice/preset "freeze')


def test_a_score_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(RecordingError, match="cannot be read"):
        read_score(tmp_path / "nowhere.txt")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecordingError, match="cannot be read"):
        read_score(tmp_path / "binary")
    monkeypatch.setattr(score, "MAX_LINES", 2)
    with pytest.raises(RecordingError, match="at most 2 lines"):
        read(tmp_path, "\n\n\n")


def test_a_pipe_or_device_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(RecordingError, match="is no ordinary file"):
            read_score(path)


def test_more_than_a_score_holds_is_refused_with_the_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(RecordingError, match=r"piece\.txt:2: a line has at most 1000000 letters"):
        read(tmp_path, "0 /panic\n1 /x " + "7" * 1_000_000)
    monkeypatch.setattr(score, "MAX_BYTES", 3 << 20)
    with pytest.raises(RecordingError, match="4 MB; a score has at most 3"):
        read(tmp_path, "\n" * (4 << 20))


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused_by_its_line(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.getbasetemp()
    try:
        lines = read(folder, text)
    except RecordingError as error:
        place = str(error).removeprefix(f"{folder / 'piece.txt'}:")
        assert place.split(":")[0].isdecimal()
    else:
        assert all(line.address.startswith("/") and line.time_s >= 0.0 for line in lines)
