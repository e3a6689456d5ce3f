"""`synthhost evaluate` measures a model by its recipe's task, tells what fails, and refuses the rest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.cli.app import make_app
from synthhost.core.errors import ConfigError
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train import texture_evaluation
from synthhost.train.evaluating import EVALUATIONS
from synthhost.train.tasks import TASKS
from synthhost.train.texture_task import TextureTask

RATE = 8000


def plain(source: Path, **changed: Any) -> dict[str, Any]:
    return {
        "synthhost": "recipe/1",
        "name": "small-texture",
        "task": "texture",
        "hyper": {
            "sample_rate": RATE,
            "family": "samplernn",
            "frame_sizes": [4, 2],
            "n_rnn": 1,
            "dim": 8,
            "q_levels": 32,
        },
        "material": {"source": str(source), "held_out_every": 3, "longest_pause_s": 0.1},
        "settings": {"window": 64, "windows": 2},
        "steps": 40,
        "batch": 8,
        "learning_rate": 0.01,
        **changed,
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a texture that has learned to go up and down."""
    monkeypatch.setenv("SYNTHHOST_HOME", str(tmp_path / "home"))
    source = tmp_path / "sounds"
    source.mkdir()
    for number in range(3):
        pulses = np.where((np.arange(RATE) + number) % 8 < 3, 0.5, -0.3)
        soundfile.write(source / f"{number}.wav", pulses, RATE, subtype="FLOAT")
    task = TextureTask(Recipe.from_json(plain(source), "test"), "cpu", tmp_path / "home" / "material")
    for step in range(40):
        task.learn({name: torch.from_numpy(one) for name, one in task.draw(step).items()}, step)
    made = save_package(task.model(), Origin("small-texture", "CC0-1.0", "made up"), tmp_path / "small")
    (made / "recipe.yaml").write_text(dump_yaml(plain(source)))
    return made


def evaluated(folder: Path, *more: str) -> tuple[int, str]:
    answer = CliRunner().invoke(make_app("evaluate"), ["evaluate", str(folder), *more])
    return answer.exit_code, answer.output + str(answer.exception or "")


def test_every_task_has_measures() -> None:
    assert set(EVALUATIONS) == set(TASKS)


def test_a_texture_is_predicted_and_listened_to(folder: Path) -> None:
    code, said = evaluated(folder, "--seeds", "2", "--minutes", "1")
    assert "bits a sample on recordings held out; a table of pairs needs" in said
    assert "at a temperature of 1, 2 times 1 minutes: level" in said
    assert code in (0, 2)
    assert ("FAILS" in said) == (code == 2)


def test_a_texture_is_listened_to_at_its_recipes_temperature(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[np.ndarray] = []

    def heard(play: Any, seeds: Any, *_: Any) -> Any:
        played.extend(next(play(list(seeds))))
        raise ConfigError("enough")

    monkeypatch.setattr(texture_evaluation, "steadiness", heard)
    source = folder.parent / "sounds"
    for temperature in (0.0, 1.0):
        played.clear()
        settings = {"window": 64, "windows": 2, "temperature": temperature}
        (folder / "recipe.yaml").write_text(dump_yaml(plain(source, settings=settings)))
        evaluated(folder, "--seeds", "2", "--minutes", "1")
        assert np.array_equal(*played) == (temperature == 0.0), "0 leaves nothing to chance"


def test_a_recipe_of_another_network_or_task_is_refused(folder: Path, tmp_path: Path) -> None:
    recipe = plain(tmp_path / "sounds")
    (folder / "recipe.yaml").write_text(
        dump_yaml({**recipe, "hyper": {**recipe["hyper"], "sample_rate": 16000}})
    )
    assert "another network than its recipe describes" in evaluated(folder)[1]
    (folder / "recipe.yaml").write_text(dump_yaml({**recipe, "task": "weather"}))
    assert "no measures for the task 'weather'" in evaluated(folder)[1]
