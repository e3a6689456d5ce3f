"""Sets: what they may say, what they are refused for, and where their presets come from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from synthhost.core.errors import ConfigError
from synthhost.schema.preset import PlacedPreset
from synthhost.schema.preset_library import PresetLibrary
from synthhost.schema.set import PlacedSet, Set, load_set
from synthhost.schema.strict_yaml import dump_yaml

INLINE: dict[str, Any] = {"name": "own", "model": "mine", "source": {"kind": "frames"}}
PRESET_TEXT = """\
synthhost: preset/1
name: slow-choir
model: hifigan-universal
source: {kind: tape, tape: sounds/choir.flac}
"""


def plain_set(**keys: Any) -> dict[str, Any]:
    return {
        "synthhost": "set/1",
        "name": "show",
        "tracks": [{"name": "voice", "preset": "slow-choir"}],
    } | keys


def tracks(*presets: Any) -> list[dict[str, Any]]:
    return [{"name": f"t{index}", "preset": preset} for index, preset in enumerate(presets)]


def refusal_of(**keys: Any) -> str:
    with pytest.raises(ConfigError) as error:
        Set.from_json(plain_set(**keys), "choir.yaml")
    return str(error.value)


def test_a_set_of_one_track_has_defaults_for_everything_else() -> None:
    show = Set.from_yaml(dump_yaml(plain_set()), "choir.yaml")
    assert (show.sample_rate, show.block_samples, show.crossfade_ms) == (48_000, 256, 30.0)
    assert (show.ahead_ms, show.chunk_frames, show.arrival_delay_ms) == (None, "auto", 0.0)
    assert (show.osc.host, show.osc.port) == ("127.0.0.1", 9000)
    assert show.record.format == "wav32f"


def test_a_track_says_what_computes_it_and_nothing_that_is_no_back_end_or_device() -> None:
    said = {**tracks("slow-choir")[0], "backend": "torch", "device": "cuda:1"}
    (track,) = Set.from_json(plain_set(tracks=[said]), "choir.yaml").tracks
    assert (track.backend, track.device) == ("torch", "cuda:1")
    (plain,) = Set.from_json(plain_set(), "choir.yaml").tracks
    assert (plain.backend, plain.device) == ("auto", "cpu")
    assert "There are cpu, cuda and cuda:N" in refusal_of(tracks=[said | {"device": "gpu"}])
    assert "backend" in refusal_of(tracks=[said | {"backend": "tensor"}])


def test_a_set_survives_json_and_yaml() -> None:
    keys: dict[str, Any] = {
        "tracks": tracks("slow-choir", "../pad.yaml", INLINE),
        "ahead_ms": 12,
        "chunk_frames": 4,
        "seed": 2**63 - 1,
        "master": {"gain_db": -2, "ceiling_db": -0.5},
        "record": {"format": "flac"},
    }
    show = Set.from_json(plain_set(**keys), "choir.yaml")
    assert Set.from_json(show.as_json(), "journal") == show
    assert Set.from_yaml(dump_yaml(show.as_json()), "copy.yaml") == show


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"sample_rate": 4000}, "choir.yaml: sample_rate: must be at least 8000, not 4000."),
        ({"sample_rate": 48000.0}, "choir.yaml: sample_rate: must be a whole number, not 48000.0."),
        ({"block_samples": 100}, "choir.yaml: block_samples: must be a multiple of 16, not 100."),
        ({"block_samples": 8192}, "choir.yaml: block_samples: must be at most 4096, not 8192."),
        ({"ahead_ms": 0}, "choir.yaml: ahead_ms: must be more than 0, not 0."),
        ({"chunk_frames": 0}, "choir.yaml: chunk_frames: must be at least 1, not 0."),
        ({"chunk_frames": "many"}, "choir.yaml: chunk_frames: must be 'auto', not 'many'."),
        ({"seed": -1}, "choir.yaml: seed: must be at least 0, not -1."),
        ({"tracks": []}, "choir.yaml: tracks: must have at least 1 entries."),
        ({"tracks": tracks(*["a"] * 33)}, "choir.yaml: tracks: must have at most 32 entries."),
        ({"tracks": "voice"}, "choir.yaml: tracks: must be a list, not 'voice'."),
        ({"osc": {"port": 70000}}, "choir.yaml: osc.port: must be at most 65535, not 70000."),
        ({"master": {"ceiling_db": 1}}, "choir.yaml: master.ceiling_db: must be at most 0, not 1."),
        ({"trakcs": []}, "choir.yaml: 'trakcs' is not known. Did you mean 'tracks'?"),
        (
            {"record": {"format": "mp3"}},
            "choir.yaml: record.format: must be 'wav16', 'wav24', 'wav32f' or 'flac', not 'mp3'.",
        ),
    ],
)
def test_a_set_that_cannot_be_played_is_refused(keys: dict[str, Any], told: str) -> None:
    assert refusal_of(**keys) == told


@pytest.mark.parametrize(
    ("track", "told"),
    [
        ({"name": "master", "preset": "a"}, "tracks[0]: a track cannot be called 'master'"),
        ({"name": "cue", "preset": "a"}, "tracks[0]: a track cannot be called 'cue'"),
        ({"name": "a"}, "tracks[0]: 'preset' is missing: add it."),
        ({"name": "a", "preset": "a", "pan": 2}, "tracks[0].pan: must be at most 1, not 2."),
        ({"name": "a", "preset": "a", "mute": 1}, "tracks[0].mute: must be true or false, not 1."),
        ({"name": "a", "preset": 3}, "tracks[0].preset: must be text: put 3 in quotes."),
        (
            {"name": "a", "preset": INLINE | {"gain": 1}},
            "tracks[0].preset: 'gain' is not known. Did you mean",
        ),
        ({"name": "a", "preset": INLINE | {"synthhost": "preset/9"}}, "tracks[0].preset: 'preset/9' needs"),
    ],
)
def test_a_track_that_cannot_be_played_is_refused(track: dict[str, Any], told: str) -> None:
    assert f"choir.yaml: {told}" in refusal_of(tracks=[track])


def test_two_tracks_of_one_name_are_refused() -> None:
    track = {"name": "voice", "preset": "a"}
    assert "two tracks are called 'voice'" in refusal_of(tracks=[track, track])


def library(tmp_path: Path) -> PresetLibrary:
    (tmp_path / "shelf/sets").mkdir(parents=True)
    (tmp_path / "shelf/slow-choir.yaml").write_text(PRESET_TEXT)
    (tmp_path / "shelf/sets/show.yaml").write_text(dump_yaml(plain_set()))
    return PresetLibrary([tmp_path / "shelf"])


def placed(tmp_path: Path, *presets: Any) -> PlacedSet:
    file = tmp_path / "choir.yaml"
    file.write_text(dump_yaml(plain_set(tracks=tracks(*presets))))
    return load_set(file)


def test_sets_are_found_by_name(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    assert shelf.set_names() == ("show",)
    assert shelf.load_set("show").set.name == "show"
    with pytest.raises(ConfigError, match=r"^no set is named 'shwo'\. Did you mean 'show'\?$"):
        shelf.load_set("shwo")


def test_a_file_is_a_preset_or_a_set_by_its_header(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    assert isinstance(shelf.load_any("slow-choir"), PlacedPreset)
    assert isinstance(shelf.load_any(str(tmp_path / "shelf/sets/show.yaml")), PlacedSet)
    (tmp_path / "headless.yaml").write_text("name: a")
    with pytest.raises(ConfigError, match="does not say what it is"):
        shelf.load_any(str(tmp_path / "headless.yaml"))


def test_presets_of_a_set_come_by_name_path_or_written_out(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    found = shelf.presets_of(placed(tmp_path, "slow-choir", "shelf/slow-choir.yaml", INLINE))
    assert [found[name].preset.name for name in ("t0", "t1", "t2")] == ["slow-choir", "slow-choir", "own"]
    assert found["t0"].sound_paths() == {"tape": tmp_path / "shelf/sounds/choir.flac"}
    assert found["t2"].folder == tmp_path


def test_a_missing_preset_names_the_track_and_suggests_the_nearest(tmp_path: Path) -> None:
    show = placed(tmp_path, "slow-choir", "slow-chior")
    with pytest.raises(ConfigError) as error:
        library(tmp_path).presets_of(show)
    assert str(error.value).endswith(
        "choir.yaml: tracks[1].preset: no preset is named 'slow-chior'. Did you mean 'slow-choir'?"
    )


def test_a_set_with_presets_written_out_needs_no_other_file(tmp_path: Path) -> None:
    shelf, show = library(tmp_path), placed(tmp_path, "slow-choir")
    presets = {name: preset.absolute({"tape": "0" * 64}) for name, preset in shelf.presets_of(show).items()}
    embedded = Set.from_json(show.set.with_presets(presets).as_json(), "journal")
    again = PresetLibrary([]).presets_of(PlacedSet(embedded, Path("/elsewhere"), "journal"))
    assert again["t0"].preset == presets["t0"]
    assert again["t0"].sound_paths() == {"tape": tmp_path / "shelf/sounds/choir.flac"}
