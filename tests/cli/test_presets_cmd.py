"""`synthhost presets`: what it lists, shows and finds wrong."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from synthhost.cli.presets_cmd import app, problems_of
from synthhost.families.registry import family
from synthhost.library.finding import shelves
from synthhost.library.published import PUBLISHED
from synthhost.library.shelves import import_model
from synthhost.schema.preset import PlacedPreset
from synthhost.schema.preset_library import PresetLibrary

PRESET = """\
synthhost: preset/1
name: slow-choir
about: A choir that stands still.
model: hifigan-universal
source: {kind: tape, tape: choir.flac, params: {speed: 0}}
chain: [{effect: Reverb, params: {wet_level: 0.4}}]
macros: [{name: room, value: 0.5, targets: [{param: fx.0.wet_level, from: 0.2, to: 0.8}]}]
"""
SET = """\
synthhost: set/1
name: show
tracks: [{name: voice, preset: slow-choir}, {name: b, preset: slow-chior}]
"""
CONFIG = {
    "resblock": "2",
    "upsample_rates": [4, 2],
    "upsample_kernel_sizes": [8, 4],
    "upsample_initial_channel": 4,
    "resblock_kernel_sizes": [3],
    "resblock_dilation_sizes": [[1, 2]],
    "num_mels": 6,
    "n_fft": 32,
    "hop_size": 8,
    "win_size": 32,
    "sampling_rate": 8000,
    "fmin": 0,
    "fmax": 3000,
}
SHIPPED = Path(__file__).resolve().parents[2] / "presets"
SHIPPED_FILES = sorted([*SHIPPED.glob("*.yaml"), *SHIPPED.glob("sets/*.yaml")])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "slow-choir.yaml").write_text(PRESET)
    (tmp_path / "choir.flac").write_bytes(b"")
    monkeypatch.setenv("SYNTHHOST_PRESETS", str(tmp_path))
    return tmp_path


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, list(words))
    return result.exit_code, result.output


def test_the_list_holds_every_preset_with_its_sentence() -> None:
    code, told = run("list", "--json")
    rows = {row["name"]: row for row in json.loads(told)}
    assert code == 0
    assert rows["slow-choir"]["about"] == "A choir that stands still."
    assert rows["slow-choir"]["model"] == "hifigan-universal"
    assert "slow-choir" in run("list")[1]


def test_a_broken_preset_is_listed_with_its_problem(folder: Path) -> None:
    (folder / "broken.yaml").write_text("synthhost: preset/1\nname: [")
    rows = {row["name"]: row for row in json.loads(run("list", "--json")[1])}
    assert "broken.yaml: line 2" in rows["broken"]["problem"]


def test_a_preset_is_shown_with_the_values_it_begins_at() -> None:
    code, told = run("show", "slow-choir")
    values = {words[0]: words[1] for words in map(str.split, told.splitlines()) if len(words) > 1}
    assert code == 0
    assert (values["fx.0.wet_level"], values["speed"]) == ("0.5", "0")


def test_a_preset_is_shown_whole_as_json(folder: Path) -> None:
    shown = json.loads(run("show", "slow-choir", "--json")[1])
    assert shown["sounds"] == {"tape": str(folder / "choir.flac")}
    assert shown["preset"]["macros"][0]["targets"][0]["from"] == 0.2


@pytest.fixture
def studio(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the folder with all that its preset needs: a small model of that name and a sound."""
    monkeypatch.setenv("SYNTHHOST_HOME", str(folder / "home"))
    kind = family("hifigan")
    shapes = kind.tensor_names(kind.hyper_from_json({**CONFIG, "bands": CONFIG["num_mels"]}))
    torch.save({"generator": {name: torch.zeros(shape) for name, shape in shapes.items()}}, folder / "g_1")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    import_model(folder / "g_1", name="hifigan-universal")
    soundfile.write(folder / "choir.flac", np.full(8000, 0.1), 8000)
    return folder


def test_a_playable_preset_passes_the_check(studio: Path) -> None:
    assert run("check", "slow-choir") == (0, "slow-choir: can be played.\n")


