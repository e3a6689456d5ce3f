"""Digests of sound files: of ordinary files alone, and never with a wait."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from synthhost.core.errors import SourceError
from synthhost.host.sounds import LARGEST_BYTES, file_sha256


def test_a_file_is_known_by_its_digest_through_links_too(tmp_path: Path) -> None:
    sound = tmp_path / "tone.wav"
    sound.write_bytes(b"RIFF and so on")
    (tmp_path / "link.wav").symlink_to(sound)
    digest = hashlib.sha256(b"RIFF and so on").hexdigest()
    assert file_sha256(str(sound)) == file_sha256(str(tmp_path / "link.wav")) == digest


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    pipe = tmp_path / "tone.wav"
    os.mkfifo(pipe)
    (tmp_path / "link.wav").symlink_to(pipe)
    for path in (pipe, tmp_path / "link.wav"):
        with pytest.raises(SourceError, match="no ordinary file"):
            file_sha256(str(path))


@pytest.mark.parametrize("path", ["/dev/zero", "/"])
def test_devices_and_folders_are_refused(path: str) -> None:
    with pytest.raises(SourceError, match="no ordinary file"):
        file_sha256(path)


def test_what_is_too_large_is_refused_before_it_is_read(tmp_path: Path) -> None:
    sound = tmp_path / "long.wav"
    sound.touch()
    os.truncate(sound, LARGEST_BYTES + 1)
    with pytest.raises(SourceError, match="GiB is too large"):
        file_sha256(str(sound))


@pytest.mark.parametrize(("name", "reason"), [("gone.wav", "No such file"), ("a\0b", "null")])
def test_a_path_that_leads_nowhere_is_refused_with_the_reason(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason):
        file_sha256(str(tmp_path / name))


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(SourceError, match="empty"):
        file_sha256(str(tmp_path / "empty.wav"))
