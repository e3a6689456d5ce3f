"""Takes: named so that none is overwritten, placed where they begin, whole or told."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from synthhost.core.errors import RecordingError
from synthhost.host.recording import Recording, check_take_folder, new_take


def time_reference(path: Path) -> int:
    """Return the engine sample a WAV file says it begins at, from its `bext` chunk."""
    raw = path.read_bytes()
    at = raw.index(b"bext") + 8 + 338
    return int.from_bytes(raw[at : at + 8], "little")


def test_a_take_that_begins_later_than_its_files_is_placed_where_it_begins(tmp_path: Path) -> None:
    recording = Recording(tmp_path / "take", {"voice": 1, "master": 2}, 48000, "wav32f", 1000)
    recording.begin(5120)
    sound = np.random.default_rng(1).standard_normal((2, 512)).astype(np.float32)
    for at in range(0, 512, 64):
        recording.write("voice", sound[:1, at : at + 64])
        recording.write("master", sound[:, at : at + 64])
    recording.end(5120 + 512)
    recording.close()
    assert recording.error is None
    assert recording.drops == 0
    assert recording.folder == str(tmp_path / "take")
    for name, wanted in (("voice", sound[:1]), ("master", sound)):
        path = tmp_path / "take" / f"{name}.wav"
        heard, _ = soundfile.read(path, dtype="float32", always_2d=True)
        np.testing.assert_array_equal(heard.T, wanted)
        assert time_reference(path) == 5120


def test_a_take_is_never_overwritten(tmp_path: Path) -> None:
    Recording(tmp_path, {"voice": 1}, 48000, "wav24", 0).close()
    with pytest.raises(RecordingError, match="never overwritten"):
        Recording(tmp_path, {"voice": 1}, 48000, "wav24", 0)


def test_takes_are_named_by_time_and_numbered_where_the_time_is_taken(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        folder = new_take(tmp_path / "takes")
        assert folder.parent == tmp_path / "takes"
        assert not folder.exists()
        folder.mkdir(parents=True)
        names.append(folder.name)
    assert len(set(names)) == 3
    assert all(name.startswith("take-20") for name in names)


def test_a_folder_for_a_take_is_made_or_must_be_empty(tmp_path: Path) -> None:
    check_take_folder(tmp_path / "a" / "b")
    check_take_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()
    with pytest.raises(RecordingError, match="something in this folder already"):
        check_take_folder(tmp_path / "a")
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(RecordingError, match="cannot be written there"):
            check_take_folder(place)
