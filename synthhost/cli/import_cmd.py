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
    allow_code: Annotated[
        bool,
        typer.Option(
            "--allow-code",
            help="For TorchScript files (.ts, as RAVE exports for nn~), which are programs: let this very "
            "file run, now and whenever its model is loaded. It can then do whatever you can do; allow it "
            "only if you trust who made it. One changed byte, and it is refused again.",
        ),
    ] = False,
    sample_rate: Annotated[
        int | None,
        typer.Option(min=1000, max=384_000, help="In Hz, of a model whose files do not say it."),
    ] = None,
) -> None:
    """Import a published checkpoint into your library.

    Nothing in the file is run, unless it is a TorchScript program and you say --allow-code.
    """
    folder = import_model(file, config, name, allow_code=allow_code, sample_rate=sample_rate)
    manifest = read_manifest(folder)
    console = Console()
    console.print(f"[bold]{manifest.name}[/]: {described(manifest)}")
    if manifest.about:
        console.print(manifest.about, soft_wrap=True, markup=False)
    console.print(str(folder), style="dim", soft_wrap=True, markup=False)
    console.print(f"Measure it: synthhost certify {manifest.name}")
