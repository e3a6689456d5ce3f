"""The gates of the note instrument."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.checkpoints.package import load_package
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import OSCILLATOR_CHANNELS
from synthhost.families import ddsp
from synthhost.families.ddsp_hyper import DdspHyper
from synthhost.schema.recipe import Recipe
from synthhost.streaming.oscillators import Oscillators
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.notes_measures import Instrument, NotesMeasures, measure_notes
from synthhost.train.timbres import TIMBRES_NAME, timbres_in

BLOCK_MS = 1000.0 * 256 / 48000


def evaluate_notes(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure an instrument of harmonics and noise."""
    material = NoteMaterial.from_json(recipe.material)
    measured = measure_notes(instrument(folder), material, cache, say)
    return Evaluation(recipe.name, tuple(_figures(measured)), tuple(measured.failures(BLOCK_MS)))


def instrument(folder: Path) -> Instrument:
    """Return the model of notes in a folder, ready to be measured.

    Raises:
        ConfigError: It is another kind of model, or its timbres cannot be read.
        CheckpointError: Its weights cannot be read.
    """
    package = load_package(folder)
    if package.manifest.family != ddsp.FAMILY.name:
        raise ConfigError(f"{folder}: plays no notes.")
    hyper = DdspHyper.from_json(package.manifest.hyper)
    network = ddsp.build(hyper).eval()
    ddsp.load_weights(network, package.tensors)
    oscillators = next(part for part in network.children() if isinstance(part, Oscillators))

    def render(frames: Features) -> Audio:
        with torch.inference_mode():
            return np.asarray(network(torch.from_numpy(frames)[None])[0, 0].numpy())

    def levels(frames: Features) -> NDArray[np.float64]:
        with torch.inference_mode():
            x = torch.from_numpy(frames)[None]
            stream = x[:, OSCILLATOR_CHANNELS:]
            for name, part in network.named_children():
                if name.startswith(("hidden", "rectifier", "levels")):
                    stream = part(stream)
            told = torch.cat((x[:, :OSCILLATOR_CHANNELS], stream), 1).transpose(1, 2)
            return np.asarray(oscillators.levels(told)[0].numpy(), np.float64)

    notes, rate, hop = hyper.notes, hyper.sample_rate, hyper.hop_samples
    timbres = timbres_in(folder / TIMBRES_NAME, hyper.dimensions)
    return Instrument(notes, rate, hop, render, levels, timbres)


def _figures(measured: NotesMeasures) -> list[str]:
    nearest = sorted(measured.distances_db.items(), key=lambda pair: pair[1])
    return [
        f"pitch {measured.median_cents:.1f} cents off at the median, "
        f"{100 * measured.near:.1f} % of frames within 50; {measured.worst_told}",
        f"heard after {measured.onset_ms:.1f} ms at most; risen {measured.late_ms:.1f} ms later than the "
        "notes held out at the median",
        f"a harder note is at most {measured.velocity_falls_db:.2f} dB softer",
        f"a hundredth of the way between two instruments moves no audible level by more than "
        f"{measured.step_db:.1f} dB",
        f"peak {measured.peak:.2f}, mean {measured.dc:.1e} at most",
        "multi-resolution distance to notes held out, dB: "
        + ", ".join(f"{name} {value:.1f}" for name, value in nearest),
    ]
