"""`synthhost live`: play a set."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from synthhost.cli.computing import BackendOption, ModelDeviceOption
from synthhost.core.computing import Computed
from synthhost.core.timebase import samples_to_ms
from synthhost.host.ledger import ledger_lines
from synthhost.host.plan import WARN, Plan
from synthhost.host.planning import Wishes, make_plan
from synthhost.host.supervisor import Supervisor


def command(
    context: typer.Context,
    set_: Annotated[str, typer.Option("--set", help="A set's name, or the path of its file.")] = "default",
    sink: Annotated[
        str | None, typer.Option(help="device, null or file; without it a device if there is one.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Name or number, see `synthhost devices`.")] = None,
    out: Annotated[Path | None, typer.Option(help="The file the file sink writes.")] = None,
    osc_host: Annotated[
        str | None, typer.Option(help="Where to listen; this machine only unless you say otherwise.")
    ] = None,
    osc_port: Annotated[
        int | None, typer.Option(help="OSC port over UDP and TCP; 0 takes a free one.")
    ] = None,
    record: Annotated[Path | None, typer.Option(help="Write stems and journal into this new folder.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0.01, help="Stop after so long.")] = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=64, help="Threads a model may use at most.")
    ] = None,
    ahead_ms: Annotated[
        float | None, typer.Option(min=1, max=2000, help="How far the engine stays ahead of the sink.")
    ] = None,
    timetags: Annotated[str, typer.Option(help="follow or ignore the time tags of OSC bundles.")] = "follow",
    backend: BackendOption = None,
    model_device: ModelDeviceOption = None,
    admission: Annotated[
        str, typer.Option(help="What does not keep up is played with a warning (warn) or refused (strict).")
    ] = WARN,
    ladder: Annotated[
        str | None,
        typer.Option(
            help="What may be given up to keep up, rung by rung, such as precision=int8,steps=4: of presets "
            "that declare no ladder."
        ),
    ] = None,
) -> None:
    """Play a set: models, effects and stems under OSC control, until Ctrl-C."""
    console = Console(stderr=True, soft_wrap=True, markup=False)
    wishes = Wishes(set_, sink, device, out, osc_host, osc_port, record, seconds, threads, ahead_ms, timetags)
    wishes = replace(wishes, backend=backend, model_device=model_device, admission=admission, ladder=ladder)
    planned = make_plan(wishes)
    for note in planned.notes:
        console.print(note)
    supervisor = Supervisor(planned.plan, lambda text: console.print(text), context.obj)
    signal.signal(signal.SIGINT, supervisor.on_signal)  # a second Ctrl-C must not cut the ending short
    console.print("Loading and measuring the models ...")
    code = 1
    try:
        supervisor.start()
        _banner(supervisor, console)
        supervisor.watch()
        if supervisor.stopping:
            console.print("Stopping.")
    except KeyboardInterrupt:
        console.print("Stopping.")
    finally:
        code = supervisor.stop()
        _farewell(supervisor, console)
    raise typer.Exit(code)


def _banner(supervisor: Supervisor, console: Console) -> None:
    plan, status, described = supervisor.plan, supervisor.shared.status, supervisor.description
    place = {
        "null": "the null clock (no sound device: nothing is heard)",
        "file": f"{plan.sink.out} (at the pace of the null clock)",
    }.get(plan.sink.kind, f"{plan.sink.name}")
    block_ms = samples_to_ms(plan.block_samples, plan.sample_rate)
    console.print(
        f"Playing on {place}: {plan.sample_rate} Hz, blocks of {plan.block_samples} ({block_ms:.1f} ms)."
    )
    for reference, model in described["models"].items():
        console.print(
            f"Model {reference}: {model['chunk_frames']} frames at a time on {_threads(model['threads'])}, "
            f"{model['median_ms']:.1f} ms of work for {model['chunk_ms']:.1f} ms of sound "
            f"({model['tail']} {model['p999_ms']:.1f} ms)."
        )
    for track, plain in described["tracks"].items():
        rungs = len(plain["ladder"])
        rung = f", on rung {plain['rung']} of {rungs} of its ladder" if rungs else ""
        console.print(f"Track {track} is computed by {Computed(**plain['computed'])}{rung}.")
    if described["stall_ms"] > 0.0:
        console.print(
            f"The machine stood still for {described['stall_ms']:.1f} ms at p99.9 meanwhile (at most "
            f"{described['longest_stall_ms']:.1f} ms); the ring holds {_ring_ms(described, plan):.1f} ms."
        )
    room = "there is room" if 2 * described["model_load"] < 0.95 else "there is no room: it may drop out"
    console.print(
        f"The models need {100 * described['model_load']:.0f} % of one core. "
        f"For auditioning beside it {room}."
    )
    for line in ledger_lines(described, plan.sample_rate, float(status["device_latency_ms"])):
        console.print(line)
    for note in described["notes"]:
        console.print(f"Note: {str(note).removesuffix('.')}.")
    console.print(f"OSC on {plan.osc_host} port {int(status['osc_port'])}, UDP and TCP.")
    if plan.record_folder is not None:
        console.print(f"Recording stems and journal into {plan.record_folder}.")
    console.print("Ctrl-C stops.")


def _ring_ms(described: dict[str, Any], plan: Plan) -> float:
    return samples_to_ms(described["ahead_samples"], plan.sample_rate)


def _threads(count: int) -> str:
    return "one thread" if count == 1 else f"{count} threads"


def _farewell(supervisor: Supervisor, console: Console) -> None:
    totals = supervisor.totals
    if totals is None:
        return
    console.print(
        f"Played {totals['seconds']:.1f} s: {totals['late_blocks']} late blocks, "
        f"{totals['underruns']} gaps heard, {totals['late_commands']} late commands, "
        f"{totals['malformed']} malformed packets."
    )
