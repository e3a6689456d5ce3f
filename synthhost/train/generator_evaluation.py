"""The gates of a generator that plays notes in one pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from synthhost.core.note_frames import key_hz
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.distances import frame_rate_comb_db
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.notes_measures import Instrument, measure_notes
from synthhost.train.sampled_notes import instrument_of, sampled_failures, sampled_figures

MOST_COMB_DB = 3.0
_HELD_S, _SETTLED_S = 2.5, 0.3
_KEYS = 4  # of every instrument
_OFF = 0.37  # of a semitone, so that no harmonic lies at the frame rate


def evaluate_generator(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a generator that plays notes, and listen for a tone at its frame rate."""
    material = NoteMaterial.from_json(recipe.material)
    played = instrument_of(load_model(folder).runner, folder)
    measured = measure_notes(played, material, cache, say)
    say("listening for a tone at the frame rate ...")
    comb_db = steady_comb_db(played, material)
    figures = (
        *sampled_figures(measured),
        f"energy at the frame rate {comb_db:+.1f} dB beside that between its multiples, at the median",
    )
    humming = f"a tone at the frame rate stands out by {comb_db:.1f} dB"
    return Evaluation(
        recipe.name,
        figures,
        (*sampled_failures(measured), *([] if comb_db <= MOST_COMB_DB else [humming])),
    )


def steady_comb_db(played: Instrument, material: NoteMaterial) -> float:
    """Return how far energy at multiples of the frame rate stands out of held notes, in dB, at the median."""
    found = []
    for timbre in material.timbres:
        for part in np.linspace(0.15, 0.85, _KEYS):
            key = round(timbre.lowest + part * (timbre.highest - timbre.lowest)) + _OFF
            sound = played.note(played.timbres[timbre.name], key, 0.7, _HELD_S)
            settled = sound[int(_SETTLED_S * played.sample_rate) :]
            frame_rate_hz = played.sample_rate / played.hop_samples
            found.append(frame_rate_comb_db(settled, played.sample_rate, frame_rate_hz, float(key_hz(key))))
    return float(np.median(found))
