"""What a second of sound costs in every family, eager, compiled and native, and in what chunks it plays live.

`python -m bench.families --sizes hifigan-v3,melgan,wavenet-small --json FILE`

Eager is torch, one operation after another: streamed in chunks, or for autoregressive networks the network's
layers run once for every sample, which is the least that a loop in Python costs. Compiled is `torch.compile`
of the offline pass, which shows what a compiler gains on the same operations; autoregressive networks have
none, and those of so many layers that it compiles for minutes are left out. Native is the code in C++: the
plan of a network streamed in chunks, or the sample loop. Chunks are played on the back end the host chooses.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from bench.report import listed, print_machine, run, write_json
from bench.sizes import SIZES, random_size
from synthhost.backends.cost import StepCost, cost_per_step, running_state
from synthhost.checkpoints.package import Package
from synthhost.core.computing import NATIVE, TORCH
from synthhost.families.samplernn import SampleRnn
from synthhost.library.model import Model, build_network, model_from
from synthhost.streaming.autoregressive import Autoregressive
from synthhost.streaming.block import Block
from synthhost.streaming.graph import Graph

_CHUNKS = (1, 2, 4, 8, 16, 32)
SLOT_S = 1.0  # how long one chunk size is measured
_SOUND_S = 0.5  # of the offline passes
_COMPILED_PASSES = 3
_MOST_NODES = 400  # of a graph that is given to torch.compile: the six steps of a diffusion have thousands


@dataclass(frozen=True, slots=True)
class Row:
    """One size. Costs are seconds of one core for a second of sound: below 1 keeps up."""

    size: str
    parameters: int
    look_ahead_ms: float
    eager: float
    compiled: float | None
    native: float | None
    live_chunk_frames: int | None  # the smallest that keeps up, played as the host plays it
    live_chunk_ms: float | None
    live_real_time_factor: float | None


def measure(
    names: Sequence[str], threads: int, compiling: bool, console: Console, slot_s: float = SLOT_S
) -> list[Row]:
    """Measure every size by itself, each size of chunks for so many seconds.

    Raises:
        ConfigError: There is no such size.
    """
    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    rows = []
    for name in names:
        console.print(f"measuring {name} ...", style="dim", highlight=False)
        rows.append(_row(name, compiling, slot_s))
    return rows


def _row(name: str, compiling: bool, slot_s: float) -> Row:
    package = random_size(name)
    model = model_from(package, SIZES[name].options)
    spec = model.spec
    costs = list(_streamed(model, slot_s))
    live = next((cost for cost in costs if cost.median_seconds <= cost.chunk_seconds), None)
    least = _least_factor(costs)
    native = least if model.computed.backend == NATIVE else None
    compiled = _compiled(model) if compiling and isinstance(model.playable, Block) else None
    return Row(
        size=name,
        parameters=sum(tensor.numel() for tensor in package.tensors.values()),
        look_ahead_ms=round(1000.0 * spec.look_ahead_samples / spec.sample_rate, 1),
        eager=round(least if native is None else _eager(package, model, slot_s), 3),
        compiled=None if compiled is None else round(compiled, 3),
        native=None if native is None else round(native, 3),
        live_chunk_frames=None if live is None else live.chunk_frames,
        live_chunk_ms=None if live is None else round(1000.0 * live.chunk_seconds, 1),
        live_real_time_factor=None if live is None else round(live.median_seconds / live.chunk_seconds, 3),
    )


def _eager(package: Package, model: Model, slot_s: float) -> float:
    """Return what torch takes for a second of sound of a network that native code plays."""
    if isinstance(model.playable, Autoregressive):
        return _one_sample_s(build_network(package)) * model.spec.sample_rate
    eager = model_from(package, {**model.options, "backend": TORCH})
    return _least_factor(list(_streamed(eager, slot_s)))


def _least_factor(costs: Sequence[StepCost]) -> float:
    return min(cost.median_seconds / cost.chunk_seconds for cost in costs)


def _streamed(model: Model, slot_s: float) -> Iterator[StepCost]:
    """Yield the cost of one chunk size after another, until it is clear that none keeps up."""
    running = running_state(model.runner)
    for chunk in _CHUNKS:
        frames = chunk * model.spec.chunk_unit
        if model.spec.clip_frames and frames > model.spec.clip_frames:
            return
        once = cost_per_step(model.runner, frames, 2, running)
        repeats = int(np.clip(slot_s / max(once.median_seconds, 1e-5), 3, 200))
        cost = cost_per_step(model.runner, frames, repeats, running)
        yield cost
        if cost.rules_out(_CHUNKS[-1] * model.spec.chunk_unit):
            return


def _one_sample_s(network: Any) -> float:
    """Return the seconds that one sample of an autoregressive network takes, layer by layer in torch."""
    network.eval()
    with torch.inference_mode():
        if isinstance(network, SampleRnn):
            return _one_sample_of_tiers_s(network)
        heard = torch.zeros(1, 1) if network.hyper.scalar_input else torch.zeros(1, 1, dtype=torch.long)
        conditions = torch.zeros(1, network.hyper.bands, 1) if network.hyper.bands else None
        return _least_s(lambda: network(heard, conditions))


def _one_sample_of_tiers_s(network: SampleRnn) -> float:
    hyper = network.hyper
    ids = torch.zeros(1, 2 * hyper.look_back_samples - 1, dtype=torch.long)
    whole_s = _least_s(lambda: network(ids))
    condition = torch.zeros(1, 1, hyper.dim)
    recent = torch.zeros(1, hyper.frame_sizes[0], dtype=torch.long)
    return whole_s / hyper.look_back_samples + _least_s(lambda: network.sample_level_mlp(recent, condition))


def _compiled(model: Model) -> float | None:
    """Return what a second of sound costs in a compiled offline pass; None where torch cannot compile it."""
    spec, block = model.spec, model.playable
    assert isinstance(block, Block)
    if isinstance(block, Graph) and len(block.nodes) > _MOST_NODES:
        return None
    frames = spec.clip_frames or max(round(_SOUND_S * spec.sample_rate / spec.hop_samples), 2)
    x = torch.zeros(1, spec.bands, frames)
    compiled = torch.compile(block, dynamic=False)
    try:
        with torch.inference_mode():
            seconds = _least_s(lambda: compiled(x), passes=_COMPILED_PASSES)
    except Exception as error:  # whatever the compiler trips over: said, and the column stays empty
        Console(stderr=True).print(f"{spec.name}: not compiled ({type(error).__name__})", markup=False)
        return None
    return seconds / (frames * spec.hop_samples / spec.sample_rate)


def _least_s(work: Callable[[], Any], passes: int = 30) -> float:
    """Return the shortest of some runs, the first left out: what it costs when nothing is in the way."""
    work()
    spent = []
    for _ in range(passes):
        begun_s = perf_counter()
        work()
        spent.append(perf_counter() - begun_s)
    return min(spent)


def show(rows: Sequence[Row], console: Console) -> None:
    """Print the rows as a table."""
    console.print("Seconds of one core for a second of sound, and the smallest chunk that plays live")
    table = Table(
        "size",
        "parameters",
        "look-ahead ms",
        "eager",
        "compiled",
        "native",
        "live chunk",
        "ms",
        box=None,
        pad_edge=False,
    )
    for row in rows:
        table.add_row(
            row.size,
            f"{row.parameters:,}",
            f"{row.look_ahead_ms:g}",
            f"{row.eager:.3g}",
            "" if row.compiled is None else f"{row.compiled:.3g}",
            "" if row.native is None else f"{row.native:.3g}",
            "none" if row.live_chunk_frames is None else f"{row.live_chunk_frames} frames",
            "" if row.live_chunk_ms is None else f"{row.live_chunk_ms:g}",
        )
    console.print(table)


def as_json(rows: Sequence[Row]) -> dict[str, Any]:
    """Return the rows as they are written to a file."""
    return {"families": [asdict(row) for row in rows]}


def command(
    sizes: Annotated[str, typer.Option(help="Published sizes, random weights.")] = ",".join(SIZES),
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads torch may use.")] = 1,
    compiling: Annotated[bool, typer.Option("--compile/--no-compile", help="Try torch.compile.")] = True,
    slot_s: Annotated[float, typer.Option(min=0.0, help="Seconds for each size of chunks.")] = SLOT_S,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure every family."""
    console = Console()
    print_machine(console)
    rows = measure(listed(sizes), threads, compiling, console, slot_s)
    show(rows, console)
    write_json(json_, as_json(rows))


if __name__ == "__main__":
    run(command)
