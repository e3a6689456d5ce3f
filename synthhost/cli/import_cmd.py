"""`synthhost import`: a published checkpoint becomes a model of the library."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from synthhost.checkpoints.package import read_manifest, save_certificate
from synthhost.cli.certify_cmd import print_certificate
from synthhost.cli.models_cmd import described
from synthhost.library.certify import certify
from synthhost.library.shelves import import_model, load_found


def command(
    file: Annotated[
        Path,
        typer.Argument(
            help="The checkpoint, such as g_02500000 of jik876/hifi-gan; of TensorFlow its index or folder."
        ),
    ],
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
    certified: Annotated[
        bool, typer.Option("--certify/--no-certify", help="Measure it too; large models take minutes.")
    ] = True,
) -> None:
    """Import a published checkpoint into your library.

    It is measured, and its certificate kept beside it. Nothing in the file is run, unless it is a TorchScript
    program and you say --allow-code.
    """
    folder = import_model(file, config, name, allow_code=allow_code, sample_rate=sample_rate)
    manifest = read_manifest(folder)
    console = Console()
    console.print(f"[bold]{manifest.name}[/]: {described(manifest)}")
    console.print(manifest.source, soft_wrap=True, markup=False)
    if manifest.about:
        console.print(manifest.about, soft_wrap=True, markup=False)
    console.print(str(folder), style="dim", soft_wrap=True, markup=False)
    if not certified:
        console.print(f"Measure it: synthhost certify {manifest.name}")
        return
    package = load_found(folder)
    with Console(stderr=True).status("measuring") as status:
        certificate = certify(package, status.update)
    save_certificate(certificate, folder)
    print_certificate(certificate, console, manifest.sample_rate)
