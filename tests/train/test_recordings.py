"""Recordings are cut, brought to one loudness and kept apart from what is held out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from synthhost.core.errors import ConfigError, TrainingError
from synthhost.train import recordings as module
from synthhost.train.recordings import RecordedMaterial, recordings

RATE = 8000
PLAIN: dict[str, Any] = {"source": "speech", "held_out_every": 3, "longest_pause_s": 0.1}


def tone(hertz: float, seconds: float, level: float = 0.3) -> NDArray[np.float64]:
    return np.asarray(level * np.sin(2.0 * np.pi * hertz * np.arange(int(seconds * RATE)) / RATE))


def material(folder: Path, **changed: Any) -> RecordedMaterial:
    return RecordedMaterial.from_json({**PLAIN, "source": str(folder), **changed})


def written(folder: Path, *sounds: NDArray[np.float64]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, sound in enumerate(sounds):
        soundfile.write(folder / f"{number}.wav", sound, RATE, subtype="FLOAT")
    return folder


def share_at(sound: NDArray[np.float32], hertz: float) -> float:
    power = np.abs(np.fft.rfft(sound * np.hanning(sound.size))) ** 2
    near = np.abs(np.fft.rfftfreq(sound.size, 1.0 / RATE) - hertz) < 20.0
    return float(power[near].sum() / power.sum())


def test_pauses_are_cut_to_the_longest_and_shorter_ones_are_left(tmp_path: Path) -> None:
    long, short = np.zeros(RATE), np.zeros(RATE // 20)
    broken = np.concatenate([tone(200, 0.4), long, tone(200, 0.4), short, tone(200, 0.4)])
    folder = written(tmp_path / "in", broken, tone(300, 0.5))
    found = recordings(material(folder), RATE, tmp_path)
    assert found.learned.size / RATE == pytest.approx(1.2 + 0.1 + 0.05, abs=0.03)
    assert found.held_out.size / RATE == pytest.approx(0.5, abs=0.03)


def test_the_loudest_thousandth_of_all_lies_at_nine_tenths(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", tone(200, 1.0, 0.01), tone(300, 1.0, 0.02))
    found = recordings(material(folder), RATE, tmp_path)
    everything = np.abs(np.concatenate([found.learned, found.held_out]))
    assert np.quantile(everything, 0.999) == pytest.approx(0.9, abs=0.01)
    assert np.abs(found.learned).max() == pytest.approx(0.45, abs=0.01), "loudness beside others is kept"


def test_a_click_does_not_make_all_else_soft(tmp_path: Path) -> None:
    clicking = tone(200, 1.0, 0.1)
    clicking[4000] = 1.0
    found = recordings(material(written(tmp_path / "in", clicking, tone(300, 1.0, 0.1))), RATE, tmp_path)
    assert np.abs(found.held_out).max() == pytest.approx(0.9, abs=0.02)
    assert np.abs(found.learned).max() == 1.0


def test_every_third_is_held_out_and_nothing_of_it_is_learned(tmp_path: Path) -> None:
    pitches = (200, 400, 600, 800, 1000)
    folder = written(tmp_path / "in", *(tone(hertz, 0.5) for hertz in pitches))
    found = recordings(material(folder), RATE, tmp_path)
    assert found.learned.dtype == found.held_out.dtype == np.float32
    for number, hertz in enumerate(pitches):
        held_out = number % 3 == 1
        assert (share_at(found.held_out, hertz) > 0.1) is held_out
        assert (share_at(found.learned, hertz) < 0.001) is held_out


def test_of_two_sounds_one_is_held_out_however_rarely_that_is(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", tone(200, 0.5), tone(400, 0.5))
    found = recordings(material(folder, held_out_every=20), RATE, tmp_path)
    assert share_at(found.held_out, 400) > 0.95
    assert share_at(found.learned, 200) > 0.95


def test_other_rates_and_channels_become_one(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", tone(200, 0.5))
    times = np.arange(22050) / 44100
    both = 0.3 * np.sin(2.0 * np.pi * 400 * times)
    soundfile.write(folder / "1.flac", np.stack([both, both], 1), 44100)
    found = recordings(material(folder), RATE, tmp_path)
    assert found.held_out.size / RATE == pytest.approx(0.5, abs=0.03)
    assert share_at(found.held_out, 400) > 0.95


def test_a_file_that_cannot_be_read_is_told_and_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "in", tone(200, 0.5), tone(400, 0.5))
    whole = recordings(material(folder), RATE, tmp_path)
    (folder / "00-broken.wav").write_bytes(b"no sound at all")
    said: list[str] = []
    found = recordings(material(folder), RATE, tmp_path, said.append)
    assert [one for one in said if "00-broken.wav" in one and "left out" in one]
    np.testing.assert_array_equal(found.learned, whole.learned)
    np.testing.assert_array_equal(found.held_out, whole.held_out)


def test_what_cannot_be_learned_from_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no folder"):
        recordings(material(tmp_path / "none"), RATE, tmp_path)
    folder = written(tmp_path / "in", tone(200, 0.5))
    with pytest.raises(TrainingError, match=r"1 sounds that can be read.*give two or more"):
        recordings(material(folder), RATE, tmp_path)
    written(folder, np.zeros(RATE), np.zeros(RATE))
    with pytest.raises(TrainingError, match="all of it is silent"):
        recordings(material(folder), RATE, tmp_path)


@pytest.mark.parametrize(
    "changed",
    [
        {"held_out_every": 1},
        {"held_out_every": "some"},
        {"longest_pause_s": 0.0},
        {"source": "pads"},
        {"programs": 3},
    ],
)
def test_a_material_that_says_nothing_usable_is_refused(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="material"):
        RecordedMaterial.from_json({**PLAIN, **changed})


def test_they_are_made_once_and_again_when_a_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = written(tmp_path / "in", tone(200, 0.5), tone(400, 0.5))
    first = recordings(material(folder), RATE, tmp_path)
    made, times = module._made, []

    def counted(*arguments: Any) -> module.Recordings:
        times.append(1)
        return made(*arguments)

    monkeypatch.setattr(module, "_made", counted)
    again = recordings(material(folder), RATE, tmp_path)
    assert not times
    np.testing.assert_array_equal(first.learned, again.learned)
    written(folder, tone(600, 0.5))
    os.utime(folder / "0.wav", ns=(1, 1))  # as long as before, at another time
    changed = recordings(material(folder), RATE, tmp_path)
    assert len(times) == 1
    assert share_at(changed.learned, 600) > 0.95
