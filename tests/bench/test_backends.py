"""Back ends are told apart by their sound before their speed, and what is missing is named."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from synthhost.core.errors import ConfigError
from synthhost.library.model import model_from

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def case(bench: Any) -> Any:
    model = model_from(bench("sizes").package_of("tiny"))
    return bench("case").Case("tiny", model.spec, model.playable, 2, 1, voices=2)


def off_by(bench: Any, case: Any, part: float) -> SimpleNamespace:
    """Return a player that is torch's but for an error, a part of the peak of what it plays."""
    player = bench("backends").BACKENDS["torch"].player(case)
    return SimpleNamespace(form="wrong", step=lambda frames: player.step(frames) * np.float32(1.0 + part))


@pytest.mark.parametrize("name", ["native", "onnxruntime", "openvino"])
def test_other_back_ends_play_the_same_sound(bench: Any, case: Any, name: str) -> None:
    backend = bench("backends").BACKENDS[name]
    if backend.missing():
        pytest.skip(f"{name} is not installed: {backend.comes_with}")
    refused: list[str] = []
    (found,) = bench("race").contenders(case, [name], refused)
    assert refused == []
    assert 0.0 < found.error < 1e-5


def test_both_forms_of_openvino_play_the_same_sound(bench: Any, case: Any) -> None:
    pytest.importorskip("openvino", reason="openvino is not installed: make bench")
    forms, play = bench("openvino_player"), bench("case").sound_after_settling
    one, other = (play(form(case), case) for form in (forms.ExplicitPlayer, forms.StatefulPlayer))
    np.testing.assert_allclose(np.stack(one), np.stack(other), atol=1e-6)


def test_a_back_end_that_sounds_wrong_gets_no_figures(
    bench: Any, case: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    backends, race = bench("backends"), bench("race")
    kind = replace(backends.BACKENDS["torch"], player=lambda case: off_by(bench, case, 1e-3))
    monkeypatch.setattr(race, "BACKENDS", {**backends.BACKENDS, "onnxruntime": kind})
    refused: list[str] = []
    found = race.contenders(case, ["torch", "onnxruntime"], refused)
    assert [one.backend for one in found] == ["torch"]
    assert len(refused) == 1
    assert "tiny, 2 frames, onnxruntime: no figures" in refused[0]


def test_silence_proves_nothing(bench: Any) -> None:
    silence = [np.zeros((1, 4), np.float32)]
    assert bench("race")._error(silence, silence) == float("inf")


def test_what_is_missing_is_named_with_where_to_get_it(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    backends = bench("backends")
    gone = replace(backends.BACKENDS["openvino"], needs=("no_such_runtime",))
    monkeypatch.setattr(backends, "BACKENDS", {**backends.BACKENDS, "openvino": gone})
    assert any("openvino is left out: no_such_runtime" in sentence for sentence in backends.absent())
    assert "openvino" not in backends.installed()
    with pytest.raises(ConfigError, match="make bench"):
        backends.chosen(["openvino"])


def test_an_unknown_back_end_is_one_sentence() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "bench.streaming", "--models", "tiny", "--backends", "tortch"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert "Did you mean 'torch'" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_who_begins_changes_from_round_to_round(bench: Any) -> None:
    race, order = bench("race"), list[str]()

    def contender(name: str) -> Any:
        case = SimpleNamespace(pieces=lambda: iter(range(10)))
        player = SimpleNamespace(step=lambda frames: order.append(name))
        return race.Contender(case, name, player, 0.0)

    group = [contender("a"), contender("b")]
    race.race([group], race.Effort(rounds=2, slot_s=0.0), lambda: order.append("|"))
    assert "".join(order) == "aaaaabbbbb|bbbbbaaaaa|"
    assert [len(one.rounds_s) for one in group] == [2, 2]
