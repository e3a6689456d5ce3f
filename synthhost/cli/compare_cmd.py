"""`synthhost compare`: one sound, or one line of notes, through several models, side by side."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from types import MappingProxyType
from typing import Annotated, TypeAlias

import numpy as np
import soundfile
import torch
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, RecordingError, suggestion
from synthhost.library.finding import find_model
from synthhost.library.shelves import load_model
from synthhost.train.comparing import compared
from synthhost.train.distances import PitchTracker
from synthhost.train.phrases import played_phrase, playing, read_phrase
from synthhost.train.pictures import spectrograms
from synthhost.train.timbres import TIMBRES_NAME, timbres_in

_LONGEST_S = 120.0
PICTURE = "compared.png"
Made: TypeAlias = dict[str, tuple[Audio, int]]
Rows: TypeAlias = dict[str, dict[str, float]]
HEADS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "log_mel": ("log mel", "{:.2f}"),
        "spectral_db": ("spectrum dB", "{:.1f}"),
        "median_cents": ("cents", "{:.1f}"),
        "near": ("near", "{:.0%}"),
        "pitched": ("pitched", "{:.0%}"),
        "noise_db": ("noise dB", "{:.1f}"),
        "comb_db": ("comb dB", "{:+.1f}"),
        "level_db": ("level dB", "{:+.1f}"),
        "peak": ("peak", "{:.2f}"),
        "dc": ("mean", "{:.4f}"),
        "real_time_factor": ("x time", "{:.3f}"),
    }
)  # of columns, with how they are written


def command(
    models: Annotated[list[str], typer.Argument(help="Names, folders or files; options as in name?steps=6.")],
    out: Annotated[Path, typer.Option(help="A new folder for the sounds, the table and the picture.")],
    sound: Annotated[
        Path | None, typer.Option(help="A sound file: its mel frames are what all models play.")
    ] = None,
    notes: Annotated[
        Path | None, typer.Option(help="Or notes, a line each: when, key, velocity, seconds held.")
    ] = None,
    timbre: Annotated[
        str | None, typer.Option(help="With --notes: the instrument, as the models' timbres.yaml name it.")
    ] = None,
    threads: Annotated[int, typer.Option(min=1, max=256, help="That compute.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Play one sound's mel frames, or one line of notes, through models; measure and draw what each makes."""
    torch.set_num_threads(threads)
    if (sound is None) == (notes is None) or (timbre is not None and notes is None):
        raise ConfigError("Give --sound FILE, or --notes FILE and perhaps --timbre NAME.")
    if out.exists():
        raise RecordingError(f"{out}: is already there. Nothing is overwritten: name a new folder.")
    with Console(stderr=True).status("") as status:
        if sound is not None:
            made, rows = _through_mel(models, sound, out, status.update)
        else:
            made, rows = _through_notes(models, Path(str(notes)), timbre, out, status.update)
        for name, (heard, own_rate) in made.items():
            soundfile.write(out / f"{_file_name(name)}.wav", heard, own_rate, subtype="PCM_24")
    text = json.dumps(_numbers(rows), indent=2)
    (out / "compared.json").write_text(text, encoding="utf-8")
    if as_json:
        typer.echo(text)
        return
    console = Console()
    console.print(_table(rows))
    console.print(f"Sounds, table and picture are in {out}.", soft_wrap=True, markup=False)


def _through_mel(models: list[str], sound: Path, out: Path, say: Callable[[str], None]) -> tuple[Made, Rows]:
    """Play a sound's mel frames."""
    source, rate = _read(sound)
    made, factors = {}, {}
    for name in models:
        say(name)
        model = load_model(name)
        if model.spec.mel is None:
            raise ConfigError(f"{name}: takes no mel frames, so it cannot play a sound's.")
        mel = model.mel(source, rate)
        begun = perf_counter()
        heard = model.render(mel)
        factors[name] = (perf_counter() - begun) * model.spec.sample_rate / heard.shape[0]
        made[name] = (heard, model.spec.sample_rate, model.spec.sample_rate / model.spec.hop_samples)
    out.mkdir(parents=True)
    say("measuring")
    found = compared(made, (source, rate), out / PICTURE)
    rows = {name: {**asdict(one), "real_time_factor": factors[name]} for name, one in found.items()}
    return {name: (heard, own_rate) for name, (heard, own_rate, _) in made.items()}, rows


def _through_notes(
    models: list[str], notes: Path, timbre: str | None, out: Path, say: Callable[[str], None]
) -> tuple[Made, Rows]:
    """Play a line of notes."""
    phrase, tracker = read_phrase(notes), PitchTracker()
    made, rows = {}, {}
    for name in models:
        say(name)
        model = load_model(name)
        if model.spec.notes is None:
            raise ConfigError(f"{name}: plays no notes.")
        point = None if timbre is None else _point(name, timbre, model.spec.notes.dimensions)
        begun = perf_counter()
        heard = played_phrase(model, phrase, point)
        factor = (perf_counter() - begun) * model.spec.sample_rate / heard.shape[0]
        rate = model.spec.sample_rate
        measured = playing(heard, rate, rate / model.spec.hop_samples, phrase, tracker)
        made[name], rows[name] = (heard, rate), {**asdict(measured), "real_time_factor": factor}
    out.mkdir(parents=True)
    spectrograms(made, out / PICTURE)
    return made, rows


def _point(name: str, timbre: str, dimensions: int) -> NDArray[np.float32]:
    """Return where an instrument lies in a model's timbre space."""
    folder = find_model(name)
    known = timbres_in(folder / TIMBRES_NAME, dimensions) if (folder / TIMBRES_NAME).is_file() else {}
    if timbre not in known:
        listed = f" It has {', '.join(known)}." if known else " It names none."
        raise ConfigError(f"{name}: has no instrument {timbre!r}.{suggestion(timbre, known)}{listed}")
    return known[timbre]


def _numbers(rows: Rows) -> dict[str, dict[str, float | None]]:
    """Return rows with null where something could not be measured."""
    return {
        model: {name: None if math.isnan(value) else value for name, value in row.items()}
        for model, row in rows.items()
    }


def _table(rows: Rows) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("model", justify="left", overflow="fold")
    shown = [name for name in HEADS if all(name in row for row in rows.values())]
    for name in shown:
        table.add_column(HEADS[name][0], justify="right", no_wrap=True)
    for model, row in rows.items():
        table.add_row(
            model,
            *("–" if math.isnan(row[name]) else HEADS[name][1].format(row[name]) for name in shown),
        )
    return table


def _read(path: Path) -> tuple[np.ndarray, int]:
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames > _LONGEST_S * file.samplerate:
                raise RecordingError(f"{path}: is longer than {_LONGEST_S:.0f} s. Cut it first.")
            sound = file.read(dtype="float32", always_2d=True)
            rate = int(file.samplerate)
    except (OSError, soundfile.SoundFileError) as error:
        raise RecordingError(f"{path}: cannot be read as sound ({error}).") from error
    mono = np.asarray(sound.mean(axis=1), dtype=np.float32)
    if mono.shape[0] < rate // 2 or not np.isfinite(mono).all() or not np.any(mono):
        raise RecordingError(f"{path}: needs half a second of sound that is no silence.")
    return mono, rate


def _file_name(reference: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in Path(reference).name)
