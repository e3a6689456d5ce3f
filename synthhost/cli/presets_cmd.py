"""`synthhost presets`: list, show and check presets and sets."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from synthhost.checkpoints.package import read_manifest
from synthhost.core.errors import ConfigError, SynthhostError
from synthhost.core.params import ParamSpec
from synthhost.effects.catalogue import CATALOGUE
from synthhost.library.controls import controls_of, latent_dimensions
from synthhost.library.published import PUBLISHED
from synthhost.library.shelves import find_model, shelves
from synthhost.schema.checks import check_preset
from synthhost.schema.preset import PlacedPreset, start_values
from synthhost.schema.preset_library import PresetLibrary
from synthhost.sources.latent import dimension
from synthhost.sources.registry import source_params

app = typer.Typer(help="Presets and sets: list, show, check.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """List the presets there are, the user's own before the shipped ones."""
    library = PresetLibrary.of_this_machine()
    rows = [_row(library, name) for name in library.names()]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    table = Table("preset", "model", "about", box=None)
    for row in rows:
        table.add_row(row["name"], escape(row["model"]), escape(row["about"] or row["problem"]))
    Console().print(table)


@app.command("show")
def show_command(
    name: Annotated[str, typer.Argument(help="A preset's name or file.")], as_json: AsJson = False
) -> None:
    """Show what a preset sets."""
    placed = PresetLibrary.of_this_machine().load(name)
    if as_json:
        sounds = {key: str(path) for key, path in placed.sound_paths().items()}
        shown = {"file": placed.place, "sounds": sounds, "preset": placed.preset.as_json()}
        typer.echo(json.dumps(shown, indent=2))
        return
    _show(placed, Console())


@app.command("check")
def check_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(help="Presets or sets, by file or name; all presets if none is given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that presets and sets can be played here; the exit code is 1 where one cannot."""
    library = PresetLibrary.of_this_machine()
    told = {name: problems_of(name, library, known_models()) for name in files or library.names()}
    if as_json:
        rows = [{"file": name, "ok": not problems, "problems": problems} for name, problems in told.items()]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for name, problems in told.items():
            typer.echo("\n".join(problems) if problems else f"{name}: can be played.")
    if any(told.values()):
        raise typer.Exit(1)


def problems_of(reference: str, library: PresetLibrary, models: Collection[str] | None = None) -> list[str]:
    """Return everything in a preset or set that cannot be played here, a sentence each with its place.

    Args:
        reference: A name or file of a preset, or the file of a set.
        library: Where presets are found by name.
        models: Names of the known models; None leaves models unchecked.
    """
    try:
        placed = library.load_any(reference)
        presets = [placed] if isinstance(placed, PlacedPreset) else library.presets_of(placed).values()
    except ConfigError as error:
        return str(error).splitlines()
    return [problem for preset in presets for problem in _unplayable(preset, models)]


def known_models() -> set[str]:
    """Return the names of the models on this machine and of those that can be pulled."""
    return {folder.name for shelf in shelves() for folder in shelf.models()} | set(PUBLISHED)


def _unplayable(placed: PlacedPreset, models: Collection[str] | None) -> list[str]:
    effects = {name: {spec.name: spec for spec in effect.params} for name, effect in CATALOGUE.items()}
    problems = check_preset(
        placed.preset,
        source_params={spec.name: spec for spec in _params(placed)},
        effect_params=effects,
        models=models,
    )
    problems += [
        f"source.{key}: there is no sound file {path}. Check the path from the preset's folder."
        for key, path in placed.sound_paths().items()
        if not path.is_file()
    ]
    return [placed.told(problem) for problem in problems]


def _params(placed: PlacedPreset) -> tuple[ParamSpec, ...]:
    """Return the parameters of a preset's source and, as far as the model is here, of its model."""
    own = source_params(placed.preset.source.kind)
    try:
        folder = find_model(placed.model_reference())
        if not folder.is_dir():
            return own
        manifest = read_manifest(folder)
        dimensions = (dimension(index) for index in range(latent_dimensions(manifest)))
        return (*own, *dimensions, *controls_of(manifest))
    except SynthhostError:
        return own


def _row(library: PresetLibrary, name: str) -> dict[str, Any]:
    row = {"name": name, "file": str(library.find(name)), "model": "", "about": "", "problem": ""}
    try:
        preset = library.load(name).preset
    except ConfigError as error:
        return row | {"problem": str(error).splitlines()[0]}
    return row | {"model": preset.model, "about": " ".join(preset.about.split())}


def _show(placed: PlacedPreset, console: Console) -> None:
    preset = placed.preset
    table = Table(box=None, show_header=False)
    table.add_row("preset", escape(f"{preset.name} ({placed.place})"))
    table.add_row("about", escape(preset.about.strip()))
    table.add_row("model", escape(preset.model))
    for key, path in placed.sound_paths().items():
        table.add_row(key, escape(str(path) if path.is_file() else f"{path} (missing)"))
    for name, value in start_values(preset).items():
        table.add_row(escape(name), f"{value:g}")
    for index, part in enumerate(preset.chain):
        table.add_row(f"fx.{index}", escape(part.effect))
    for macro in preset.macros:
        moved = ", ".join(f"{t.param} {t.from_value:g}..{t.to_value:g}" for t in macro.targets)
        table.add_row(f"macro {macro.name}", escape(f"{macro.value:g}: {moved}"))
    table.add_row("gain", f"{preset.gain_db:g} dB")
    console.print(table)
