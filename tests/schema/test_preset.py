"""Presets: what they may say, what they are refused for, and how they are found."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synthhost.core.errors import ConfigError
from synthhost.core.params import ParamSpec
from synthhost.schema.checks import check_preset, require_playable
from synthhost.schema.preset import Macro, PlacedPreset, Preset, load_preset, macro_values, start_values
from synthhost.schema.preset_library import PresetLibrary, preset_folders
from synthhost.schema.strict_yaml import dump_yaml

TEXT = """\
synthhost: preset/1
name: freeze-pad
about: One sentence.
model: hifigan-universal
source: {kind: tape, tape: sounds/choir.flac, params: {speed: 0, position: 0.3, loop: true}}
chain: [{effect: Reverb, params: {room_size: 0.8, wet_level: 0.4}}]
macros:
  - name: drift
    about: How far it strays.
    value: 0.25
    targets: [{param: wander, from: 0.0, to: 0.8}, {param: fx.0.wet_level, from: 0.9, to: 0.1}]
gain_db: -3
"""
PLAIN: dict[str, Any] = Preset.from_yaml(TEXT, "pad.yaml").as_json()

SOURCE_PARAMS = {
    "speed": ParamSpec("speed", "", -4, 4, 1, "How fast the tape runs."),
    "position": ParamSpec("position", "", 0, 1, 0, "Where the tape stands."),
    "wander": ParamSpec("wander", "s", 0, 2, 0, "How far the position strays."),
    "loop": ParamSpec("loop", "", 0, 1, 1, "Whether the tape loops.", kind="bool"),
    "depth": ParamSpec("depth", "frames", 0, 16, 2, "Frames held.", kind="int"),
}
EFFECT_PARAMS = {
    "Reverb": {
        "room_size": ParamSpec("room_size", "", 0, 1, 0.5, "Size of the room."),
        "wet_level": ParamSpec("wet_level", "", 0, 1, 0.3, "Level of the room."),
    }
}


def changed(**keys: Any) -> dict[str, Any]:
    return copy.deepcopy(PLAIN) | keys


def refusal_of(plain: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as error:
        Preset.from_json(plain, "pad.yaml")
    return str(error.value)


def problems_of(plain: dict[str, Any], models: list[str] | None = None) -> list[str]:
    preset = Preset.from_json(plain, "pad.yaml")
    return check_preset(preset, source_params=SOURCE_PARAMS, effect_params=EFFECT_PARAMS, models=models)


def test_a_preset_reads_as_written() -> None:
    preset = Preset.from_yaml(TEXT, "pad.yaml")
    assert preset.source.tape == "sounds/choir.flac"
    assert preset.source.params == {"speed": 0.0, "position": 0.3, "loop": 1.0}
    assert preset.chain[0].params["wet_level"] == 0.4
    assert preset.macros[0].targets[1].from_value == 0.9
    assert preset.gain_db == -3.0


def test_a_preset_survives_json_and_yaml() -> None:
    preset = Preset.from_yaml(TEXT, "pad.yaml")
    assert Preset.from_json(preset.as_json(), "journal") == preset
    assert Preset.from_yaml(dump_yaml(preset.as_json()), "copy.yaml") == preset


def test_a_preset_cannot_be_changed() -> None:
    preset = Preset.from_yaml(TEXT, "pad.yaml")
    with pytest.raises(ValidationError, match="frozen"):
        preset.name = "other"  # type: ignore[misc]


def test_a_preset_without_header_says_how_one_begins() -> None:
    with pytest.raises(ConfigError, match=r"A preset begins with 'synthhost: preset/1'\.$"):
        Preset.from_yaml(TEXT.split("\n", 1)[1], "pad.yaml")


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("preset/2", "'preset/2' needs a synthhost newer than "),
        ("preset/999999999999", "needs a synthhost newer than "),
        ("set/1", "this is a set, not a preset"),
        ("preset/0", "must be 'preset/1'"),
        ("preset/one", "must be 'preset/1'"),
        ("1", "must be 'preset/1'"),
    ],
)
def test_a_foreign_header_is_refused(header: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as error:
        Preset.from_yaml(TEXT.replace("preset/1", header), "pad.yaml")
    assert sentence in str(error.value)


def test_a_newer_preset_is_told_to_update_and_nothing_of_its_new_keys() -> None:
    text = TEXT.replace("preset/1", "preset/2") + "brand_new: 1\n"
    with pytest.raises(ConfigError) as error:
        Preset.from_yaml(text, "pad.yaml")
    assert "update synthhost" in str(error.value)
    assert "brand_new" not in str(error.value)


def test_an_unknown_key_suggests_the_nearest() -> None:
    assert refusal_of(changed(modl="x")) == "pad.yaml: 'modl' is not known. Did you mean 'model'?"


def test_an_unknown_key_inside_names_its_place() -> None:
    plain = changed(chain=[{"effect": "Reverb", "parms": {}}])
    assert refusal_of(plain) == "pad.yaml: chain[0]: 'parms' is not known. Did you mean 'params'?"


def test_the_fields_own_spelling_is_not_a_key() -> None:
    target = {"param": "wander", "from_value": 0, "from": 0, "to": 1}
    assert "'from_value' is not known" in refusal_of(changed(macros=[{"name": "a", "targets": [target]}]))


def test_all_problems_are_told_at_once() -> None:
    told = refusal_of(changed(gain_db=99, name="Not A Slug", model="")).splitlines()
    assert [line.split(": ")[1] for line in told] == ["name", "model", "gain_db"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), "1", None, True])
def test_a_gain_that_is_no_finite_number_is_refused(value: object) -> None:
    assert refusal_of(changed(gain_db=value)).startswith("pad.yaml: gain_db: must be a")


@pytest.mark.parametrize("value", [".nan", ".inf", "1e999", "loud", "[1]"])
def test_a_parameter_that_is_no_finite_number_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"source\.params\.speed: must be a"):
        Preset.from_yaml(TEXT.replace("speed: 0,", f"speed: {value},"), "pad.yaml")


@pytest.mark.parametrize(
    "name", ["", "A", "a b", "-a", "a-", "a--b", "a_b", "ä", "../a", "a/b", "a\n", "a" * 65]
)
def test_a_name_that_is_no_slug_is_refused(name: str) -> None:
    assert "pad.yaml: name: must " in refusal_of(changed(name=name))


def test_a_number_as_name_is_told_to_be_quoted() -> None:
    assert refusal_of(changed(name=808)) == "pad.yaml: name: must be text: put 808 in quotes."


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ({"kind": "tape"}, "source: 'tape' is missing"),
        ({"kind": "frames", "tape": "a.wav"}, "kind 'frames' plays no tape"),
        (
            {"kind": "tapes", "tape": "a.wav"},
            "source.kind: must be 'tape', 'frames', 'latent', 'free', 'clip' or 'notes'",
        ),
        ({"kind": "tape", "tape": "a.wav", "tape_b_sha256": "0" * 64}, "'tape_b_sha256' is given without"),
        ({"kind": "tape", "tape": "a.wav", "tape_sha256": "0"}, "tape_sha256: must be 64 hexadecimal digits"),
        (
            {"kind": "tape", "tape": "a\x1b[2J"},
            "source.tape: must be one line of text without control letters",
        ),
    ],
)
def test_a_source_that_cannot_play_is_refused(source: dict[str, Any], sentence: str) -> None:
    assert sentence in refusal_of(changed(source=source))


def test_macros_of_one_name_are_refused() -> None:
    macro = PLAIN["macros"][0]
    assert "macros name the same name twice: 'drift'" in refusal_of(changed(macros=[macro, macro]))


def test_a_macro_names_each_parameter_once() -> None:
    target = {"param": "wander", "from": 0, "to": 1}
    plain = changed(macros=[{"name": "a", "targets": [target, target]}])
    assert "macros[0]: targets name the same param twice: 'wander'" in refusal_of(plain)


@pytest.mark.parametrize("count", [0, 9])
def test_a_macro_has_one_to_eight_targets(count: int) -> None:
    targets = [{"param": f"p{n}", "from": 0, "to": 1} for n in range(count)]
    assert "macros[0].targets: must have at" in refusal_of(
        changed(macros=[{"name": "a", "targets": targets}])
    )


def test_the_chain_is_bounded() -> None:
    assert "chain: must have at most 16 entries" in refusal_of(changed(chain=[{"effect": "Reverb"}] * 17))


def macro_from(low: float, high: float) -> Macro:
    return Macro.model_validate({"name": "m", "targets": [{"param": "p", "from": low, "to": high}]})


BOUNDED = st.floats(-1e6, 1e6)


@given(low=BOUNDED, high=BOUNDED, value=st.floats(0, 1))
def test_a_macro_moves_on_a_straight_line_and_never_leaves_it(low: float, high: float, value: float) -> None:
    macro = macro_from(low, high)
    assert macro_values(macro, 0.0) == {"p": low}
    assert macro_values(macro, 1.0) == {"p": high}
    reached = macro_values(macro, value)["p"]
    assert reached == pytest.approx(low + (high - low) * value, abs=1e-9 * max(abs(low), abs(high), 1))
    assert min(low, high) <= reached <= max(low, high)


def test_a_macro_beyond_its_ends_stays_at_them() -> None:
    assert macro_values(macro_from(2.0, 5.0), -3.0) == {"p": 2.0}
    assert macro_values(macro_from(2.0, 5.0), 3.0) == {"p": 5.0}


def test_macros_decide_where_parameters_start() -> None:
    values = start_values(Preset.from_yaml(TEXT, "pad.yaml"))
    assert values.pop("fx.0.wet_level") == pytest.approx(0.7)
    assert values == {"speed": 0.0, "position": 0.3, "loop": 1.0, "fx.0.room_size": 0.8, "wander": 0.2}


def test_a_playable_preset_has_no_problems() -> None:
    assert problems_of(PLAIN, ["hifigan-universal"]) == []


def test_an_unknown_model_suggests_the_nearest() -> None:
    told = problems_of(changed(model="hifigan-univrsal"), ["hifigan-universal", "hifigan-lj"])
    assert told == ["model: no model is named 'hifigan-univrsal'. Did you mean 'hifigan-universal'?"]


def test_a_model_given_by_path_is_left_to_the_loader() -> None:
    assert problems_of(changed(model="../models/mine"), ["hifigan-universal"]) == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            {"chain": [{"effect": "Reverb", "params": {"wet_lvl": 0.1}}], "macros": []},
            "chain[0].params: 'wet_lvl' is not known. Did you mean 'wet_level'?",
        ),
        (
            {"chain": [{"effect": "Revreb"}], "macros": []},
            "chain[0].effect: 'Revreb' is not known. Did you mean 'Reverb'?",
        ),
        (
            {"source": {"kind": "tape", "tape": "a", "params": {"sped": 1}}},
            "source.params: 'sped' is not known. Did you mean 'speed'?",
        ),
        (
            {"source": {"kind": "tape", "tape": "a", "params": {"wander": 9}}},
            "source.params.wander: must be 0 to 2 s, not 9.",
        ),
        (
            {"source": {"kind": "tape", "tape": "a", "params": {"depth": 1.5}}},
            "source.params.depth: must be a whole number, not 1.5.",
        ),
        (
            {"source": {"kind": "tape", "tape": "a", "params": {"loop": 0.5}}},
            "source.params.loop: must be true or false, not 0.5.",
        ),
        (
            {"macros": [{"name": "a", "targets": [{"param": "speed", "from": -9, "to": 1}]}]},
            "macros[0].targets[0].from: must be -4 to 4, not -9.",
        ),
        (
            {"macros": [{"name": "a", "targets": [{"param": "fx.1.room_size", "from": 0, "to": 1}]}]},
            "macros[0].targets[0].param: 'fx.1.room_size' is not known. Did you mean 'fx.0.room_size'? "
            "The chain has 1 effects, counted from fx.0.",
        ),
    ],
)
def test_what_cannot_be_played_is_told_with_its_place(change: dict[str, Any], told: str) -> None:
    assert problems_of(changed(**change)) == [told]


@pytest.mark.parametrize(("inside", "before"), [("", ""), ("tracks[1].preset", "tracks[1].preset.")])
def test_require_playable_tells_all_problems_with_their_places(inside: str, before: str) -> None:
    preset = Preset.from_json(changed(model="x", chain=[]), "choir.yaml")
    placed = PlacedPreset(preset, Path(), "choir.yaml", inside)
    with pytest.raises(ConfigError) as error:
        require_playable(placed, source_params=SOURCE_PARAMS, effect_params=EFFECT_PARAMS, models=["y"])
    assert [line.split(": ")[:2] for line in str(error.value).splitlines()] == [
        ["choir.yaml", f"{before}model"],
        ["choir.yaml", f"{before}macros[0].targets[1].param"],
    ]


def test_sounds_are_looked_up_from_the_presets_folder(tmp_path: Path) -> None:
    file = tmp_path / "pad.yaml"
    file.write_text(TEXT.replace("flac,", f"flac, tape_b: {tmp_path}/b.wav,"))
    placed = load_preset(file)
    assert placed.sound_paths() == {"tape": tmp_path / "sounds/choir.flac", "tape_b": tmp_path / "b.wav"}
    assert placed.preset.source.tape == "sounds/choir.flac"


def test_an_absolute_preset_plays_from_anywhere(tmp_path: Path) -> None:
    placed = PlacedPreset(Preset.from_yaml(TEXT, "pad.yaml"), tmp_path, "pad.yaml")
    moved = placed.absolute({"tape": "ab" * 32})
    assert moved.source.tape == str(tmp_path / "sounds/choir.flac")
    assert moved.source.tape_sha256 == "ab" * 32
    assert moved.model == "hifigan-universal"
    assert PlacedPreset(moved, Path("/elsewhere"), "journal").absolute() == moved


def library(tmp_path: Path) -> PresetLibrary:
    for folder in ("mine", "shipped/sets"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "shipped/freeze-pad.yaml").write_text(TEXT)
    (tmp_path / "shipped/other.yaml").write_text(TEXT.replace("freeze-pad", "other"))
    (tmp_path / "mine/other.yaml").write_text(TEXT.replace("freeze-pad", "mine"))
    (tmp_path / "mine/notes.txt").write_text("no preset")
    return PresetLibrary([tmp_path / "mine", tmp_path / "absent", tmp_path / "shipped"])


def test_presets_are_listed_by_file_name(tmp_path: Path) -> None:
    assert library(tmp_path).names() == ("freeze-pad", "other")


def test_a_users_preset_hides_the_shipped_one(tmp_path: Path) -> None:
    assert library(tmp_path).load("other").preset.name == "mine"


def test_an_unknown_preset_suggests_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^no preset is named 'freezepad'\. Did you mean 'freeze-pad'\?$"):
        library(tmp_path).load("freezepad")


def test_a_preset_unlike_any_says_where_was_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"Looked in: .*mine, .*shipped"):
        library(tmp_path).load("zzz")


def test_a_preset_loads_by_path(tmp_path: Path) -> None:
    shelf = library(tmp_path)
    assert shelf.load(str(tmp_path / "shipped/other.yaml")).preset.name == "other"
    assert shelf.load("shipped/other.yaml", tmp_path).preset.name == "other"


def test_folders_of_the_variable_come_first(tmp_path: Path) -> None:
    named = os.pathsep.join([str(tmp_path / "a"), str(tmp_path / "b")])
    folders = preset_folders({"SYNTHHOST_PRESETS": named})
    assert folders[:2] == (tmp_path / "a", tmp_path / "b")
    assert folders[2:] == preset_folders({})


def test_a_ladder_is_read_rung_by_rung_and_refused_where_it_makes_no_sense() -> None:
    plain = {"name": "own", "model": "mine", "source": {"kind": "frames"}}
    read = Preset.from_json({**plain, "ladder": [{"precision": "int8"}, {"steps": 4}], "rung": 1}, "own")
    assert ([dict(rung) for rung in read.ladder], read.rung) == ([{"precision": "int8"}, {"steps": 4}], 1)
    for wrong in ({"ladder": [{}]}, {"ladder": [{"steps": 4}] * 9}, {"rung": 1}, {"ladder": {"steps": 4}}):
        with pytest.raises(ConfigError):
            Preset.from_json({**plain, **wrong}, "own")
