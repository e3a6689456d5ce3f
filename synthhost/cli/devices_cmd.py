"""`synthhost devices`: the outputs there are."""

from __future__ import annotations

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from synthhost.host.planning import list_devices


def command(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the audio outputs PortAudio sees (JACK appears while its server runs)."""
    devices = list_devices()
    if as_json:
        typer.echo(json.dumps({"devices": devices}))
        return
    if not devices:
        Console().print(
            "There is no audio output device. Play on the null clock with --sink null, or start JACK."
        )
        return
    table = Table("", "name", "system", "channels", "rate")
    for device in devices:
        mark = "default" if device["is_default"] else ""
        channels, rate = str(device["channels"]), str(device["default_rate"])
        name, system = escape(device["name"]), escape(device["host_api"])
        table.add_row(f"{device['index']} {mark}", name, system, channels, rate)
    Console().print(table)
