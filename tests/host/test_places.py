"""Places: names in messages become presets, sounds and takes, or a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from synthhost.core.errors import ConfigError, RecordingError, SourceError
from synthhost.host.factory import file_sha256
from synthhost.host.places import Places
from synthhost.schema.preset_library import PresetLibrary

PRESET = """
synthhost: preset/1
name: pad
model: voc
source:
  kind: tape
  tape: sounds/tone.wav
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "presets" / "sounds").mkdir(parents=True)
    (tmp_path / "presets" / "pad.yaml").write_text(PRESET)
    soundfile.write(tmp_path / "presets" / "sounds" / "tone.wav", np.zeros(100), 8000)
    return Places(PresetLibrary([tmp_path / "presets"]), tmp_path / "takes")


def test_a_preset_is_written_out_so_that_it_means_the_same_anywhere(places: Places, tmp_path: Path) -> None:
    source = places.preset_body("pad")["source"]
    tone = tmp_path / "presets" / "sounds" / "tone.wav"
    assert source["tape"] == str(tone)
    assert source["tape_sha256"] == file_sha256(str(tone))
    with pytest.raises(ConfigError, match="Did you mean 'pad'"):
        places.preset_body("pat")
    tone.unlink()
    with pytest.raises(SourceError, match=r"tone\.wav: the sound cannot be read"):
        places.preset_body("pad")


def test_a_sound_is_a_file_that_is_there(
    places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tone = tmp_path / "presets" / "sounds" / "tone.wav"
    assert places.sound(str(tone)) == str(tone)
    monkeypatch.setenv("HOME", str(tmp_path / "presets"))
    assert places.sound("~/sounds/tone.wav") == str(tone)
    monkeypatch.chdir(tmp_path)
    assert places.sound("presets/sounds/tone.wav") == str(tone)


@pytest.mark.parametrize(
    "given",
    ["", ".", "/nowhere/x.wav", "~nobody-is-called-that/x.wav", "a\0b", "x" * 5000, "/" + "y/" * 3000],
)
def test_a_sound_that_cannot_be_is_told(places: Places, given: str) -> None:
    with pytest.raises(SourceError, match="there is no such sound file"):
        places.sound(given)


def test_a_take_has_a_plain_new_name_or_one_by_time(places: Places, tmp_path: Path) -> None:
    assert places.take("First take 1.b") == str(tmp_path / "takes" / "First take 1.b")
    assert Path(places.take(None)).parent == tmp_path / "takes"
    (tmp_path / "takes" / "done").mkdir(parents=True)
    with pytest.raises(RecordingError, match="exists already"):
        places.take("done")


@pytest.mark.parametrize("name", ["", "..", ".hidden", "a/b", "../x", "/abs", "a\0b", "x" * 65, "a\nb", "ü"])
def test_a_take_stays_in_its_folder(places: Any, name: str) -> None:
    with pytest.raises(RecordingError, match="cannot name a take"):
        places.take(name)
