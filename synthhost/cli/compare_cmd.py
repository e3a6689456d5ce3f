"""`synthhost compare`: one sound through several models, side by side."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Annotated

import numpy as np
import soundfile
import torch
import typer
from rich.console import Console
from rich.table import Table

from synthhost.core.errors import ConfigError, RecordingError
from synthhost.library.shelves import load_model
from synthhost.train.comparing import Likeness, compared

_LONGEST_S = 120.0
_HEADS = ("model", "log mel", "spectrum dB", "cents", "near %", "comb dB", "level dB", "peak", "x time")


def command(
    models: Annotated[list[str], typer.Argument(help="Names, folders or files; options as in name?steps=6.")],
    sound: Annotated[Path, typer.Option(help="A sound file: its mel frames are what all models play.")],
    out: Annotated[Path, typer.Option(help="A new folder for the sounds, the table and the picture.")],
    threads: Annotated[int, typer.Option(min=1, max=256, help="That compute.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,
) -> None:
    """Play one sound's mel frames through models; write what each makes, how like it is, and one picture."""
    torch.set_num_threads(threads)
    source, rate = _read(sound)
    if out.exists():
        raise RecordingError(f"{out}: is already there. Nothing is overwritten: name a new folder.")
    made, factors = {}, {}
    with Console(stderr=True).status("") as status:
        for name in models:
            status.update(name)
            model = load_model(name)
            if model.spec.mel is None:
                raise ConfigError(f"{name}: takes no mel frames, so it cannot play a sound's.")
            mel = model.mel(source, rate)
            begun = perf_counter()
            heard = model.render(mel)
            factors[name] = (perf_counter() - begun) * model.spec.sample_rate / heard.shape[0]
            made[name] = (heard, model.spec.sample_rate, model.spec.sample_rate / model.spec.hop_samples)
        out.mkdir(parents=True)
        for name, (heard, own_rate, _) in made.items():
            soundfile.write(out / f"{_file_name(name)}.wav", heard, own_rate, subtype="PCM_24")
        status.update("measuring")
        found = compared(made, (source, rate), out / "compared.png")
    plain = {name: {**asdict(one), "real_time_factor": factors[name]} for name, one in found.items()}
    (out / "compared.json").write_text(json.dumps(plain, indent=2), encoding="utf-8")
    if as_json:
        typer.echo(json.dumps(plain, indent=2))
        return
    console = Console()
    console.print(_table(found, factors))
    console.print(f"Sounds, table and picture are in {out}.", soft_wrap=True, markup=False)


def _table(found: dict[str, Likeness], factors: dict[str, float]) -> Table:
    table = Table(box=None, pad_edge=False)
    for head in (
        "model",
        "log mel",
        "spectrum dB",
        "cents",
        "near %",
        "comb dB",
        "level dB",
        "peak",
        "x time",
    ):
        named = head == "model"
        table.add_column(head, justify="left" if named else "right", overflow="fold", no_wrap=not named)
    for name, one in found.items():
        table.add_row(
            name,
            f"{one.log_mel:.2f}",
            f"{one.spectral_db:.1f}",
            "–" if math.isnan(one.median_cents) else f"{one.median_cents:.1f}",  # nowhere pitched
            f"{100 * one.near:.0f}",
            f"{one.comb_db:+.1f}",
            f"{one.level_db:+.1f}",
            f"{one.peak:.2f}",
            f"{factors[name]:.3f}",
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
