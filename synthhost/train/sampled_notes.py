"""What every network that makes notes from samples is held to."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.core.seams import Runner
from synthhost.train.notes_evaluation import BLOCK_MS
from synthhost.train.notes_measures import Instrument, NotesMeasures
from synthhost.train.sample_learners import begun
from synthhost.train.timbres import TIMBRES_NAME, timbres_in

MOST_CENTS, LEAST_NEAR, LEAST_PITCHED = 15.0, 0.9, 0.95


def played_by(runner: Runner, frames: Features, seed: int = 1, temperature: float = 1.0) -> Audio:
    """Return what a model that looks at nothing ahead makes of frames, `[bands, frames]`, `[samples]`."""
    state = begun(runner, (seed,), temperature)
    out = np.empty((1, frames.shape[1] * runner.spec.hop_samples), np.float32)
    written = runner.step(np.ascontiguousarray(frames[None]), state, out)
    return out[0, :written]


def instrument_of(runner: Runner, folder: Path, temperature: float = 1.0) -> Instrument:
    """Return a model of notes as it is measured, its instruments as a file in its folder says.

    Args:
        runner: Of the model.
        folder: Of it.
        temperature: At which it is played.

    Raises:
        ConfigError: It plays no notes, or the file cannot be read.
    """
    spec = runner.spec
    if spec.notes is None:
        raise ConfigError(f"{folder}: plays no notes.")
    timbres = timbres_in(folder / TIMBRES_NAME, spec.notes.dimensions)
    render = partial(played_by, runner, temperature=temperature)
    return Instrument(spec.notes, spec.sample_rate, spec.hop_samples, render, None, timbres)


def sampled_figures(measured: NotesMeasures) -> list[str]:
    """Return what was found, for people."""
    nearest = sorted(measured.distances_db.items(), key=lambda pair: pair[1])
    return [
        f"pitch {measured.median_cents:.1f} cents off at the median, {100 * measured.near:.1f} % of frames "
        f"within 50; {measured.worst_told}; "
        f"{100 * measured.pitched:.0f} % of notes are pitched",
        f"heard after {measured.onset_ms:.1f} ms at most; a harder note is at most "
        f"{measured.velocity_falls_db:.1f} dB softer",
        f"peak {measured.peak:.2f}, mean {measured.dc:.1e} at most",
        "multi-resolution distance to notes held out, dB: "
        + ", ".join(f"{name} {value:.1f}" for name, value in nearest),
    ]


def sampled_failures(measured: NotesMeasures) -> list[str]:
    """Return which gates do not hold, in sentences."""
    gates = (
        (measured.median_cents <= MOST_CENTS, f"pitch is {measured.median_cents:.1f} cents off"),
        (measured.near >= LEAST_NEAR, f"only {100 * measured.near:.1f} % of frames are within 50 cents"),
        (
            measured.pitched >= LEAST_PITCHED,
            f"only {100 * measured.pitched:.0f} % of notes are pitched",
        ),
        (measured.onset_ms <= BLOCK_MS, f"a note is heard only after {measured.onset_ms:.1f} ms"),
    )
    return [said for holds, said in gates if not holds]
