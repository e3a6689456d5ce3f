"""`synthhost listen`: what can be told of sound files without ears, in a table and a picture."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from synthhost.checkpoints.package import read_manifest
from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, RecordingError, TrainingError
from synthhost.families.registry import family
from synthhost.library.finding import find_model
from synthhost.schema.preset_library import PresetLibrary
from synthhost.sinks.stem_names import file_names
from synthhost.train.distances import PitchTracker
from synthhost.train.listening import Heard, listened_to, read_sound
from synthhost.train.pictures import check_drawing, spectrograms

_ENDINGS = frozenset({".wav", ".flac"})
_MOST_FILES = 200
_COLUMNS = 130  # of the table: a narrower terminal wraps its lines, which tell more than cut words
_MOST_DRAWN, _MOST_DRAWN_HOURS = 40, 2


def command(
    sounds: Annotated[list[Path], typer.Argument(help="Sound files, or folders of them, such as a take.")],
    set_: Annotated[
        str | None,
        typer.Option("--set", help="The set that was played: its models' frame rates are listened for."),
    ] = None,
    picture: Annotated[Path | None, typer.Option(help="A new PNG file: their spectrograms.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Measure sound files: level, clipping, mean, silence, clicks, pitch and tones at a frame rate."""
    if picture is not None and picture.exists():
        raise RecordingError(f"{picture}: is already there. Nothing is overwritten: name a new file.")
    if picture is not None:
        check_drawing()
    rates = _frame_rates(set_) if set_ else {}
    errors = Console(stderr=True, soft_wrap=True, markup=False)
    tracker, found, drawn = _tracker(errors), dict[str, Heard](), dict[str, tuple[Audio, int]]()
    with errors.status("") as status:
        for name, path in _files(sounds).items():
            status.update(path.name)
            sound, rate = read_sound(path)
            found[name] = listened_to(sound, rate, tracker, rates.get(path.stem))
            if picture is not None:
                drawn[name] = (sound.mean(0), rate)
                _check_length(drawn)
        if picture is not None:
            status.update("drawing ...")
            spectrograms(drawn, picture)
    if as_json:
        plain = {name: _numbers(heard) for name, heard in found.items()}
        typer.echo(json.dumps(plain, indent=2))
        return
    console = Console()
    Console(width=max(console.width, _COLUMNS)).print(_table(found))


def _tracker(errors: Console) -> PitchTracker | None:
    """Return what follows pitch; where it is not installed, say so, and leave pitch out."""
    try:
        return PitchTracker()
    except TrainingError as error:
        errors.print(f"Pitch is left out: {error}")
        return None


def _check_length(drawn: dict[str, tuple[Audio, int]]) -> None:
    """Refuse to draw what would be too long for memory and eyes.

    Raises:
        ConfigError: It is.
    """
    hours = sum(sound.shape[0] / rate for sound, rate in drawn.values()) / 3600.0
    if hours > _MOST_DRAWN_HOURS or len(drawn) > _MOST_DRAWN:
        raise ConfigError(
            f"--picture: draws {_MOST_DRAWN} files and {_MOST_DRAWN_HOURS} hours of them at most; give fewer."
        )


def _files(places: list[Path]) -> dict[str, Path]:
    """Return sound files by name, in a folder's own order; by whole path where names are alike.

    Raises:
        ConfigError: There are none, or too many.
    """
    found: list[Path] = []
    for place in places:
        if place.is_dir():
            found += sorted(one for one in place.iterdir() if one.suffix.lower() in _ENDINGS)
        else:
            found.append(place)
    if not 1 <= len(found) <= _MOST_FILES:
        raise ConfigError(f"{len(found)} sound files there; give 1 to {_MOST_FILES}, or a folder of them.")
    stems = Counter(path.stem for path in found)
    return {path.stem if stems[path.stem] == 1 else str(path): path for path in found}


def _frame_rates(reference: str) -> dict[str, float]:
    """Return the frame rate of every track's model in Hz, by its stems' names, of what follows frames."""
    library = PresetLibrary.of_this_machine()
    presets = library.presets_of(library.load_set(reference))
    names = file_names((f"{track}-{kind}" for track in presets for kind in ("dry", "wet")), "")
    rates: dict[str, float] = {}
    for track, placed in presets.items():
        manifest = read_manifest(find_model(placed.preset.model))
        own = family(manifest.family)
        hyper = own.hyper_from_json(manifest.hyper)
        if hyper.bands and not own.clip_frames(hyper):
            for kind in ("dry", "wet"):
                rates[names[f"{track}-{kind}"]] = manifest.sample_rate / hyper.hop_samples
    return rates


def _numbers(heard: Heard) -> dict[str, float | int | None]:
    return {name: None if math.isnan(value) else value for name, value in asdict(heard).items()}


def _table(found: dict[str, Heard]) -> Table:
    heads = ("s", "peak dB", "level dB", "clipped", "no number", "mean", "sounding", "silence s", "clicks")
    table = Table("", *heads, "pitched", "cents", "comb dB", box=None)
    for name, heard in found.items():
        cents, comb = (
            "-" if math.isnan(value) else f"{value:+.1f}" for value in (heard.cents, heard.comb_db)
        )
        table.add_row(
            name,
            f"{heard.seconds:.1f}",
            f"{heard.peak_db:.1f}",
            f"{heard.level_db:.1f}",
            str(heard.clipped),
            str(heard.broken),
            f"{heard.mean:.4f}",
            f"{heard.sounding:.0%}",
            f"{heard.silence_s:.2f}",
            str(heard.clicks),
            "-" if math.isnan(heard.pitched) else f"{heard.pitched:.0%}",
            cents.lstrip("+"),
            comb,
        )
    return table
