"""What streaming costs on every back end: small chunks of the same network, exactly the same sound.

`python -m bench.streaming --models v1,v2,v3,melgan --chunks 1,2,4 --threads 1 --json FILE`

The back ends are this project's native code, torch, ONNX Runtime and OpenVINO (`make bench` installs the last
two). All play the same streaming graph, by turns, after their sound was compared with the torch runner's; its
whole pass stands beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from bench.backends import absent, chosen, installed
from bench.case import Case
from bench.peak import Peak, measured_peak
from bench.race import Contender, Effort, contenders, race, settings
from bench.report import listed, print_machine, run, write_json
from bench.rows import Row, rows_as_json, rows_of, show_rows
from bench.sizes import SIZES, package_of
from synthhost.core.errors import ConfigError, ModelError
from synthhost.core.specs import ModelSpec
from synthhost.library.model import model_from
from synthhost.streaming.block import AnyBlock, Block

DEFAULT_MODELS = "v1,v2,v3,melgan"
TITLE = "Streaming in chunks, beside torch's pass over a whole utterance"


@dataclass(frozen=True, slots=True)
class Subject:
    """A network to measure; `whole` in one pass over the utterance too."""

    name: str
    spec: ModelSpec
    block: AnyBlock
    whole: bool = False


@dataclass(slots=True)
class Measured:
    """Rows, the peak they are compared with, and a sentence on everything that gave no row."""

    rows: list[Row]
    peak: Peak
    refused: list[str]


@dataclass(slots=True)
class _Offline:
    """Torch's whole pass of one network; real-time factors by round."""

    subject: Subject
    frames: torch.Tensor
    factors: list[float] = field(default_factory=list)

    def measure(self) -> None:
        spec = self.subject.spec
        begun_s = perf_counter()
        self.subject.block(self.frames)
        sound_s = self.frames.shape[2] * spec.hop_samples / spec.sample_rate
        self.factors.append((perf_counter() - begun_s) / sound_s)


def measure(
    models: Sequence[str],
    chunks: Sequence[int],
    threads: int,
    effort: Effort | None = None,
    backends: Sequence[str] | None = None,
) -> Measured:
    """Measure models by name, all back ends and the offline pass by turns.

    Raises:
        ConfigError: There is no such model or back end, or a chunk is no number of frames.
    """
    subjects = [subject_of(name) for name in models]
    return measure_subjects([(subject, chunks) for subject in subjects], threads, effort, backends)


def measure_subjects(
    subjects: Sequence[tuple[Subject, Sequence[int]]],
    threads: int,
    effort: Effort | None = None,
    backends: Sequence[str] | None = None,
) -> Measured:
    """Measure networks, each in its own sizes of chunks; raises as `measure` does."""
    effort = effort or Effort()
    names = installed() if backends is None else chosen(backends)
    for _, chunks in subjects:
        if not chunks or min(chunks) < 1:
            raise ConfigError(f"chunks of {list(chunks)} frames cannot be played; give numbers from 1 up.")
    refused: list[str] = []
    with settings(threads):
        wholes = [_offline(subject, chunks, effort) for subject, chunks in subjects]
        groups: list[tuple[_Offline, list[Contender]]] = []
        for whole, (subject, chunks) in zip(wholes, subjects, strict=True):
            for chunk in chunks:
                case = Case(subject.name, subject.spec, subject.block, chunk, threads)
                groups.append((whole, contenders(case, names, refused)))
            if subject.whole:
                frames = whole.frames.shape[2]
                case = Case(subject.name, subject.spec, subject.block, frames, threads, whole=True)
                groups.append((whole, contenders(case, names, refused)))
        peak = measured_peak()
        race([group for _, group in groups], effort, lambda: _beside(wholes, peak))
    rows = [row for whole, group in groups for row in rows_of(group, whole.factors, peak)]
    return Measured(rows, peak, refused)


def show(measured: Measured, title: str, console: Console) -> None:
    """Print the rows, the peak, and what is left out and why."""
    show_rows(measured.rows, title, console)
    console.print(str(measured.peak), highlight=False, soft_wrap=True)
    for sentence in (*measured.refused, *absent()):
        console.print(sentence, markup=False, highlight=False, soft_wrap=True)


def as_json(measured: Measured, name: str = "rows") -> dict[str, Any]:
    """Return the figures as they are written to a file."""
    return rows_as_json(measured.rows, measured.peak, name)


def refuse_wrong(measured: Measured) -> None:
    """Raise if a back end that plays here gave no figures.

    Raises:
        ModelError: With how many.
    """
    if measured.refused:
        raise ModelError(f"{len(measured.refused)} cases gave no figures; see above.")


def chunk_sizes(chunks: str) -> list[int]:
    """Read the sizes of a list such as `1,2,4`.

    Raises:
        ConfigError: One is no whole number.
    """
    if not all(word.isdecimal() for word in listed(chunks)):
        raise ConfigError(f"--chunks {chunks}: give whole numbers of frames, such as 1,2,4.")
    return [int(word) for word in listed(chunks)]


def subject_of(name: str) -> Subject:
    """Return a model with random weights, as it is played.

    Raises:
        ConfigError: There is no such size, or it is not played in chunks.
    """
    options = SIZES[name].options if name in SIZES else {}
    model = model_from(package_of(name), {**options, "backend": "torch"})
    if not isinstance(model.playable, Block):
        raise ConfigError(f"{name} makes one sample after another and has no chunks; see bench.families.")
    return Subject(name, model.spec, model.playable)


def _offline(subject: Subject, chunks: Sequence[int], effort: Effort) -> _Offline:
    spec = subject.spec
    frames = round(effort.utterance_s * spec.sample_rate / spec.hop_samples)
    if max(chunks) > frames:
        raise ConfigError(
            f"a chunk of {max(chunks)} frames is longer than the utterance of {frames}; make that longer."
        )
    whole = _Offline(subject, torch.randn(1, spec.bands, frames, generator=torch.Generator().manual_seed(0)))
    with torch.inference_mode():
        subject.block(whole.frames)  # the first pass pays for memory and kernels
    return whole


def _beside(wholes: Sequence[_Offline], peak: Peak) -> None:
    peak.try_again()
    with torch.inference_mode():
        for whole in wholes:
            whole.measure()


def command(
    models: Annotated[str, typer.Option(help="Published sizes, random weights.")] = DEFAULT_MODELS,
    chunks: Annotated[str, typer.Option(help="Frames a step.")] = "1,2,4",
    threads: Annotated[int, typer.Option(min=1, max=64, help="Threads a back end may use.")] = 1,
    backends: Annotated[
        str | None, typer.Option(help="Of native, torch, onnxruntime, openvino; default: all that are here.")
    ] = None,
    rounds: Annotated[int, typer.Option(min=1, help="How often each is measured, by turns.")] = 5,
    slot_s: Annotated[float, typer.Option(min=0.0, help="Seconds a back end gets in a round.")] = 0.3,
    utterance_s: Annotated[float, typer.Option(min=0.5, help="Sound of the offline pass.")] = 2.0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the rows here too.")] = None,
) -> None:
    """Measure streaming on every back end, and against the offline pass."""
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
