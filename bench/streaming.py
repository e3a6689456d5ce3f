"""What streaming costs: the real-time factor of small chunks beside the offline pass of the same network.

`python -m bench.streaming --models v1,v2,v3 --chunks 1,2,4,8,16 --threads 1 --json FILE`
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench.published import random_package
from bench.report import listed, print_machine, run, write_json
from synthhost.core.arrays import Features
from synthhost.core.errors import ConfigError
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.library.model import build_network, model_from
from synthhost.streaming.block import AnyBlock

UTTERANCE_S = 5.0
_FEWEST_STEPS = 3  # of one chunk size in one round, however slow


@dataclass(frozen=True, slots=True)
class Effort:
    """How long to measure: every chunk size gets `slot_s` seconds in each of `rounds` rounds."""

    rounds: int = 4
    slot_s: float = 1.2
    utterance_s: float = UTTERANCE_S


@dataclass(frozen=True, slots=True)
class Row:
    """One model at one chunk size. Real-time factors are compute time over sound time: below 1 keeps up."""

    model: str
    backend: str
    chunk_frames: int
    threads: int
    steps: int
    median_ms: float
    p999_ms: float
    real_time_factor: float
    offline_real_time_factor: float
    against_offline: float  # compute of streaming over compute of the offline pass, round by round


@dataclass(slots=True)
class Bench:
    """One model with everything measured of it so far; seconds by chunk size and round."""

    name: str
    spec: ModelSpec
    block: AnyBlock
    streams: dict[int, Iterator[float]]
    offline_s: list[float] = field(default_factory=list)
    steps_s: dict[int, list[list[float]]] = field(default_factory=dict)


def measure(
    sizes: Sequence[str], chunks: Sequence[int], threads: int, effort: Effort | None = None
) -> list[Row]:
    """Measure every model at every chunk size and offline, by turns, so that a busy machine hits all alike.

    Raises:
        ConfigError: There is no such size, or a chunk is no number of frames.
    """
    effort = effort or Effort()
    if not chunks or min(chunks) < 1:
        raise ConfigError(f"chunks of {list(chunks)} frames cannot be played; give numbers from 1 up.")
    with _settings(threads), torch.inference_mode():
        benches = [_bench(size, chunks, effort) for size in sizes]
        for _ in range(effort.rounds):
            for bench in benches:
                _round(bench, effort)
        return [row for bench in benches for row in _rows(bench, threads, effort)]


def _bench(size: str, chunks: Sequence[int], effort: Effort) -> Bench:
    package = random_package(size)
    model = model_from(package)
    features = _utterance(model.spec, effort.utterance_s)
    if max(chunks) > features.shape[2]:
        raise ConfigError(
            f"a chunk of {max(chunks)} frames is longer than the utterance of {features.shape[2]}; "
            "make that longer."
        )
    streams = {chunk: _steps(model.runner, features, chunk) for chunk in chunks}
    for stream, chunk in zip(streams.values(), chunks, strict=True):
        for _ in range(model.spec.receptive_frames // chunk + 3):
            next(stream)
    block = build_network(package).eval()
    block(torch.from_numpy(features))  # the first pass pays for memory and kernels
    return Bench(size, model.spec, block, streams)


def _round(bench: Bench, effort: Effort) -> None:
    frames = torch.from_numpy(_utterance(bench.spec, effort.utterance_s))
    begun_s = perf_counter()
    bench.block(frames)
    bench.offline_s.append(perf_counter() - begun_s)
    for chunk, stream in bench.streams.items():
        spent: list[float] = []
        while sum(spent) < effort.slot_s or len(spent) < _FEWEST_STEPS:
            spent.append(next(stream))
        bench.steps_s.setdefault(chunk, []).append(spent)


def _steps(runner: Runner, features: Features, chunk_frames: int) -> Iterator[float]:
    """Yield the seconds of one step after another of an endless stream over the same utterance."""
    state = runner.new_state()
    out = np.zeros((1, chunk_frames * runner.spec.hop_samples), np.float32)
    starts = itertools.cycle(range(0, features.shape[2] - chunk_frames + 1, chunk_frames))
    for start in starts:
        piece = features[:, :, start : start + chunk_frames]
        begun_s = perf_counter()
        runner.step(piece, state, out)
        yield perf_counter() - begun_s


def _utterance(spec: ModelSpec, seconds: float) -> Features:
    """Return noise in the range of log-mel frames, `[1, bands, frames]`; what is in it costs nothing."""
    frames = round(seconds * spec.sample_rate / spec.hop_samples)
    noise = np.random.default_rng(0).standard_normal((1, spec.bands, frames))
    return (2.0 * noise - 5.0).astype(np.float32)


def _rows(bench: Bench, threads: int, effort: Effort) -> Iterator[Row]:
    frame_s = bench.spec.hop_samples / bench.spec.sample_rate
    utterance_s = round(effort.utterance_s / frame_s) * frame_s
    offline = [seconds / utterance_s for seconds in bench.offline_s]
    for chunk, rounds in bench.steps_s.items():
        spent = np.concatenate([np.asarray(one) for one in rounds])
        streamed = [float(np.median(one)) / (chunk * frame_s) for one in rounds]
        ratios = [each / whole for each, whole in zip(streamed, offline, strict=True)]
        yield Row(
            model=bench.name,
            backend="torch",
            chunk_frames=chunk,
            threads=threads,
            steps=len(spent),
            median_ms=round(1000.0 * float(np.median(spent)), 3),
            p999_ms=round(1000.0 * float(np.quantile(spent, 0.999)), 3),
            real_time_factor=round(float(np.median(spent)) / (chunk * frame_s), 4),
            offline_real_time_factor=round(float(np.median(offline)), 4),
            against_offline=round(float(np.median(ratios)), 3),
        )


@contextmanager
def _settings(threads: int) -> Iterator[None]:
    """Compute as the engine does: so many threads, no denormals, no garbage collection."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        torch.set_flush_denormal(False)
        torch.set_num_threads(before)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the rows as a table."""
    console.print("Streaming: compute over sound (below 1 keeps up) and over the offline pass's compute")
    table = Table(
        "model",
        "frames a chunk",
        "median ms",
        "p99.9 ms",
        "of real time",
        "of offline",
        "steps",
        box=None,
        pad_edge=False,
    )
    for model, group in itertools.groupby(rows, key=lambda row: row.model):
        listed_rows = list(group)
        offline = listed_rows[0].offline_real_time_factor
        table.add_row(model, "offline pass", "", "", f"{offline:.3f}", "1.00", "")
        for row in listed_rows:
            table.add_row(
                model,
                str(row.chunk_frames),
                f"{row.median_ms:.2f}",
                f"{row.p999_ms:.2f}",
                f"{row.real_time_factor:.3f}",
                f"{row.against_offline:.2f}",
                str(row.steps),
            )
    console.print(table)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows as they are written to a file."""
    return {"rows": [asdict(row) for row in rows]}


def command(
    models: Annotated[str, typer.Option(help="Published sizes, random weights.")] = "v1,v2,v3",
    chunks: Annotated[str, typer.Option(help="Frames a step.")] = "1,2,4,8,16",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads torch may use.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, by turns.")] = 4,
    slot_s: Annotated[float, typer.Option(min=0.0, help="Seconds a chunk size gets in a round.")] = 1.2,
    utterance_s: Annotated[float, typer.Option(min=0.5, help="Sound of the offline pass.")] = UTTERANCE_S,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure streaming against the offline pass."""
    if not all(word.isdecimal() for word in listed(chunks)):
        raise ConfigError(f"--chunks {chunks}: give whole numbers of frames, such as 1,2,4.")
    effort = Effort(rounds, slot_s, utterance_s)
    rows = measure(listed(models), [int(word) for word in listed(chunks)], threads, effort)
    console = Console()
    print_machine(console)
    show(rows, console)
    write_json(json_, as_json(rows))


if __name__ == "__main__":
    run(command)
