"""The command line: one file a command, registered here."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

from synthhost.cli import (
    certify_cmd,
    devices_cmd,
    import_cmd,
    live_cmd,
    models_cmd,
    osc_cmd,
    presets_cmd,
    render_cmd,
)
from synthhost.core.errors import SynthhostError

app = typer.Typer(
    name="synthhost",
    help="A live host for neural audio models.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("live")(live_cmd.command)
app.command("render")(render_cmd.command)
app.command("import")(import_cmd.command)
app.add_typer(models_cmd.app, name="models")
app.add_typer(presets_cmd.app, name="presets")
app.command("devices")(devices_cmd.command)
app.add_typer(osc_cmd.app, name="osc")
app.command("certify")(certify_cmd.command)


def main() -> None:
    """Run a command; what goes wrong is one sentence and exit code 1."""
    try:
        app()
    except SynthhostError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), markup=False, style="bold")
        sys.exit(1)
