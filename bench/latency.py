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

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import numpy as np
import soundfile
import typer
from rich.console import Console
from rich.table import Table

from bench.live import live_host
from bench.onset import Change
from bench.report import print_machine, run, write_json
from bench.session import CONTROLS, GAP_S, Control, Session, Step, play
from bench.stage import MODEL_HELP, Stage, stage
from bench.steady import steady_set
from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.core.latency import total_ms
from synthhost.engine.renderer import CHANNELS
from synthhost.host.offline import OfflineEngine
from synthhost.host.planning import Wishes, offline_plan

DEFAULT_MODEL = "v3"
IMPULSES = 24

_WINDOW_S = 0.0116  # one model frame: the period of what a model makes of even frames
_AHEAD_MS = 100.0  # fixed, so that the ledger holds for the whole session
_NEAR_S = 1.0  # the sink's clock is read as the median of looks so near a step
_IN_THE_MIXER = frozenset({"control wait", "limiter", "ring", "device"})


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
        wishes = Wishes(name, sink="file", out=out, osc_port=0, ahead_ms=_AHEAD_MS)
        with live_host(wishes, say) as host:
            session = play(host, impulses)
        session = replace(session, heard=_left(out))
        rest = _rendered(place, plain, session, {})
        return [
            _latency(
                control, session, Change(rest, _rendered(place, plain, session, {control: control.displaced}))
            )
            for control in CONTROLS
        ]


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
    middle = change.middle(session.heard, first, first + round(0.95 * GAP_S * rate), round(_WINDOW_S * rate))
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
