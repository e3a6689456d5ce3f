"""`synthhost render`: stems without a clock, from a journal or a score."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from synthhost.cli.computing import BackendOption, DeviceOption
from synthhost.core.errors import ConfigError, RecordingError
from synthhost.host.journal import Journal
from synthhost.host.offline import OfflineEngine, OfflineResult, check_length
from synthhost.host.places import Places
from synthhost.host.plan import Plan
from synthhost.host.planning import offline_plan
from synthhost.host.recording import check_take_folder
from synthhost.host.replay import remarks, replay
from synthhost.host.score import ScorePlayer, read_score
from synthhost.schema.preset_library import PresetLibrary

_MOST_TOLD = 20


def command(
    journal: Annotated[
        Path | None, typer.Argument(help="A journal, or the folder of a recording that holds one.")
    ] = None,
    out: Annotated[Path, typer.Option(help="A new folder for the stems.")] = Path("stems"),
    score: Annotated[Path | None, typer.Option(help="A score of timed OSC messages instead.")] = None,
    set_: Annotated[str, typer.Option("--set", help="The set a score plays.")] = "default",
    seconds: Annotated[
        float | None, typer.Option("--for", min=0.01, help="How long a score is rendered.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads a model may use with a score.")] = 1,
    backend: BackendOption = None,
    device: DeviceOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Render stems as fast as the machine allows: bit-equal to what the journal's session recorded."""
    if (journal is None) == (score is None):
        raise ConfigError(
            "render needs a journal (or the folder of a recording), or --score FILE; one of them."
        )
    if journal is not None and not (backend is None and device is None):
        raise ConfigError(
            "a journal is rendered on the back ends and devices that its session used, so that the same is "
            "heard. Leave --backend and --device out, or give a score."
        )
    console = Console(stderr=True, soft_wrap=True, markup=False)
    notes = []
    if journal is not None:
        written = Journal(journal)
        notes = remarks(written)
    check_take_folder(out)
    for note in notes:
        console.print(note)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("Rendering", total=1.0)

        def tell(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if journal is not None:
            result = replay(written, out, tell, keep_unfinished=False)
        else:
            assert score is not None
            wanted = partial(offline_plan, set_, threads, backend, device)
            result = _play_score(score, out, wanted, seconds, tell)
    _report(result, notes, as_json, console, "As in the session" if score is None else "Not carried out")
    if score is not None and result.failures:
        raise RecordingError(f"{score}: not everything in it could be carried out: {result.failures[0]}.")


def _play_score(
    score: Path,
    out: Path,
    wanted: Callable[[], Plan],
    seconds: float | None,
    tell: Callable[[int, int], None],
) -> OfflineResult:
    if seconds is not None and not math.isfinite(seconds):
        raise ConfigError(f"--for {seconds}: give a number.")
    lines = read_score(score)
    last_s = max((line.time_s for line in lines), default=0.0)
    end_s = seconds if seconds is not None else last_s + 5.0
    check_length(str(score) if seconds is None else f"--for {seconds:g}", end_s)
    plan = wanted()
    places = Places(PresetLibrary.of_this_machine(), out)
    with OfflineEngine(plan, out, self_activating=True, keep_unfinished=False) as engine:
        engine.record_all()
        player = ScorePlayer(engine, lines, places, str(score))
        return player.play(round(end_s * plan.sample_rate), tell)


def _report(result: OfflineResult, notes: list[str], as_json: bool, console: Console, failed: str) -> None:
    if as_json:
        typer.echo(json.dumps({**asdict(result), "notes": notes}))
        return
    told = Counter(result.failures)
    for failure, times in list(told.items())[:_MOST_TOLD]:
        console.print(f"{failed}: {failure}" + (f" ({times} times)" if times > 1 else ""))
    if len(told) > _MOST_TOLD:
        console.print(f"and {len(told) - _MOST_TOLD} more; --json lists them.")
    for track, computed in result.computed.items():
        console.print(f"Track {track} was computed by {computed}.")
    takes = zip(result.take_samples, result.folders, strict=True)
    written = ", ".join(f"{samples} samples in {folder}" for samples, folder in takes)
    console.print(written or f"{result.samples} samples rendered; none of them recorded.")
