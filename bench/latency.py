"""How long after an OSC message its effect is heard, beside what the ledger says.

`python -m bench.latency --model v3 --impulses 24`

A host plays a steady tone on the null clock into a file. Small steps are sent, of the track's gain (which
the mixer carries out) and of the tape's level (which passes the model). The set is then rendered offline with
the control at rest and with it displaced: where the file has gone half way from the one to the other, the
step was heard. The sink's own clock says when it took that sample.

The ledger counts from the moment the sink makes room for a block. An engine still at work on the block before
takes its messages later and so nearer to the sound: measured may lie below the ledger by as long as that.
"""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.table import Table

from bench.flood import packet
from bench.live import live_host, ticks
from bench.onset import Change
from bench.report import print_machine, run, write_json
from bench.stage import MODEL_HELP, Stage, stage
from bench.steady import TRACK, steady_set
from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.core.latency import LatencyPart, output_parts, total_ms
from synthhost.engine.renderer import CHANNELS
from synthhost.host.offline import OfflineEngine
from synthhost.host.planning import Wishes, offline_plan
from synthhost.host.supervisor import Supervisor

DEFAULT_MODEL = "v3"
IMPULSES = 24

_LEAD_S = 1.0  # of sound before the first step
_GAP_S = 0.7  # between steps: longer than the longest way of any published model
_GAP_SPREAD_S = 0.05  # so that steps meet blocks and chunks at every phase
_LOOK_S = 0.002
_WINDOW_S = 0.0116  # one model frame: the period of what a model makes of even frames
_NEAR_S = 1.0  # the sink's clock is read as the median of looks so near a step
_IN_THE_MIXER = frozenset({"control wait", "limiter", "ring", "device"})


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


@dataclass(frozen=True, slots=True)
class Latency:
    """What one control took, beside the ledger: the parts that vary make it a range."""

    control: str
    sent: int
    found: int
    least_ms: float
    median_ms: float
    most_ms: float
    ledger_least_ms: float
    ledger_most_ms: float
    half_glide_ms: float  # of the control's own smoothing; in the ledger's range above
    parts: dict[str, float]
    underruns: int  # gaps in the whole session; a step beside one may not be found


def measure(
    model: str = DEFAULT_MODEL, impulses: int = IMPULSES, console: Console | None = None
) -> list[Latency]:
    """Play, step, render the comparisons and return what each control took.

    Raises:
        SynthhostError: The model is not there, or a process of the host ended.
    """
    say = (console or Console(stderr=True)).print
    with stage(model) as place:
        plain = steady_set(place.folder, place.model)
        name = place.write_set("bench-steady", plain)
        out = place.folder / "heard.wav"
        with live_host(Wishes(name, sink="file", out=out, osc_port=0), say) as host:
            session = _play(host, impulses)
        session = replace(session, heard=_left(out))
        rest = _rendered(place, plain, session, {})
        return [
            _latency(
                control, session, Change(rest, _rendered(place, plain, session, {control: control.displaced}))
            )
            for control in CONTROLS
        ]


def _play(host: Supervisor, impulses: int) -> Session:
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
        for passed_s in ticks(host, _LOOK_S, planned[-1][0] + _GAP_S + _LEAD_S):
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
    times_s = [_LEAD_S + number * _GAP_S + spread.random() * _GAP_SPREAD_S for number in range(impulses)]
    return [(time_s, *moves[number % len(moves)]) for number, time_s in enumerate(times_s)]


def _look(host: Supervisor) -> Iterator[Look]:
    """Read the sink's clock, unless the sink is just writing it."""
    status = host.shared.status
    clock_ns, sample = int(status["sink_clock_ns"]), int(status["sink_sample"])
    if clock_ns and clock_ns == int(status["sink_clock_ns"]) and sample == int(status["sink_sample"]):
        yield Look(clock_ns * 1e-9, sample)


def _left(path: Path) -> Audio:
    try:
        samples, _ = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise RecordingError(f"{path}: what was played cannot be read ({error}).") from error
    return np.ascontiguousarray(samples[:, 0])


