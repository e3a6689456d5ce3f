"""`synthhost presets`: list, show and check presets and sets."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from synthhost.checkpoints.package import read_manifest
from synthhost.core.computing import asked_for, under
from synthhost.core.errors import ConfigError, SynthhostError
from synthhost.core.options import OptionValue, options_of, settled
from synthhost.core.params import ParamSpec
from synthhost.effects.catalogue import CATALOGUE
from synthhost.host.factory import VoiceFactory
from synthhost.library.controls import controls_of, latent_dimensions
from synthhost.library.finding import find_model
from synthhost.schema.checks import check_preset
from synthhost.schema.preset import PlacedPreset, start_values
from synthhost.schema.preset_library import PresetLibrary
from synthhost.sources.latent import dimension
from synthhost.sources.registry import source_params

app = typer.Typer(help="Presets and sets: list, show, check.", no_args_is_help=True)

_CHECKED_RATE = 48_000  # Hz; whether something can be built does not depend on it

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
        typer.Argument(help="Presets or sets, by file or name; everything if none is given."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check that presets and sets can be played here; the exit code is 1 where one cannot."""
    library = PresetLibrary.of_this_machine()
    factory = VoiceFactory(_CHECKED_RATE, 0, lambda _reference, runner: runner.spec.chunk_unit)
    told = {name: problems_of(name, library, factory) for name in files or _everything(library)}
    if as_json:
        rows = [{"file": name, "ok": not problems, "problems": problems} for name, problems in told.items()]
        typer.echo(json.dumps(rows, indent=2))
    else:
        for name, problems in told.items():
            typer.echo("\n".join(problems) if problems else f"{name}: can be played.")
    if any(told.values()):
        raise typer.Exit(1)


def problems_of(reference: str, library: PresetLibrary, factory: VoiceFactory | None = None) -> list[str]:
    """Return everything in a preset or set that cannot be played here, a sentence each with its place.

    Args:
        reference: A name or file of a preset or set.
        library: Where they are found by name.
        factory: Builds what is found well, as a live run would; None leaves models unchecked.
    """
    try:
        placed = library.load_any(reference)
        if isinstance(placed, PlacedPreset):
            return _unplayable(placed, factory, {})
        presets = library.presets_of(placed)
    except ConfigError as error:
        return str(error).splitlines()
    options = {one.name: asked_for(one.backend, one.device) for one in placed.set.tracks}
    return [
        problem for name, preset in presets.items() for problem in _unplayable(preset, factory, options[name])
    ]


def _everything(library: PresetLibrary) -> list[str]:
    """Return what names every preset and set there is; a set of a preset's name goes by its file."""
    presets = library.names()
    sets = (str(library.find_set(name)) if name in presets else name for name in library.set_names())
    return [*presets, *sets]


def _unplayable(
    placed: PlacedPreset, factory: VoiceFactory | None, options: Mapping[str, OptionValue]
) -> list[str]:
    """Return why a preset cannot be played under its track's options."""
    effects = {name: {spec.name: spec for spec in effect.params} for name, effect in CATALOGUE.items()}
    problems = _model_problems(placed) if factory is not None else []
    problems += check_preset(
        placed.preset,
        source_params={spec.name: spec for spec in _params(placed)},
        effect_params=effects,
        models=None,
    )
    problems += [
        f"source.{key}: there is no sound file {path}. Check the path from the preset's folder."
        for key, path in placed.sound_paths().items()
        if not path.is_file()
    ]
    told = [placed.told(problem) for problem in problems]
    return told if told or factory is None else _build_problems(placed, factory, options)


def _model_problems(placed: PlacedPreset) -> list[str]:
    try:
        find_model(placed.model_reference())
    except SynthhostError as error:
        return [f"model: {error}"]
    return []


def _build_problems(
    placed: PlacedPreset, factory: VoiceFactory, options: Mapping[str, OptionValue]
) -> list[str]:
    """Return why a preset in which nothing is written wrong cannot be built: model, options, sounds."""
    body = under(placed.absolute().as_json(), options)
    try:
        prepared = factory.build(body, 0, None)
        for rung in range(len(placed.preset.ladder)):
            settled(prepared.option_specs, options_of(body, rung + 1), f"ladder[{rung}]")
    except SynthhostError as error:
        where = f"{placed.place}: {placed.inside}" if placed.inside else placed.place
        return [f"{where}: {line}" for line in str(error).splitlines()]
    return []


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
