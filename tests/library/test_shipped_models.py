"""Models that come along load, are what their manifest says, have cards and presets, and sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from synthhost.checkpoints.package import load_package
from synthhost.core.note_frames import key_hz
from synthhost.host.score import read_score
from synthhost.library.shelves import load_model
from synthhost.schema.preset_library import PresetLibrary
from synthhost.schema.reading import read_text
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import parse_yaml
from synthhost.train.tasks import TASKS

ROOT = Path(__file__).resolve().parents[2]
RECIPES = sorted((ROOT / "models").glob("*/recipe.yaml"))
MODELS = sorted(path.parent for path in (ROOT / "models").glob("*/manifest.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.parent.name)
def test_every_recipe_can_be_read_and_trained(path: Path) -> None:
    recipe = Recipe.from_yaml(read_text(path), str(path))
    assert recipe.name == path.parent.name
    assert recipe.task in TASKS


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_every_model_is_whole(folder: Path) -> None:
    package = load_package(folder)
    assert package.manifest.name == folder.name
    assert package.certificate is not None, "measured for these very weights and numbers"
    assert package.certificate.look_ahead_samples == package.certificate.look_ahead_measured_samples
    card = (folder / "card.md").read_text(encoding="utf-8")
    for part in ("## Data", "## Notices", "## Training", "## Measured", "## Where it fails"):
        assert part in card, part
    for picture in [line.split("(")[1].rstrip(")") for line in card.splitlines() if line.startswith("![")]:
        assert (folder / picture).stat().st_size > 10_000
    library = PresetLibrary([ROOT / "presets"])
    playing = [name for name in library.names() if library.load(name).preset.model == folder.name]
    assert len(playing) >= 3, "presets of it"


def test_the_demo_lasts_a_minute_and_speaks_to_tracks_that_are_there() -> None:
    library = PresetLibrary([ROOT / "presets"])
    presets = library.presets_of(library.load_set(str(ROOT / "presets" / "sets" / "demo.yaml")))
    lines = read_score(ROOT / "demo" / "minute.score")
    assert 50.0 < max(line.time_s for line in lines) < 60.0
    spoken_to = {line.address.split("/")[2] for line in lines}
    assert spoken_to == set(presets)
    models = {placed.preset.model for placed in presets.values()}
    assert models <= {folder.name for folder in MODELS}, "nothing is fetched"


def test_the_notes_are_on_pitch_and_each_instrument_sounds_unlike_the_others() -> None:
    model = load_model(ROOT / "models" / "notes")
    timbres = parse_yaml(read_text(ROOT / "models" / "notes" / "timbres.yaml"), "timbres")
    assert isinstance(timbres, dict)
    assert len(timbres) >= 20
    spectra = []
    for name in ("concert-grand", "flute", "violin", "choir"):
        sound = model.note(69.0, 0.8, 0.6, timbres[name], after_s=0.0)
        assert np.abs(sound).max() < 1.0
        power = np.abs(np.fft.rfft(sound[4800:] * np.hanning(sound.size - 4800), 1 << 17)) ** 2
        hertz = np.fft.rfftfreq(1 << 17, 1 / model.spec.sample_rate)
        near = np.abs(hertz - key_hz(69)) < 30.0
        found = hertz[near][np.argmax(power[near])]
        assert abs(1200 * np.log2(found / key_hz(69))) < 8.0, name
        partials = np.array([power[np.abs(hertz - k * 440.0) < 30.0].sum() for k in range(1, 13)])
        spectra.append(10 * np.log10(partials / partials.sum() + 1e-9))
    for index, one in enumerate(spectra):
        for other in spectra[index + 1 :]:
            assert np.abs(one - other).mean() > 3.0