def test_what_cannot_be_played_is_told_line_by_line(studio: Path) -> None:
    file = studio / "pad.yaml"
    file.write_text(
        PRESET.replace("wet_level: 0.4", "wet_lvl: 0.4")
        .replace("speed: 0", "speed: 99")
        .replace("choir.flac", "chior.flac")
        .replace("hifigan-universal", "hifigan-univrsal")
    )
    code, told = run("check", str(file), "slow-choir")
    assert code == 1
    assert told.splitlines() == [
        f"{file}: model: no model is named 'hifigan-univrsal', and there is no such file. "
        "Did you mean 'hifigan-universal'? See: synthhost models list",
        f"{file}: source.params.speed: must be -4 to 4 x, not 99.",
        f"{file}: chain[0].params: 'wet_lvl' is not known. Did you mean 'wet_level'?",
        f"{file}: source.tape: there is no sound file {studio / 'chior.flac'}. "
        "Check the path from the preset's folder.",
        "slow-choir: can be played.",
    ]


def test_a_model_that_was_not_pulled_is_told_with_how_to_fetch_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SYNTHHOST_HOME", str(folder / "home"))
    code, told = run("check", "slow-choir")
    assert code == 1
    assert told.endswith("Fetch it: synthhost models pull hifigan-universal\n")


@pytest.mark.parametrize(
    ("right", "wrong", "sentence"),
    [
        ("model: hifigan-universal", "model: ./nowhere", "slow-choir.yaml: model: "),
        ("model: hifigan-universal", "model: ./choir.flac", "choir.flac: "),
        ("source:", "options: {steps: 6}\nsource:", "no option is called 'steps'"),
        ("source:", "ladder: [{threads: 2}, {steps: 6}]\nsource:", "ladder[1]: no option is called 'steps'"),
        ("choir.flac", "config.json", "config.json: cannot be read as sound"),
    ],
)
def test_what_a_live_run_would_refuse_is_no_pass(studio: Path, right: str, wrong: str, sentence: str) -> None:
    (studio / "slow-choir.yaml").write_text(PRESET.replace(right, wrong))
    code, told = run("check", "slow-choir")
    assert code == 1
    assert sentence in told


def test_a_set_is_checked_by_its_name_and_with_everything(studio: Path) -> None:
    (studio / "sets").mkdir()
    (studio / "sets" / "show.yaml").write_text(SET)
    code, told = run("check", "show")
    assert (code, "tracks[1].preset: no preset is named 'slow-chior'" in told) == (1, True)
    (studio / "sets" / "show.yaml").write_text(SET.replace("slow-chior", "slow-choir"))
    assert run("check", "show") == (0, "show: can be played.\n")
    assert "show: can be played.\n" in run("check")[1]


def test_a_set_is_checked_on_the_devices_its_tracks_name(studio: Path) -> None:
    (studio / "sets").mkdir()
    show = SET.replace("slow-chior", "slow-choir")
    (studio / "sets" / "show.yaml").write_text(show.replace("slow-choir}", "slow-choir, device: 'cuda:9'}"))
    code, told = run("check", "show")
    assert (code, "cuda:9 cannot be used" in told) == (1, True)


def test_a_set_is_checked_with_its_presets(folder: Path) -> None:
    file = folder / "show.set.yaml"
    file.write_text(SET)
    told = problems_of(str(file), PresetLibrary([folder]))
    assert told == [
        f"{file}: tracks[1].preset: no preset is named 'slow-chior'. Did you mean 'slow-choir'?",
    ]
    file.write_text(SET.replace("slow-chior", "slow-choir"))
    assert problems_of(str(file), PresetLibrary([folder])) == []


def test_a_missing_file_is_told_and_fails(folder: Path) -> None:
    code, told = run("check", str(folder / "none.yaml"), "--json")
    assert code == 1
    assert "cannot be read" in json.loads(told)[0]["problems"][0]


@pytest.mark.parametrize("file", SHIPPED_FILES, ids=lambda file: file.stem)
def test_a_shipped_preset_or_set_can_be_played(file: Path) -> None:
    library = PresetLibrary([SHIPPED])
    placed = library.load_any(str(file))
    presets = [placed] if isinstance(placed, PlacedPreset) else library.presets_of(placed).values()
    assert problems_of(str(file), library) == []
    shipped = {model.name for model in shelves()[0].models()}
    assert {preset.preset.model for preset in presets} <= {*PUBLISHED, *shipped}


@pytest.mark.parametrize("file", SHIPPED_FILES, ids=lambda file: file.stem)
def test_a_shipped_preset_or_set_is_named_like_its_file(file: Path) -> None:
    placed = PresetLibrary([SHIPPED]).load_any(str(file))
    assert (placed.preset.name if isinstance(placed, PlacedPreset) else placed.set.name) == file.stem
