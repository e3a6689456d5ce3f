"""What one denoising network of a diffusion costs on every back end, streaming and in one pass.

`python -m bench.diffusion --models diffwave-small,diffwave-base,wavegrad-base --json FILE`

A sampler runs the network once for every step, so that its cost is that many times this. What is played is
the network alone, the noise it finds, beside what brings the mel frames to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from bench.backends import chosen
from bench.race import Effort
from bench.report import listed, print_machine, run, write_json
from bench.sizes import package_of
from bench.streaming import Measured, Subject, as_json, chunk_sizes, measure_subjects, refuse_wrong, show
from synthhost.families import diffwave, wavegrad
from synthhost.families.diffwave import Diffwave
from synthhost.families.sampler import Fresh, Step
from synthhost.families.wavegrad import Wavegrad
from synthhost.library.model import build_network, model_from
from synthhost.streaming.block import AnyBlock
from synthhost.streaming.graph import GraphBuilder, Stream
from synthhost.streaming.repeat import Clock
from synthhost.streaming.timing import burst_samples, look_ahead_samples, receptive_frames

DEFAULT_MODELS = "diffwave-small"
DEFAULT_EFFORT = Effort(rounds=3, slot_s=0.3, utterance_s=2.0)
TITLE = "One denoising network, streaming in chunks and in one pass over the utterance"

_OFFLINE_S = 2.0
_CHUNKS = (8,)
_DIFFWAVE_STEP, _WAVEGRAD_LEVEL = 25.0, 0.5  # what the networks are told; it costs the same whatever it is


@dataclass(frozen=True, slots=True)
class _Found:
    """No update: what the network found is what comes out."""

    def lay(self, graph: GraphBuilder, name: str, signal: Stream, found: Stream, noise: Fresh) -> Stream:
        """Return the stream that the network gives."""
        return found


def one_network(name: str) -> Subject:
    """Return one denoising network with random weights, mel frames to the noise it finds.

    Raises:
        ConfigError: There is no such size, or it is no diffusion.
    """
    package = package_of(name)
    spec = model_from(package, {"steps": 1, "backend": "torch"}).spec
    block = _laid(build_network(package)).eval()
    timing = {
        "look_ahead_samples": look_ahead_samples(block),
        "receptive_frames": receptive_frames(block),
        "burst_samples": burst_samples(block),
    }
    return Subject(name, replace(spec, **timing), block, whole=True)


def _laid(network: Diffwave | Wavegrad) -> AnyBlock:
    graph = GraphBuilder(network.hyper.bands)
    clock = graph.add("clock", Clock(network.hyper.hop_samples), graph.input)
    if isinstance(network, Diffwave):
        return graph.build(diffwave.lay_steps(network, graph, clock, [Step(_DIFFWAVE_STEP, _Found())]))
    return graph.build(wavegrad.lay_steps(network, graph, clock, [Step(_WAVEGRAD_LEVEL, _Found())]))


def measure(
    models: Sequence[str],
    chunks: Sequence[int] = _CHUNKS,
    threads: int = 1,
    effort: Effort = DEFAULT_EFFORT,
    backends: Sequence[str] | None = None,
) -> Measured:
    """Measure networks by name in chunks of so many frames, and in one pass over the utterance.

    Raises:
        ConfigError: There is no such model or back end, or a chunk is no number of frames.
    """
    return measure_subjects([(one_network(name), chunks) for name in models], threads, effort, backends)


def diffusion_json(measured: Measured) -> dict[str, Any]:
    """Return the figures as they are written to a file."""
    return as_json(measured, "diffusion")


def command(
    models: Annotated[
        str, typer.Option(help="diffwave-small, diffwave-base, wavegrad-base; the latter take minutes.")
    ] = DEFAULT_MODELS,
    chunks: Annotated[str, typer.Option(help="Frames a step, two seconds aside.")] = "8",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads a back end may use.")] = 1,
    backends: Annotated[
        str | None, typer.Option(help="Of native, torch, onnxruntime, openvino; default: all that are here.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, by turns.")] = 3,
    slot_s: Annotated[float, typer.Option(min=0.0, help="Seconds a back end gets in a round.")] = 0.3,
    utterance_s: Annotated[float, typer.Option(min=0.1, help="Sound that is made at once.")] = _OFFLINE_S,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure one denoising network on every back end."""
    named = None if backends is None else chosen(listed(backends))
    console = Console()
    print_machine(console)
    effort = Effort(rounds, slot_s, utterance_s)
    measured = measure(listed(models), chunk_sizes(chunks), threads, effort, named)
    show(measured, TITLE, console)
    write_json(json_, as_json(measured))
    refuse_wrong(measured)


if __name__ == "__main__":
    run(command)
