"""The gates of a model of drums."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthhost.core.errors import ConfigError
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.drum_material import DrumMaterial, drum_hits
from synthhost.train.drums_measures import DrumsMeasures, measure_drums
from synthhost.train.drums_task import played_classes
from synthhost.train.evaluation import Evaluation, Scope


def evaluate_drums(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a model of drums by a classifier of recorded hits, and by the recordings nearest to its own."""
    model = load_model(folder)
    classes, material = model.spec.classes, DrumMaterial.from_json(recipe.material)
    played = played_classes(recipe)
    if tuple(classes) != tuple(name for _, name in played):
        raise ConfigError(f"{folder}: makes {', '.join(classes) or 'no kinds of hits'}; its recipe differs.")
    rate, frames = model.spec.sample_rate, model.spec.clip_frames
    samples = frames * model.spec.hop_samples
    hits = drum_hits(material, rate, samples, cache, say)
    latent = model.spec.bands - len(classes)

    def render(places: NDArray[np.float32], kinds: NDArray[np.int64]) -> NDArray[np.float32]:
        one_hot = np.eye(len(classes), dtype=np.float32)[kinds]
        vectors = np.concatenate((places, one_hot), 1)
        return np.stack([model.render(latent=vector)[:samples] for vector in vectors])

    say("listening to its hits ...")
    measured = measure_drums(render, latent, hits, played, rate)
    return Evaluation(recipe.name, tuple(_figures(measured, hits.held_out)), tuple(measured.failures()))


def _figures(measured: DrumsMeasures, held_out: NDArray[np.bool_]) -> list[str]:
    kinds = ", ".join(f"{name} {100 * share:.0f}" for name, share in measured.of_kind.items())
    return [
        f"{100 * measured.accuracy:.1f} % of its hits are taken for their kind by classifiers of recorded "
        f"hits ({kinds}); of {int(held_out.sum())} recorded hits held out, "
        f"{100 * measured.real_accuracy:.0f} % are",
        f"nearest recording learned from: {measured.nearest_db:.1f} dB away at the median; from recordings "
        f"held out {measured.real_nearest_db:.1f}; {100 * measured.copies:.0f} % of its hits lie nearer "
        "than nine in ten of those do",
        f"two of its hits of one kind are {measured.apart_db:.1f} dB apart at the median",
        f"peak {measured.peak:.2f}, mean of a hit {measured.dc:.4f} at most; begins within "
        f"{measured.onset_ms:.1f} ms, ends {measured.tail_db:.0f} dB below its peak, 95 of 100",
    ]
