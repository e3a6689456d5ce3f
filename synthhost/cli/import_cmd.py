"""`synthhost import`: a published checkpoint becomes a model of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from synthhost.checkpoints.package import read_manifest
from synthhost.cli.models_cmd import described
from synthhost.library.shelves import import_model


def command(
    file: Annotated[Path, typer.Argument(help="The checkpoint, such as g_02500000 of jik876/hifi-gan.")],
    config: Annotated[
        Path | None, typer.Option(help="Its configuration; looked for beside the checkpoint otherwise.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call the model.")] = None,
) -> None:
    """Import a published checkpoint into your library. Nothing in the file is run."""
    folder = import_model(file, config, name)
    manifest = read_manifest(folder)
    console = Console()
    console.print(f"[bold]{manifest.name}[/]: {described(manifest)}")
    console.print(str(folder), style="dim", soft_wrap=True, markup=False)
    console.print(f"Measure it: synthhost certify {manifest.name}")
