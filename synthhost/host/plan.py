"""What one run of the host does, written down once for all of its processes."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from synthhost.core.computing import asked_for, on_ladder, under

PLAN_NAME = "plan.json"
WARN, STRICT = "warn", "strict"
ADMISSIONS = (WARN, STRICT)
"""What happens to a set that does not keep up: it plays with a warning, or is refused."""


@dataclass(frozen=True, slots=True)
class SinkPlan:
    """Where the sound goes: "device", "null" or "file"."""

    kind: str = "null"
    device: str | None = None  # as asked for
    name: str | None = None  # as the system calls it
    out: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """A run, with every path absolute and every preset written out; times in samples of the engine."""

    set: dict[str, Any]  # schema.set.Set with the presets inside
    sample_rate: int
    block_samples: int
    seed: int
    sink: SinkPlan = field(default_factory=SinkPlan)
    osc_host: str = "127.0.0.1"
    osc_port: int = 9000
    arrival_delay_ms: float = 0.0
    timetags: str = "follow"
    threads: int = 1
    ahead_samples: int = 0  # 0: chosen from what the models cost
    stop_sample: int = 0  # 0: until told
    record_folder: str | None = None
    record_format: str = "wav32f"
    takes_folder: str = "takes"  # where /record/start makes its folders
    journal_folder: str = "takes"  # where the session's journal is written
    chunk_frames: dict[str, int] = field(default_factory=dict)  # by model name; missing ones are measured
    backends: dict[str, str] = field(default_factory=dict)  # by model name, in a replay; missing are chosen
    admission: str = WARN
    most_threads: int = 0  # that may share a step where none are asked for; 0: one a core
    fixed_chunk: int = 0  # frames that models take at a time where `chunk_frames` says nothing; 0: measured
    on_rungs: bool = False  # whether presets stand on ladders of their own already: an empty one stays empty

    def bodies(self) -> dict[str, dict[str, Any]]:
        """Return every track's preset as the track begins with it, by the track's name.

        It is under the track's options, and on the set's ladder where it declares none.
        """
        ladder = () if self.on_rungs else self.set.get("ladder", ())
        return {
            track["name"]: on_ladder(
                under(track["preset"], asked_for(track.get("backend"), track.get("device"))), ladder
            )
            for track in self.set["tracks"]
        }

    def save(self, run_folder: Path) -> None:
        """Write the plan where the processes look for it."""
        (run_folder / PLAN_NAME).write_text(json.dumps(asdict(self)))

    @classmethod
    def load(cls, run_folder: Path) -> Plan:
        """Read the plan of a run."""
        plain = json.loads((run_folder / PLAN_NAME).read_text())
        plain["sink"] = SinkPlan(**plain["sink"])
        return cls(**plain)
