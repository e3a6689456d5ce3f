"""What a step costs on a GPU: launched operation by operation, and replayed as a CUDA graph.

`python -m bench.gpu --sizes v1,v2,v3 --frames 1 --steps 3000 --json FILE`

A step begins with frames in the computer's memory and ends with sound there; copies and the wait are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench.report import listed, run, write_json
from bench.sizes import SIZES, package_of
from synthhost.backends.cost import running_state
from synthhost.backends.graph_runner import GraphRunner
from synthhost.core.errors import ConfigError
from synthhost.library.model import model_from

_UNTIMED = 50
_COMPARED = 8  # steps whose sound is compared


@dataclass(frozen=True, slots=True)
class Row:
    """One size; a step's times and the sound it makes in ms, differences over the peak."""

    size: str
    sound_ms: float
    eager_median_ms: float
    eager_p999_ms: float
    graph_median_ms: float
    graph_p999_ms: float
    graph_against_eager: float
    gpu_against_processor: float


def measure(names: Sequence[str], frames: int, steps: int, device: str, console: Console) -> list[Row]:
    """Measure every size by itself.

    Raises:
        ConfigError: There is no such size or device, or its steps cannot be recorded.
    """
    rows = []
    for name in names:
        console.print(f"{name} ...")
        rows.append(_measured(name, frames, steps, device))
    return rows


def _measured(name: str, frames: int, steps: int, device: str) -> Row:
    options = dict(SIZES[name].options) if name in SIZES else {}
    model = model_from(package_of(name), {**options, "device": device})
    runner: Any = model.runner
    assert isinstance(runner, GraphRunner)
    eager_ms, eager = _played(runner, frames, steps)
    said = runner.reserve(frames)
    if "as one graph" not in said:
        raise ConfigError(f"{name}: {said}.")
    graph_ms, graph = _played(runner, frames, steps)
    _, processor = _played(model.with_options(device="cpu", backend="torch").runner, frames, 0)
    return Row(
        size=name,
        sound_ms=1000.0 * frames * runner.spec.hop_samples / runner.spec.sample_rate,
        eager_median_ms=float(np.median(eager_ms)),
        eager_p999_ms=float(np.quantile(eager_ms, 0.999)),
        graph_median_ms=float(np.median(graph_ms)),
        graph_p999_ms=float(np.quantile(graph_ms, 0.999)),
        graph_against_eager=_share(graph, eager),
        gpu_against_processor=_share(graph, processor),
    )


def _played(runner: Any, frames: int, steps: int) -> tuple[Any, Any]:
    """Return the ms of every step of a running stream, and the sound of its first steps."""
    spec, random = runner.spec, np.random.default_rng(1)
    state = running_state(runner)
    given = [random.standard_normal((1, spec.bands, frames)).astype(np.float32) for _ in range(_COMPARED)]
    out = np.zeros((1, frames * spec.hop_samples + spec.burst_samples), np.float32)
    sound = [out[0, : runner.step(one, state, out)].copy() for one in given]
    spent = np.zeros(steps)
    for step in range(-_UNTIMED if steps else 0, steps):
        begun = perf_counter()
        runner.step(given[step % _COMPARED], state, out)
        if step >= 0:
            spent[step] = 1000.0 * (perf_counter() - begun)
    return spent, np.concatenate(sound)


def _share(one: Any, other: Any) -> float:
    return float(np.abs(one - other).max() / np.abs(other).max())


def table(rows: Sequence[Row]) -> Table:
    """Return the rows as a person reads them."""
    columns = ("ms of sound", "eager ms", "p99.9", "graph ms", "p99.9", "times faster")
    shown = Table("size", *columns, "graph/eager differ", "gpu/cpu differ", box=None)
    for row in rows:
        times = (row.sound_ms, row.eager_median_ms, row.eager_p999_ms, row.graph_median_ms, row.graph_p999_ms)
        ratio = f"{row.eager_median_ms / row.graph_median_ms:.1f}"
        differences = (f"{row.graph_against_eager:.1e}", f"{row.gpu_against_processor:.1e}")
        shown.add_row(row.size, *(f"{time_ms:.3f}" for time_ms in times), ratio, *differences)
    return shown


def command(
    sizes: Annotated[str, typer.Option(help="Sizes, with commas.")] = "v1,v2,v3",
    frames: Annotated[int, typer.Option(min=1, max=64, help="Of every step.")] = 1,
    steps: Annotated[int, typer.Option(min=10, max=100_000, help="How many are timed.")] = 3000,
    device: Annotated[str, typer.Option(help="cuda or cuda:N.")] = "cuda",
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the rows there too.")] = None,
) -> None:
    """Time steps on a GPU, launched one by one and replayed as a graph."""
    console = Console(width=150)
    rows = measure(listed(sizes), frames, steps, device, console)
    tf32 = "on" if torch.backends.cuda.matmul.allow_tf32 else "off"
    console.print(f"{torch.cuda.get_device_name(device)}, torch {torch.__version__}, TF32 {tf32}")
    console.print(table(rows))
    write_json(json_file, {"gpu": [asdict(row) for row in rows]})


if __name__ == "__main__":
    run(command)
