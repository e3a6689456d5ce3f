"""The plan: written by one process, read by the others, the same."""

from __future__ import annotations

from pathlib import Path

from synthhost.host.field_checks import wrong_field
from synthhost.host.plan import Plan, SinkPlan


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan(
        {"name": "ü", "tracks": [{"gain_db": 0.1 + 0.2}]},
        44100,
        64,
        2**62 - 1,
        SinkPlan("device", "Speakers", None),
        record_folder="/takes/1",
        chunk_frames={"voc": 8},
    )
    plan.save(tmp_path)
    assert Plan.load(tmp_path) == plan
    assert wrong_field(plan) is None


def test_every_field_of_a_plan_is_checked() -> None:
    fit = {"set": {}, "sample_rate": 48000, "block_samples": 256, "seed": 0}
    for field, unfit in (
        ("set", []),
        ("sample_rate", 48000.0),
        ("block_samples", True),
        ("osc_host", 5),
        ("arrival_delay_ms", "0"),
        ("record_folder", 5),
        ("chunk_frames", {"voc": 1.5}),
    ):
        wrong = wrong_field(Plan(**{**fit, field: unfit}))
        assert wrong is not None
        assert wrong.startswith(field)
