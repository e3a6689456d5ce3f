"""A player's own folder says by its names what its sounds are, and a recipe goes on from it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from synthhost.core.errors import ConfigError, TrainingError
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train.drum_material import DrumMaterial
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.own_recipe import own_recipe
from synthhost.train.own_sounds import folder_stamp, named_key, own_hits, own_notes, read_sound, sounds_in
from synthhost.train.recordings import RecordedMaterial
from synthhost.train.spoken_and_played import VocoderMaterial

RATE = 16000
MODELS = Path(__file__).resolve().parents[2] / "models"
needs_tracker = pytest.mark.skipif(
    importlib.util.find_spec("swift_f0") is None, reason="SwiftF0 is not installed"
)


def tone(hertz: float = 220.0, level: float = 0.3, seconds: float = 0.6) -> NDArray[np.float64]:
    times = np.arange(int(seconds * RATE)) / RATE
    return sum(level / k * np.sin(2.0 * np.pi * k * hertz * times) for k in range(1, 5))  # type: ignore[return-value]


def write(path: Path, sound: NDArray[np.float64], rate: int = RATE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate)


@pytest.fixture
def instruments(tmp_path: Path) -> Path:
    """Two instruments; one of them has a hard and a soft note, and one that begins late."""
    folder = tmp_path / "mine"
    write(folder / "flute" / "C4_hard.wav", tone(level=0.4))
    write(folder / "flute" / "C4_soft.wav", tone(level=0.04))
    write(folder / "flute" / "D4.flac", np.concatenate([np.zeros(2000), tone(level=0.2)]))
    write(folder / "bass" / "deep" / "Eb1.wav", tone(level=0.01))
    write(folder / "bass" / "F#1.wav", tone(level=0.001))
    write(folder / "bass" / "silent.wav", np.zeros(4000))
    return folder


@pytest.mark.parametrize(
    ("name", "key"),
    [
        ("C4", 60),
        ("c4", 60),
        ("f#3", 54),
        ("F#3", 54),
        ("Fs3", 54),
        ("Bb2", 46),
        ("bb2", 46),
        ("b2", 47),
        ("A4", 69),
        ("a0", 21),
        ("C-1", 0),
        ("G9", 127),
        ("flute_C4_soft", 60),
        ("flute-C4-1", 60),
        ("bass_Eb1_v3", 27),
        ("01 piano A3 mf", 57),
        ("01C4", 60),
        ("take2_D5", 74),
        ("face", None),
        ("abc", None),
        ("beat", None),
        ("", None),
        ("beat1", None),
        ("grace4", None),
        ("v3", None),
        ("take 12", None),
        ("A440", None),
        ("c12", None),
        ("H4", None),
    ],
)
def test_a_name_tells_its_key_or_none(name: str, key: int | None) -> None:
    assert named_key(name) == key


def test_folders_are_instruments_and_names_are_keys(instruments: Path) -> None:
    notes = own_notes(instruments, RATE)
    assert sorted((note.timbre, note.key) for note in notes) == [
        ("bass", 27),
        ("bass", 30),
        ("flute", 60),
        ("flute", 60),
        ("flute", 62),
    ]
    for note in notes:
        assert np.abs(note.sound[:100]).max() > 0.02 * np.abs(note.sound).max(), "it begins at once"


def test_sounds_beside_each_other_are_one_instrument_named_after_their_folder(tmp_path: Path) -> None:
    for name in ("C3", "E3"):
        write(tmp_path / "kalimba" / f"{name}.wav", tone())
    assert {note.timbre for note in own_notes(tmp_path / "kalimba", RATE)} == {"kalimba"}


def test_velocity_is_loudness_among_those_of_the_same_instrument(instruments: Path) -> None:
    notes = own_notes(instruments, RATE)
    flute = sorted(note.velocity for note in notes if note.timbre == "flute")
    assert flute[-1] == 1.0
    assert flute[0] == pytest.approx(0.5, abs=0.01), "20 of 40 dB below the loudest"
    assert flute[1] == pytest.approx(1.0 - 6.02 / 40.0, abs=0.01)
    assert max(note.velocity for note in notes if note.timbre == "bass") == 1.0
    assert all(0.1 <= note.velocity <= 1.0 for note in notes)


def test_folders_that_hold_no_notes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match=r"is no folder\. Name a folder"):
        own_notes(tmp_path / "none", RATE)
    write(tmp_path / "one" / "C4.wav", tone())
    with pytest.raises(TrainingError, match=r"holds 1 notes.*give two or more"):
        own_notes(tmp_path / "one", RATE)
    (tmp_path / "one" / "D4.wav").write_bytes(b"no sound")
    with pytest.raises(TrainingError, match=r"D4\.wav: cannot be read.*Take it out"):
        own_notes(tmp_path / "one", RATE)


@needs_tracker
def test_a_key_that_no_name_tells_is_measured(tmp_path: Path) -> None:
    for number, cents in enumerate((0, 30)):
        write(tmp_path / "in" / f"take{number:02d}x.wav", tone(220.0 * 2.0 ** (cents / 1200.0), seconds=1.0))
    keys = sorted(note.key for note in own_notes(tmp_path / "in", RATE))
    assert keys == pytest.approx([57.0, 57.3], abs=0.08)


@needs_tracker
def test_a_sound_without_key_or_pitch_is_refused(tmp_path: Path) -> None:
    for number in range(2):
        rng = np.random.default_rng(number)
        write(tmp_path / "in" / f"hiss{number}.wav", 0.2 * rng.standard_normal(RATE))
    with pytest.raises(TrainingError, match=r"has no pitch. Name its key, as in flute_C4\.wav"):
        own_notes(tmp_path / "in", RATE)


def test_hits_are_of_the_kind_that_their_folder_or_name_says(tmp_path: Path) -> None:
    for name in ("Kick/01.wav", "snare_02.wav", "more/snare-1.flac", "closed-hat/deep/x.wav"):
        write(tmp_path / name, tone(level=0.2))
    kinds = [kind for kind, _ in own_hits(tmp_path, ("kick", "snare", "closed-hat"), RATE)]
    assert sorted(kinds) == ["closed-hat", "kick", "snare", "snare"]
    write(tmp_path / "gong.wav", tone())
    with pytest.raises(TrainingError, match=r"gong\.wav: of which kind is it\?.*kick, snare, closed-hat"):
        list(own_hits(tmp_path, ("kick", "snare", "closed-hat"), RATE))


def test_a_hits_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="is no folder"):
        list(own_hits(tmp_path / "none", ("kick",), RATE))


def test_sounds_are_brought_to_one_rate_and_channel(tmp_path: Path) -> None:
    both = np.stack([tone(), np.zeros_like(tone())], 1)
    write(tmp_path / "x.wav", both, 2 * RATE)
    sound = read_sound(tmp_path / "x.wav", RATE)
    assert sound.dtype == np.float32
    assert sound.shape == (both.shape[0] // 2,)
    broken = both.copy()
    broken[5] = np.nan
    soundfile.write(tmp_path / "y.wav", broken, RATE, subtype="FLOAT")
    with pytest.raises(TrainingError, match="no numbers"):
        read_sound(tmp_path / "y.wav", RATE)


def test_other_files_are_left_aside_and_a_stamp_tells_what_changed(instruments: Path) -> None:
    count = len(sounds_in(instruments))
    stamp = folder_stamp(str(instruments))
    (instruments / "notes.txt").write_text("mine")
    assert len(sounds_in(instruments)) == count == len(stamp)
    assert folder_stamp(str(instruments)) == stamp
    write(instruments / "flute" / "D4.flac", tone())
    assert folder_stamp(str(instruments)) != stamp
    assert folder_stamp("") == []


@pytest.mark.parametrize(
    ("name", "task", "reads"),
    [
        ("notes", "notes", NoteMaterial.from_json),
        ("lead", "voice", NoteMaterial.from_json),
        ("ember", "generator", NoteMaterial.from_json),
        ("mist", "diffusion", NoteMaterial.from_json),
        ("drums", "drums", DrumMaterial.from_json),
        ("murmur", "texture", RecordedMaterial.from_json),
        ("mirror", "vocoder", VocoderMaterial.from_json),
    ],
)
def test_every_shipped_model_can_go_on_learning_from_a_folder(
    instruments: Path, name: str, task: str, reads: Any
) -> None:
    base = Recipe.from_yaml((MODELS / name / "recipe.yaml").read_text(), name)
    made = own_recipe(base, MODELS / name, instruments)
    again = Recipe.from_yaml(dump_yaml(made.as_json()), "again")
    assert again == made
    assert (again.name, again.task) == (f"{name}-mine", task)
    assert again.begins_from == str(MODELS / name)
    assert again.hyper == base.hyper
    assert 1 <= again.steps < base.steps
    assert again.learning_rate < base.learning_rate
    assert "CC0" not in again.licence
    material = reads(again.material)
    told = material.speech if task == "vocoder" else material
    assert str(instruments) in (getattr(told, "folder", ""), getattr(told, "source", ""))
    assert not {"unplayed", "shares"} & set(again.settings)
    assert again.settings.get("bfloat16_steps", 0) < again.steps, "the last steps are not rounded"
    assert not [key for key, value in again.settings.items() if key.endswith("_from") and value], (
        "all has begun"
    )
    for key, value in base.settings.items():
        if key.endswith("_to"):
            assert again.settings[key.removesuffix("_to")] == again.settings[key] == value, "and has fallen"
    if task in ("notes", "voice", "generator", "diffusion"):
        assert not material.teacher
        timbres = [(one.name, one.program, one.lowest, one.highest) for one in material.timbres]
        assert timbres == [("bass", None, 27, 30), ("flute", None, 60, 62)]


def test_a_vocoder_that_learned_no_speech_can_go_on_from_a_folder_too(instruments: Path) -> None:
    base = Recipe.from_yaml((MODELS / "mirror" / "recipe.yaml").read_text(), "mirror")
    notes_only = base.model_copy(update={"material": {"notes": base.material["notes"]}})
    material = VocoderMaterial.from_json(own_recipe(notes_only, MODELS / "mirror", instruments).material)
    assert material.speech is not None
    assert material.speech.source == str(instruments)
    assert material.notes is None


def test_a_task_without_own_material_and_a_folder_without_notes_are_refused(tmp_path: Path) -> None:
    base = Recipe.from_yaml((MODELS / "notes" / "recipe.yaml").read_text(), "notes")
    with pytest.raises(ConfigError, match="nothing is learned from a folder for the task 'other'"):
        own_recipe(base.model_copy(update={"task": "other"}), tmp_path, tmp_path)
    with pytest.raises(TrainingError, match="holds 0 notes"):
        own_recipe(base, tmp_path, tmp_path)
