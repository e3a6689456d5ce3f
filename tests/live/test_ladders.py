"""A model too heavy for any machine is refused, begins lower on its ladder, or steps down as it plays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from synthhost.checkpoints.layout import ReadModel
from synthhost.checkpoints.model_folder import Origin
from synthhost.checkpoints.package import save_package
from synthhost.core.specs import MelSpec
from synthhost.families.registry import family

RATE = 32000
_SHAPE = {
    "variant": "lmnt",
    "bands": 12,
    "hop_samples": 256,
    "residual_channels": 32,
    "skip_channels": 32,
    "residual_layers": 8,
    "dilation_cycle_length": 2,
    "step_channels": [16, 16, 16],
    "training_betas": {"first": 1e-4, "last": 0.05, "count": 200},
    "fast_betas": [1e-4, 1e-3, 1e-2, 0.05, 0.2, 0.5],
}
_TOO_MANY_STEPS = 30  # well over real time on one core; two of them are a tenth
_PRESET = """
synthhost: preset/1
name: {name}
model: heavy
options: {{steps: {steps}, schedule: training}}
ladder: {ladder}
source: {{kind: tape, tape: tone.wav}}
gain_db: -12.0
"""


@pytest.fixture(scope="module")
def heavy(stage: Any) -> Any:
    """Put a diffusion on the stage, with presets of few and of far too many steps."""
    kind = family("diffwave")
    hyper = kind.hyper_from_json(_SHAPE)
    draw = torch.Generator().manual_seed(3)
    tensors = {
        key: torch.randn(shape, generator=draw) * (0.8 / max(int(np.prod(shape[1:])), 1) ** 0.5)
        for key, shape in kind.tensor_names(hyper).items()
    }
    mel = MelSpec("lmnt", RATE, 512, 256, 512, 12, 0.0, 4000.0, "log10", 1e-5)
    read = ReadModel("random", "diffwave", hyper.as_json(), mel, tensors, RATE)
    save_package(
        read, Origin("heavy", "CC0-1.0", "random weights for tests"), stage.home / "models" / "heavy"
    )
    for name, steps, ladder in (
        ("light", 2, "[]"),
        ("stuck", _TOO_MANY_STEPS, "[]"),
        ("laddered", _TOO_MANY_STEPS, "[{steps: 2}]"),
    ):
        (stage.presets / f"{name}.yaml").write_text(_PRESET.format(name=name, steps=steps, ladder=ladder))
        stage.add_set(name, f"[{{name: voice, preset: {name}}}]")
    return stage


def standing(live: Any) -> dict[str, Any]:
    """Return what /status/track tells of the one track by name."""
    told = live.ask("/status", expect="/status/track")
    return dict(zip(told[4::2], told[5::2], strict=True))


def test_what_does_not_keep_up_is_refused_with_a_sentence_where_that_is_asked_for(heavy: Any) -> None:
    refused = heavy.run(
        "live", "--set", "stuck", "--sink", "null", "--osc-port", "0", "--for", "1", "--admission", "strict"
    )
    assert refused.returncode != 0
    assert "heavy?schedule=training&steps=30 needs" in refused.stderr
    assert "It is not played, as --admission strict asks." in refused.stderr


def test_a_preset_begins_on_the_first_rung_that_keeps_up(heavy: Any, start: Any) -> None:
    live = start("--set", "laddered", "--admission", "strict")
    told = standing(live)
    assert (told["rung"], told["rungs"]) == (1, 1)
    assert "without it the model needs" in told["rung_reason"]
    assert 0.0 < told["median_ms"] < told["deadline_ms"]  # the tail may have been forgiven a stall
    assert live.stop() == 0
    assert "voice begins on rung 1 of 1" in live.said()


def test_a_late_track_steps_down_as_it_plays_and_the_session_replays_to_the_bit(
    heavy: Any, start: Any, tmp_path: Path
) -> None:
    take, again = tmp_path / "take", tmp_path / "again"
    live = start("--set", "light", "--record", str(take))
    live.send("/track/voice/preset", "laddered")
    live.until("/track/voice/preset", "laddered", 120.0)
    live.wait(lambda: standing(live)["rung"] == 1, "a step down the ladder", 120.0)
    assert "blocks were late within" in standing(live)["rung_reason"]
    assert live.stop() == 0, live.said()
    assert "Track voice steps down to rung 1 of 1 with steps=2" in live.said()
    done = [json.loads(line).get("do") for line in (take / "journal.jsonl").read_text().splitlines()]
    assert done.count("TakeRung") == 1
    rendered = heavy.run("render", str(take), "--out", str(again), timeout_s=400.0)
    assert rendered.returncode == 0, rendered.stderr
    heard, _ = soundfile.read(take / "master.wav", dtype="float32", always_2d=True)
    rerun, _ = soundfile.read(again / "master.wav", dtype="float32", always_2d=True)
    assert np.array_equal(heard, rerun)