def _rendered(
    place: Stage, plain: dict[str, Any], session: Session, displaced: dict[Control, float]
) -> Audio:
    """Render the same performance offline with controls displaced from the start, left channel."""
    track = plain["tracks"][0]
    preset = track["preset"]
    source = preset["source"]
    levels = {control.param: value for control, value in displaced.items() if control.through_model}
    gains = {control.param: value for control, value in displaced.items() if not control.through_model}
    moved = {**source, "params": {**source["params"], **levels}}
    changed = {**track, **gains, "preset": {**preset, "source": moved}}
    name = place.write_set("bench-compare", {**plain, "name": "bench-compare", "tracks": [changed]})
    plan = replace(offline_plan(name, threads=1), chunk_frames=session.chunk_frames)
    engine = OfflineEngine(plan, place.folder, self_activating=True)
    blocks = -(-len(session.heard) // plan.block_samples)
    out = np.zeros((CHANNELS, blocks * plan.block_samples), dtype=np.float32)
    for begin in range(0, out.shape[1], plan.block_samples):
        engine.renderer.render(out[:, begin : begin + plan.block_samples])
    return out[0, : len(session.heard)]


def _latency(control: Control, session: Session, change: Change) -> Latency:
    steps = [step for step in session.steps if step.control == control]
    taken = [took for step in steps if (took := _took_ms(step, session, change)) is not None]
    parts = [part for part in session.parts if control.through_model or part.name in _IN_THE_MIXER]
    half_glide_ms = session.half_glide_ms[control.param]
    most_ms = total_ms(parts) + half_glide_ms
    return Latency(
        control=control.name,
        sent=len(steps),
        found=len(taken),
        least_ms=round(min(taken), 2) if taken else 0.0,
        median_ms=round(median(taken), 2) if taken else 0.0,
        most_ms=round(max(taken), 2) if taken else 0.0,
        ledger_least_ms=round(most_ms - total_ms([part for part in parts if part.varies]), 2),
        ledger_most_ms=round(most_ms, 2),
        half_glide_ms=round(half_glide_ms, 2),
        parts={part.name: round(part.ms, 2) for part in parts},
        underruns=session.underruns,
    )


def _took_ms(step: Step, session: Session, change: Change) -> float | None:
    """Return how long one step took to be half heard, or None if it is not to be found."""
    rate = session.sample_rate
    zero_s = _zero_s(step, session)
    if zero_s is None:
        return None
    first = round((step.sent_s - zero_s) * rate)
    middle = change.middle(session.heard, first, first + round(0.95 * _GAP_S * rate), round(_WINDOW_S * rate))
    return None if middle is None else 1000.0 * (middle - first) / rate


def _zero_s(step: Step, session: Session) -> float | None:
    """Return when sample 0 was played, by the sink's clock around a step; None if it stood still.

    A block is played from the moment the sink takes it.
    """
    rate, block = session.sample_rate, session.block_samples
    near = [look for look in session.looks if abs(look.clock_s - step.sent_s) < _NEAR_S]
    return median(look.clock_s - (look.sample - block) / rate for look in near) if near else None


def show(measured: Sequence[Latency], model: str, console: Console) -> None:
    """Print measured beside reckoned."""
    console.print(f"Latency from OSC message to sound, {model} on the null clock, in ms", highlight=False)
    table = Table("control", "steps", "measured: least", "median", "most", "ledger", box=None, pad_edge=False)
    for each in measured:
        figures = [f"{value:.1f}" if each.found else "-" for value in _figures(each)]
        ledger = f"{each.ledger_least_ms:.1f} to {each.ledger_most_ms:.1f}"
        table.add_row(each.control, f"{each.found} of {each.sent}", *figures, ledger)
    console.print(table)
    for each in measured:
        parts = ", ".join(f"{name} {ms:.1f}" for name, ms in each.parts.items() if ms)
        console.print(
            f"Ledger of {each.control}: {parts}, half the control's own glide {each.half_glide_ms:.1f}.",
            highlight=False,
            soft_wrap=True,
        )
    if measured[0].underruns:
        console.print(f"{measured[0].underruns} gaps were heard meanwhile.", highlight=False)


def _figures(each: Latency) -> tuple[float, float, float]:
    return each.least_ms, each.median_ms, each.most_ms


def as_json(measured: Sequence[Latency], model: str) -> dict[str, Any]:
    """Return the figures as they are written to a file."""
    return {"latency": {"model": model, "controls": [asdict(each) for each in measured]}}


def command(
    model: Annotated[str, typer.Option(help=MODEL_HELP)] = DEFAULT_MODEL,
    impulses: Annotated[int, typer.Option(min=4, max=1000, help="Steps of control in all.")] = IMPULSES,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the figures here too.")] = None,
) -> None:
    """Measure control-to-sound latency beside the ledger."""
    measured = measure(model, impulses)
    console = Console()
    print_machine(console)
    show(measured, model, console)
    write_json(json_, as_json(measured, model))


if __name__ == "__main__":
    run(command)
