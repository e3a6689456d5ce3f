"""A live session with small steps of control in it, and everything needed to find them in the sound."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any

import numpy as np

from bench.flood import packet
from bench.live import ticks
from bench.steady import TRACK
from synthhost.core.arrays import Audio
from synthhost.core.latency import LatencyPart, output_parts
from synthhost.host.supervisor import Supervisor

_LEAD_S = 1.0  # of sound before the first step
GAP_S = 0.7  # between steps: longer than the longest way of any published model
_GAP_SPREAD_S = 0.05  # so that steps meet blocks and chunks at every phase
_LOOK_S = 0.002


@dataclass(frozen=True, slots=True)
class Control:
    """What is stepped, how far, and which parts of the ledger it passes."""

    name: str
    param: str
    displaced: float  # dB; at rest it is 0
    through_model: bool


CONTROLS = (
    Control("track gain (mixer)", "gain_db", -6.0, through_model=False),
    Control("tape level (through the model)", "level", -1.0, through_model=True),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One message: which control, to which end of it, and when it was sent (monotonic seconds)."""

    control: Control
    value: float
    sent_s: float


@dataclass(frozen=True, slots=True)
class Look:
    """The sink's clock: it had taken `sample` samples at `clock_s`."""

    clock_s: float
    sample: int


@dataclass(frozen=True, slots=True)
class Session:
    """What was played: the steps, the sink's clock, the file and the ledger."""

    steps: list[Step]
    looks: list[Look]
    heard: Audio
    sample_rate: int
    block_samples: int
    parts: list[LatencyPart]
    half_glide_ms: dict[str, float]  # by parameter: when its own smoothing is half way
    chunk_frames: dict[str, int]
    underruns: int


def play(host: Supervisor, impulses: int) -> Session:
    """Send so many steps to a running host and return what is to be known of them; `heard` is empty still.

    Raises:
        ProcessError: A process of the host ended.
    """
    status, described = host.shared.status, host.description
    steps, looks = _step(host, _planned(impulses))
    rate = host.plan.sample_rate
    inside = [LatencyPart(**part) for part in described["latency"][TRACK]]
    outside = output_parts(int(described["ahead_samples"]), rate, float(status["device_latency_ms"]))
    return Session(
        steps=steps,
        looks=looks,
        heard=np.zeros(0, dtype=np.float32),
        sample_rate=rate,
        block_samples=host.plan.block_samples,
        parts=[*inside, *outside],
        half_glide_ms={control.param: _half_glide_ms(control, described) for control in CONTROLS},
        chunk_frames={name: int(plain["chunk_frames"]) for name, plain in described["models"].items()},
        underruns=int(status["underruns"]),
    )


def _step(host: Supervisor, planned: list[tuple[float, Control, float]]) -> tuple[list[Step], list[Look]]:
    """Send every step at its time while watching the sink's clock."""
    steps: list[Step] = []
    looks: list[Look] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", int(host.shared.status["osc_port"])))
        for passed_s in ticks(host, _LOOK_S, planned[-1][0] + GAP_S + _LEAD_S):
            looks += _look(host)
            if len(steps) < len(planned) and passed_s >= planned[len(steps)][0]:
                _, control, value = planned[len(steps)]
                message = packet(f"/track/{TRACK}/param/{control.param}", value)
                steps.append(Step(control, value, monotonic()))
                sender.send(message)
    return steps, looks


def _half_glide_ms(control: Control, described: dict[str, Any]) -> float:
    """Return how long after its begin a control's own glide is half done.

    A source glides from frame to frame, and its first frame has moved already.
    """
    plain = {one["name"]: one for one in described["tracks"][TRACK]["params"]}[control.param]
    smoothing_ms = float(plain["smoothing_ms"])
    if not control.through_model:
        return 0.5 * smoothing_ms
    model = next(iter(described["models"].values()))
    frame_ms = float(model["chunk_ms"]) / int(model["chunk_frames"])
    return 0.5 * (max(round(smoothing_ms / frame_ms), 1) - 1) * frame_ms


def _planned(impulses: int) -> list[tuple[float, Control, float]]:
    """Return when to move which control where: each there and back, by turns."""
    spread = random.Random(0)
    moves = [(control, value) for control in CONTROLS for value in (control.displaced, 0.0)]
    times_s = [_LEAD_S + number * GAP_S + spread.random() * _GAP_SPREAD_S for number in range(impulses)]
    return [(time_s, *moves[number % len(moves)]) for number, time_s in enumerate(times_s)]


def _look(host: Supervisor) -> Iterator[Look]:
    """Read the sink's clock, unless the sink is just writing it."""
    status = host.shared.status
    clock_ns, sample = int(status["sink_clock_ns"]), int(status["sink_sample"])
    if clock_ns and clock_ns == int(status["sink_clock_ns"]) and sample == int(status["sink_sample"]):
        yield Look(clock_ns * 1e-9, sample)
