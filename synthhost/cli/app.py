"""The command line: one file a command, named here and imported when it is called for.

Most commands need torch, which takes seconds to import; `synthhost osc send` must not wait for it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from importlib import import_module

import typer
from rich.console import Console

from synthhost.core.errors import SynthhostError
from synthhost.host.ahead import ENGINE, Waiting


@dataclass(frozen=True, slots=True)
class Entry:
    """A command by name: the module with its function `command`, or with a group of commands `app`."""

    name: str
    module: str
    about: str
    is_group: bool = False


COMMANDS = (
    Entry("live", "live_cmd", "Play a set: models, effects and stems under OSC control, until Ctrl-C."),
    Entry("render", "render_cmd", "Render a journal or a score to stems, as fast as the machine allows."),
    Entry("models", "models_cmd", "List, fetch and describe models.", is_group=True),
    Entry("import", "import_cmd", "Import a published checkpoint. Nothing in it runs unless you allow it."),
    Entry("certify", "certify_cmd", "Measure chunk invariance, look-ahead and cost of a model."),
    Entry("train", "train_cmd", "Train a model by its recipe; interrupted, it goes on from where it was."),
    Entry("evaluate", "evaluate_cmd", "Measure trained models on material they have not learned from."),
    Entry("compare", "compare_cmd", "Play one sound through several models, side by side."),
    Entry("listen", "listen_cmd", "Measure and draw sound files: clipping, clicks, silence, pitch, humming."),
    Entry("presets", "presets_cmd", "Presets and sets: list, show, check.", is_group=True),
    Entry("devices", "devices_cmd", "List the audio outputs."),
    Entry("osc", "osc_cmd", "Talk OSC to a running host.", is_group=True),
)


def make_app(wanted: str | None) -> typer.Typer:
    """Return the whole command line; only the wanted command is imported, the others are named."""
    app = typer.Typer(
        name="synthhost",
        help="A live host for neural audio models.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
    )
    app.callback()(_no_command)
    for entry in COMMANDS:
        _add(app, entry, imported=entry.name == wanted)
    return app


def _add(app: typer.Typer, entry: Entry, *, imported: bool) -> None:
    if not imported:
        app.command(entry.name, help=entry.about)(_no_command)
        return
    module = import_module(f"synthhost.cli.{entry.module}")
    if entry.is_group:
        app.add_typer(module.app, name=entry.name, help=entry.about)
    else:
        app.command(entry.name)(module.command)


def _no_command() -> None:
    """A live host for neural audio models."""


def main() -> None:
    """Run a command; what goes wrong is one sentence and exit code 1."""
    wanted = next((argument for argument in sys.argv[1:] if not argument.startswith("-")), None)
    plays = wanted == "live" and "--help" not in sys.argv
    engine = Waiting(ENGINE) if plays else None  # it imports for seconds, meanwhile arguments are read
    try:
        make_app(wanted)(obj=engine)
    except SynthhostError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(str(error), markup=False, style="bold")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        if engine is not None:
            engine.dismiss()
