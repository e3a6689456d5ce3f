"""`python -m bench`: every measurement, one after the other, in one report; about twenty minutes."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Annotated, Any, TypeAlias

import typer
from rich.console import Console

from bench import batch, deadlines, diffusion, families, fidelity, latency, streaming
from bench.race import Effort
from bench.report import listed, print_machine, run, write_json
from bench.sizes import SIZES
from bench.stage import MODEL_HELP
from synthhost.core.errors import ModelNotFoundError, SynthhostError

Part: TypeAlias = Callable[[], dict[str, Any]]
"""Measures, prints, and returns what it found."""

_CHUNKS = (1, 2, 4, 16)
_BRIEF = Effort(rounds=1, slot_s=0.05, utterance_s=1.0)


def command(
    seconds: Annotated[float, typer.Option(min=0.5, max=3600, help="Of the deadline run.")] = 300.0,
    live_model: Annotated[str, typer.Option(help=f"Played live. {MODEL_HELP}")] = deadlines.DEFAULT_MODEL,
    models: Annotated[str, typer.Option(help="Sizes for the streaming part.")] = streaming.DEFAULT_MODELS,
    diffusion_models: Annotated[
        str, typer.Option(help="diffwave-small, diffwave-base, wavegrad-base.")
    ] = diffusion.DEFAULT_MODELS,
    fidelity_model: Annotated[str, typer.Option(help="Real weights.")] = fidelity.DEFAULT_MODEL,
    impulses: Annotated[int, typer.Option(min=4, help="Steps of the latency part.")] = latency.IMPULSES,
    family_sizes: Annotated[
        str, typer.Option(help="Published sizes for the part on all families.")
    ] = ",".join(SIZES),
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads a back end may use.")] = 1,
    brief: Annotated[bool, typer.Option("--brief", help="A short look at every part.")] = False,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all figures here too.")] = None,
) -> None:
    """Measure everything and print one report."""
    console = Console()
    print_machine(console)
    effort = _BRIEF if brief else Effort()
    diffusion_effort = _BRIEF if brief else diffusion.DEFAULT_EFFORT
    batch_effort = _BRIEF if brief else batch.DEFAULT_EFFORT
    slot_s = _BRIEF.slot_s if brief else families.SLOT_S
    if brief:
        seconds, impulses = min(seconds, 5.0), min(impulses, 8)

    def streamed() -> dict[str, Any]:
        measured = streaming.measure(listed(models), _CHUNKS, threads, effort)
        streaming.show(measured, streaming.TITLE, console)
        return streaming.as_json(measured)

    def refined() -> dict[str, Any]:
        measured = diffusion.measure(listed(diffusion_models), threads=threads, effort=diffusion_effort)
        streaming.show(measured, diffusion.TITLE, console)
        return diffusion.diffusion_json(measured)

    def voiced() -> dict[str, Any]:
        measured = batch.measure(threads=threads, effort=batch_effort)
        batch.show(measured, console)
        return batch.as_json(measured)

    def compared() -> dict[str, Any]:
        rows = families.measure(listed(family_sizes), threads, not brief, console, slot_s)
        families.show(rows, console)
        return families.as_json(rows)

    def faithful() -> dict[str, Any]:
        return _fidelity(fidelity_model, threads, console)

    def delayed() -> dict[str, Any]:
        measured = latency.measure(live_model, impulses, console)
        latency.show(measured, live_model, console)
        return latency.as_json(measured, live_model)

    def due() -> dict[str, Any]:
        measured = deadlines.measure(live_model, seconds, console=console)
        deadlines.show(measured, console)
        return deadlines.as_json(measured)

    found, failed = _all((streamed, voiced, refined, compared, faithful, delayed, due), console)
    write_json(json_, found)
    if failed:
        sys.exit(1)


def _fidelity(model: str, threads: int, console: Console) -> dict[str, Any]:
    found, missing = fidelity.present()
    try:
        measured = fidelity.measure(found, model, threads)
    except ModelNotFoundError as error:
        console.print(f"Fidelity left out: {error}", soft_wrap=True, highlight=False)
        return {}
    fidelity.show(measured, model, console)
    fidelity.show_missing(missing, console)
    return fidelity.as_json(measured, model)


def _all(parts: tuple[Part, ...], console: Console) -> tuple[dict[str, Any], bool]:
    """Run every part, also when one before it could not; return what was found and whether one failed."""
    found: dict[str, Any] = {}
    failed = False
    for part in parts:
        begun_s = monotonic()
        console.print()
        try:
            found |= part()
        except SynthhostError as error:
            failed = True
            console.print(str(error), markup=False, style="bold", soft_wrap=True, highlight=False)
        console.print(f"(took {monotonic() - begun_s:.0f} s)", style="dim", highlight=False)
    return found, failed


if __name__ == "__main__":
    run(command)
