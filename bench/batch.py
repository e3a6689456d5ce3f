"""What a step of several voices at once costs against as many steps of one voice, on every back end.

The last rows say the same of as many tracks in the engine, which step together or each by itself.

`python -m bench.batch --model v2 --voices 1,2,4,8 --json FILE`
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from bench.backends import chosen, installed
from bench.case import Case
from bench.published import HYPER
from bench.race import Contender, Effort, contenders, race, settings
from bench.report import listed, print_machine, run, write_json
from bench.streaming import Subject, subject_of
from bench.tracks import TrackRounds, race_tracks
from synthhost.core.errors import ConfigError, ModelError

DEFAULT_EFFORT = Effort(rounds=5, slot_s=0.2)
VOICES = (1, 2, 4, 8)
TRACKS = "native, as tracks"


@dataclass(frozen=True, slots=True)
class Row:
    """So many voices on one back end, in one step or one after the other."""

    model: str
    backend: str
    chunk_frames: int
    threads: int
    voices: int
    together_ms: float  # one step of all voices
    together_p10_ms: float  # when other programs leave it alone
    single_ms: float  # one step of one voice
    single_p10_ms: float
    speed_over_single: float  # single steps of all voices over the common one; the median of the rounds'
    max_error: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Rows, and a sentence on everything that gave none."""

    rows: list[Row]
    refused: list[str]


def measure(
    model: str = "v2",
    voices: Sequence[int] = VOICES,
    chunk_frames: int = 1,
    threads: int = 1,
    effort: Effort = DEFAULT_EFFORT,
    backends: Sequence[str] | None = None,
) -> Measured:
    """Measure a model with each number of voices and with one, all by turns.

    Raises:
        ConfigError: There is no such model or back end, or a number of voices is none.
    """
    if not voices or min(voices) < 1:
        raise ConfigError(f"{list(voices)} voices cannot be played; give numbers from 1 up.")
    names, subject = installed() if backends is None else chosen(backends), subject_of(model)
    refused: list[str] = []
    with settings(threads):
        groups = {
            count: contenders(_case(subject, chunk_frames, threads, count), names, refused)
            for count in sorted({1, *voices})
        }
        race(list(groups.values()), effort, lambda: None)
        counts = [count for count in voices if count > 1 and "native" in names and model in HYPER]
        played = {count: race_tracks(model, count, chunk_frames, threads, effort) for count in counts}
    single = {one.backend: one for one in groups[1]}
    rows = [
        _row(one, single[one.backend]) for count in voices for one in groups[count] if one.backend in single
    ]
    rows += [_track_row(model, chunk_frames, threads, count, rounds) for count, rounds in played.items()]
    return Measured(rows, refused)


def _case(subject: Subject, chunk_frames: int, threads: int, voices: int) -> Case:
    return Case(subject.name, subject.spec, subject.block, chunk_frames, threads, voices)


def _row(together: Contender, single: Contender) -> Row:
    case, speed = together.case, together.speed_over(single)
    assert speed is not None
    return Row(
        model=case.name,
        backend=together.backend,
        chunk_frames=case.chunk_frames,
        threads=case.threads,
        voices=case.voices,
        together_ms=_quantile_ms(together, 0.5),
        together_p10_ms=_quantile_ms(together, 0.1),
        single_ms=_quantile_ms(single, 0.5),
        single_p10_ms=_quantile_ms(single, 0.1),
        speed_over_single=round(case.voices * speed, 3),
        max_error=float(f"{together.error:.2g}"),
    )


def _track_row(model: str, chunk_frames: int, threads: int, tracks: int, rounds: TrackRounds) -> Row:
    together_ms, single_ms = (
        1000.0 * np.asarray(rounds.together_s),
        1000.0 * np.asarray(rounds.apart_s) / tracks,
    )
    return Row(
        model=model,
        backend=TRACKS,
        chunk_frames=chunk_frames,
        threads=threads,
        voices=tracks,
        together_ms=round(float(np.median(together_ms)), 3),
        together_p10_ms=round(float(np.quantile(together_ms, 0.1)), 3),
        single_ms=round(float(np.median(single_ms)), 3),
        single_p10_ms=round(float(np.quantile(single_ms, 0.1)), 3),
        speed_over_single=round(rounds.speed_over_apart, 3),
        max_error=0.0,  # to the bit, or there are no figures
    )


def _quantile_ms(contender: Contender, part: float) -> float:
    return round(1000.0 * float(np.quantile(contender.steps_s, part)), 3)


def show(measured: Measured, console: Console) -> None:
    """Print the rows as a table, a back end after the other."""
    console.print("One step of several voices against single steps of each", highlight=False)
    table = Table(box=None, pad_edge=False)
    for head in ("model", "back end"):
        table.add_column(head, no_wrap=True)
    for head in ("voices", "ms together", "ms one by one", "times as fast"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in _by_backend(measured.rows):
        one_by_one_ms = row.single_ms * row.voices
        figures = f"{row.together_ms:.2f}", f"{one_by_one_ms:.2f}", f"{row.speed_over_single:.2f}"
        table.add_row(row.model, row.backend, str(row.voices), *figures)
    console.print(table)
    for sentence in measured.refused:
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def _by_backend(rows: Sequence[Row]) -> Iterator[Row]:
    names = list(dict.fromkeys(row.backend for row in rows))
    return itertools.chain.from_iterable((row for row in rows if row.backend == name) for name in names)


def as_json(measured: Measured) -> dict[str, Any]:
    """Return the rows as they are written to a file."""
    return {"batch": [asdict(row) for row in measured.rows]}


def command(
    model: Annotated[str, typer.Option(help="A published size, random weights.")] = "v2",
    voices: Annotated[str, typer.Option(help="Voices in one step.")] = "1,2,4,8",
    chunk: Annotated[int, typer.Option(min=1, help="Frames a step.")] = 1,
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads a back end may use.")] = 1,
    backends: Annotated[
        str | None, typer.Option(help="Of native, torch, onnxruntime, openvino; default: all that are here.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, by turns.")] = 5,
    slot_s: Annotated[float, typer.Option(min=0.0, help="Seconds each gets in a round.")] = 0.2,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure several voices in one step."""
    if not all(word.isdecimal() for word in listed(voices)):
        raise ConfigError(f"--voices {voices}: give whole numbers, such as 1,2,4.")
    named = None if backends is None else chosen(listed(backends))
    console = Console()
    print_machine(console)
    counts = [int(word) for word in listed(voices)]
    measured = measure(model, counts, chunk, threads, Effort(rounds, slot_s), named)
    show(measured, console)
    write_json(json_, as_json(measured))
    if measured.refused:
        raise ModelError(f"{len(measured.refused)} cases gave no figures; see above.")


if __name__ == "__main__":
    run(command)
