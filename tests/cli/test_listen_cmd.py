"""`synthhost listen` measures and draws what it is given, and says what is no sound."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from typer.testing import CliRunner

from synthhost.cli.app import make_app
from synthhost.train import pictures

pytest.importorskip("swift_f0", reason="the pitch tracker is not installed")
pytest.importorskip("matplotlib", reason="what draws pictures is not installed")

RATE = 16000


def run(*arguments: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app("listen"), ["listen", *arguments], env={"COLUMNS": "60"})
    return answer.exit_code, answer.output + str(answer.exception or "")


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """A take of the set `keys`, as its stems are named."""
    folder = tmp_path / "take"
    folder.mkdir()
    times = np.arange(2 * RATE) / RATE
    tone = 0.3 * sum(np.sin(2.0 * np.pi * 440.0 * k * times) / k for k in range(1, 6))
    hum = 0.1 * np.sin(2.0 * np.pi * 187.5 * times)  # the frame rate of its model
    soundfile.write(folder / "piano-dry.wav", tone, RATE)
    soundfile.write(folder / "flute-dry.wav", tone + hum, RATE)
    soundfile.write(folder / "master.flac", np.stack([tone, 0.0 * tone], 1), RATE)
    (folder / "journal.jsonl").write_text("{}")
    return folder


def test_a_take_is_measured_and_drawn(take: Path, tmp_path: Path) -> None:
    picture = tmp_path / "take.png"
    code, said = run(str(take), "--set", "keys", "--picture", str(picture), "--json")
    assert code == 0, said
    found = json.loads(said)
    assert list(found) == ["flute-dry", "master", "piano-dry"]
    assert found["flute-dry"]["comb_db"] > found["piano-dry"]["comb_db"] + 6.0
    assert found["master"]["comb_db"] is None
    assert found["piano-dry"]["pitched"] > 0.9
    assert picture.stat().st_size > 10_000
    code, said = run(str(take))
    assert code == 0
    for whole in ("clipped", "silence s", "piano-dry", "flute-dry"):
        assert whole in said, "in a narrow terminal too"


def test_without_a_pitch_tracker_all_else_is_measured_and_that_is_told(
    take: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "swift_f0", None)  # importing it fails
    code, said = run(str(take))
    assert code == 0, said
    assert "Pitch is left out: Measuring pitch needs SwiftF0" in said
    assert "piano-dry" in said
    (line,) = [one for one in said.splitlines() if "piano-dry" in one]
    assert line.split()[-3:] == ["-", "-", "-"]
    code, said = run(str(take), "--json")
    assert '"pitched": null' in said


def test_without_matplotlib_a_picture_is_refused_before_anything_is_measured(
    take: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "find_spec", lambda _: None)
    code, said = run(str(take), "--picture", str(tmp_path / "new.png"))
    assert code == 1
    assert "Pictures need Matplotlib" in said


def test_files_of_one_name_are_told_apart(take: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    soundfile.write(other / "piano-dry.wav", np.zeros(RATE), RATE)
    code, said = run(str(take / "piano-dry.wav"), str(other), "--json")
    assert code == 0
    found = json.loads(said)
    assert list(found) == [str(take / "piano-dry.wav"), str(other / "piano-dry.wav")]
    assert [heard["sounding"] for heard in found.values()] == [1.0, 0.0]


def test_what_cannot_be_listened_to_is_told(take: Path, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    assert "0 sound files there" in run(str(tmp_path / "nothing"))[1]
    assert "is no sound file" in run(str(take / "journal.jsonl"))[1]
    picture = tmp_path / "there.png"
    picture.write_bytes(b"mine")
    code, said = run(str(take), "--picture", str(picture))
    assert code != 0
    assert "is already there" in said
    assert picture.read_bytes() == b"mine"
    assert "no set" in run(str(take), "--set", "nowhere")[1].lower()
