"""What autoregressive networks cost in their sample loops, one voice and several in step, on one core.

`python -m bench.loops --models wavenet-24x32,samplernn-256 --precisions float32,float16 --json FILE`

Every loop is first held against the network's layers in torch, see `bench.loop_case`; what computes something
else is not measured. All rows are measured by turns. `SYNTHHOST_PROCESSOR` forces a level of instructions.
"""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench.loop_case import PIANO, LoopCase, inputs, loop_case
from bench.peak import Peak, measured_peak
from bench.report import listed, print_machine, run, write_json
from synthhost.core.errors import ConfigError

DEFAULT_MODELS = f"wavenet-24x32,wavenet-30x64,samplernn-256,samplernn-512,{PIANO}"
BLOCK_SAMPLES = 256  # that one call makes: a block of the engine's
_ROUNDS = 5
_MOST_VOICES = 64


@dataclass(frozen=True, slots=True)
class Row:
    """One network in one precision with so many voices in step.

    Times are of one call that makes 256 samples of every voice. `times_real_time` is the inverse of the
    real-time factor; every one of the voices plays at it.
    """

    model: str
    backend: str
    precision: str
    voices: int
    level: str
    weight_mb: float
    steps: int
    median_ms: float
    p999_ms: float
    real_time_factor: float
    times_real_time: float
    max_error: float  # of what samples are drawn from, against torch in float32, as part of the largest
    snr_db: float  # the same in dB


@dataclass(slots=True)
class _Measured:
    """One voice or several of one loop, and what their blocks took."""

    case: LoopCase
    voices: int
    given: tuple[Any, ...] = ()
    states: list[Any] = field(default_factory=list)
    spent_s: list[float] = field(default_factory=list)

    def begin(self) -> None:
        self.given = inputs(self.case.loop, self.voices, BLOCK_SAMPLES)
        self.states = [self.case.loop.new_state() for _ in range(self.voices)]

    def play(self, seconds: float) -> None:
        """Play blocks for so long; the first two bring the weights back into the caches."""
        out = np.empty((self.voices, BLOCK_SAMPLES), np.float32)
        begun_s, blocks = perf_counter(), 0
        while blocks < 3 or perf_counter() - begun_s < seconds:
            block_s = perf_counter()
            self.case.loop.run_together(*self.given, 1.0, self.states, out)
            if blocks >= 2:
                self.spent_s.append(perf_counter() - block_s)
            blocks += 1


def measure(
    models: Sequence[str], precisions: Sequence[str], voices: Sequence[int], seconds: float, console: Console
) -> tuple[list[Row], Peak]:
    """Hold every loop against torch, then measure all of them by turns.

    Args:
        models: Sizes of WaveNet and SampleRNN in `bench.sizes`, and piano-2017, a trained one.
        precisions: How weights are stored.
        voices: How many play in step.
        seconds: Of each row, in five turns.
        console: To say what is being done.

    Raises:
        ConfigError: There is no such size, or no such number of voices.
        ModelError: A loop does not compute what its network does.
    """
    if not all(1 <= count <= _MOST_VOICES for count in voices):
        raise ConfigError(f"voices: {list(voices)}; give 1 to {_MOST_VOICES}.")
    torch.set_num_threads(1)
    measured = []
    for name in models:
        for precision in precisions:
            console.print(f"holding {name} in {precision} against torch ...", style="dim", highlight=False)
            case = loop_case(name, precision)
            measured += [_Measured(case, count) for count in voices]
    peak = measured_peak()
    gc.collect()
    for one in measured:
        one.begin()
    for _ in range(_ROUNDS):
        for one in measured:
            one.play(seconds / _ROUNDS)
        peak.try_again()
    return [_row(one, peak.level) for one in measured], peak


def _row(one: _Measured, level: str) -> Row:
    case, spent_ms = one.case, 1000.0 * np.asarray(one.spent_s)
    median_ms, sound_ms = float(np.median(spent_ms)), 1000.0 * BLOCK_SAMPLES / case.sample_rate
    return Row(
        model=case.model,
        backend="native",
        precision=case.precision,
        voices=one.voices,
        level=level,
        weight_mb=round(case.loop.weight_bytes / 2**20, 2),
        steps=len(spent_ms),
        median_ms=round(median_ms, 4),
        p999_ms=round(float(np.quantile(spent_ms, 0.999)), 4),
        real_time_factor=round(median_ms / sound_ms, 4),
        times_real_time=round(sound_ms / median_ms, 2),
        max_error=float(f"{case.max_error:.2g}"),
        snr_db=round(case.snr_db, 1),
    )


def show(rows: Sequence[Row], peak: Peak, console: Console) -> None:
    """Print the rows as a table."""
    console.print(str(peak), highlight=False, soft_wrap=True)
    console.print(f"Milliseconds of one core for {BLOCK_SAMPLES} samples of every voice")
    table = Table(box=None, pad_edge=False)
    for head in ("model", "weights"):
        table.add_column(head, no_wrap=True)
    for head in ("MB", "voices", "ms", "p99.9", "x real time", "SNR dB"):
        table.add_column(head, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            row.model,
            row.precision,
            f"{row.weight_mb:.2f}",
            str(row.voices),
            f"{row.median_ms:.2f}",
            f"{row.p999_ms:.2f}",
            f"{row.times_real_time:.2f}",
            f"{row.snr_db:.0f}",
        )
    console.print(table)


def as_json(rows: Sequence[Row], peak: Peak) -> dict[str, Any]:
    """Return the rows as they are written to a file."""
    return {"rows": [asdict(row) for row in rows], "peak": peak.as_json()}


def command(
    models: Annotated[str, typer.Option(help="Sizes, and piano-2017.")] = DEFAULT_MODELS,
    precisions: Annotated[str, typer.Option(help="How weights are stored.")] = "float32,float16",
    voices: Annotated[str, typer.Option(help="How many play in step.")] = "1",
    seconds: Annotated[float, typer.Option(min=0.0, max=600.0, help="Of each row.")] = 3.0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure sample loops."""
    console = Console()
    print_machine(console)
    try:
        counts = [int(count) for count in listed(voices)]
    except ValueError as error:
        raise ConfigError(
            f"voices: {voices!r} is no list of whole numbers; give one such as 1,2,4."
        ) from error
    rows, peak = measure(listed(models), listed(precisions), counts, seconds, console)
    show(rows, peak, console)
    write_json(json_, as_json(rows, peak))


if __name__ == "__main__":
    run(command)
