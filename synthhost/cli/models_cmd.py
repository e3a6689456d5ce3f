"""`synthhost models`: what there is, what can be fetched, what a model says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, TaskID
from rich.table import Table

from synthhost.checkpoints.package import read_certificate, read_manifest
from synthhost.cli.certify_cmd import print_certificate
from synthhost.core.errors import SynthhostError
from synthhost.families.registry import family
from synthhost.families.torchscript import ScriptHyper
from synthhost.library.finding import find_model, shelves
from synthhost.library.published import PUBLISHED
from synthhost.library.pulling import published, pull
from synthhost.library.shelves import is_trusted, load_found, trust_model, trusted_programs
from synthhost.schema.manifest import Manifest

app = typer.Typer(help="List, fetch and describe models.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_command(as_json: Json = False) -> None:
    """List the models on this machine and those that can be pulled."""
    rows = [*_found(), *_pullable()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("name", "family", "rate", "licence", "where", box=None, pad_edge=False)
    for row in rows:
        rate = f"{row['sample_rate']} Hz" if row["sample_rate"] else ""
        table.add_row(
            row["name"], row["family"], rate, escape(row["licence"]), escape(row["problem"] or row["where"])
        )
    Console().print(table)


@app.command("pull")
def pull_command(
    name: Annotated[str, typer.Argument(help=f"One of: {', '.join(PUBLISHED)}.")],
) -> None:
    """Fetch a pretrained model. Safe to repeat; a cut download leaves nothing behind."""
    model = published(name)
    console = Console()
    with Progress(console=console, transient=True) as bars:
        folder = pull(model, _Bars(bars))
    console.print(f"[bold]{name}[/] is ready ({model.origin.licence}). See: synthhost models info {name}")
    console.print(str(folder), style="dim", soft_wrap=True, markup=False)


@app.command("info")
def info_command(
    model: Annotated[str, typer.Argument(help="A model's name, folder or checkpoint file.")],
    as_json: Json = False,
) -> None:
    """Show what a model is and what was measured of it."""
    path = find_model(model)
    manifest = read_manifest(path) if path.is_dir() else load_found(path).manifest
    certificate = read_certificate(path) if path.is_dir() else None
    stale = certificate is not None and certificate.sha256 != manifest.sound_sha256
    if as_json:
        measured = {**certificate.as_json(), "stale": stale} if certificate else None
        typer.echo(json.dumps({**manifest.as_json(), "path": str(path), "certificate": measured}, indent=2))
        return
    console = Console()
    console.print(_summary(manifest, path))
    if stale:
        console.print(f"What was measured is of other weights or numbers: synthhost certify {model}")
    elif certificate:
        print_certificate(certificate, console, manifest.sample_rate)
    else:
        console.print(f"Not measured on this machine yet: synthhost certify {model}")


@app.command("trust")
def trust_command(
    model: Annotated[str, typer.Argument(help="A model's name, folder or TorchScript file.")],
) -> None:
    """Allow the program inside a TorchScript model to run for you from now on.

    A program can do whatever you can do: allow it only if you trust who made it. What is allowed are the very
    bytes it has now; nothing is run yet.
    """
    program = trust_model(model)
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(f"{program.path}: allowed to run, by its sha256 {program.sha256}.")
    console.print(f"To take that back, delete its line in {trusted_programs().path}.", style="dim")


class _Bars:
    """Shows each stage of a pull as a bar."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, stage: str, done_bytes: int, all_bytes: int) -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, total=all_bytes or None)
        self._bars.update(self._tasks[stage], completed=done_bytes, total=all_bytes or None)


def _summary(manifest: Manifest, path: Path) -> Table:
    rows = {
        "name": manifest.name,
        "about": manifest.about,
        "family": manifest.family,
        "sound": f"{manifest.sample_rate} Hz, {manifest.hop_samples} samples a frame",
        "features": _features(manifest),
        "licence": manifest.licence,
        "source": manifest.source,
        **_program(manifest),
        "path": str(path),
    }
    table = Table(show_header=False, box=None, pad_edge=False)
    for key, value in rows.items():
        table.add_row(key, escape(value))
    return table


def described(manifest: Manifest) -> str:
    """Return one line on what a model is and takes."""
    return (
        f"{family(manifest.family).title}, {manifest.sample_rate} Hz, {_features(manifest)}, "
        f"{manifest.hop_samples} samples a frame"
    )


def _features(manifest: Manifest) -> str:
    mel = manifest.mel
    if mel is not None:
        return f"{mel.bands} mel bands, {mel.fmin_hz:g} to {mel.fmax_hz:g} Hz ({mel.convention})"
    bands = family(manifest.family).hyper_from_json(manifest.hyper).bands
    return f"latent vectors of {bands}" if bands else "none: it runs by itself"


def _program(manifest: Manifest) -> dict[str, str]:
    """Say of a model that is a program whether it may run, and what it can be told."""
    hyper = family(manifest.family).hyper_from_json(manifest.hyper)
    if not isinstance(hyper, ScriptHyper):
        return {}
    allowed = "you allowed it" if is_trusted(manifest) else "not allowed; see synthhost models trust"
    controls = (f"{one.name} ({one.kind}, {one.minimum:g} to {one.maximum:g})" for one in hyper.controls)
    return {
        "program": f"holds code of its own, which runs only if you allow it: {allowed}",
        "controls": ", ".join(controls) or "none",
    }


def _found() -> list[dict[str, Any]]:
    return [
        {**_row(folder.name, where=shelf.kind), **_described(folder)}
        for shelf in shelves()
        for folder in shelf.models()
    ]


def _pullable() -> list[dict[str, Any]]:
    there = {folder.name for shelf in shelves() for folder in shelf.models()}
    return [
        {**_row(name, where=f"synthhost models pull {name}"), "licence": model.origin.licence}
        for name, model in PUBLISHED.items()
        if name not in there
    ]


def _row(name: str, where: str) -> dict[str, Any]:
    return {"name": name, "family": "", "sample_rate": 0, "licence": "", "where": where, "problem": ""}


def _described(folder: Path) -> dict[str, Any]:
    try:
        manifest = read_manifest(folder)
    except SynthhostError as error:
        return {"problem": str(error)}
    return {"family": manifest.family, "sample_rate": manifest.sample_rate, "licence": manifest.licence}
