"""The gates of a mel vocoder, and figures beside it: the universal generator, phases sought in real time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.comparing import Likeness, likeness
from synthhost.train.distances import PitchTracker
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.phase_reconstruction import reconstructed
from synthhost.train.spoken_and_played import Clips, VocoderMaterial, clips
from synthhost.train.vocoder_task import MEL

UNIVERSAL = "hifigan-universal"
MOST_TIMES, MOST_CENTS, MOST_COMB_DB = 1.5, 15.0, 3.0
_OF_A_KIND = 12
_LONGEST_FRAMES = 4 * MEL.sample_rate // MEL.hop_samples
_EDGE = 4  # frames at either end that are left out
_BESIDE = ("", "universal generator: ", "real-time phase reconstruction: ")
_Row: TypeAlias = tuple[Likeness, ...]  # what the model makes of a recording's frames, and those beside it
KINDS = ("speech", "notes", "piano")


def evaluate_vocoder(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a vocoder in the universal generator's frames beside it."""
    material = VocoderMaterial.from_json(recipe.material)
    model, universal = load_model(folder), load_model(UNIVERSAL)
    if model.spec.mel != universal.spec.mel:
        raise ConfigError(f"{folder}: takes other mel frames than {UNIVERSAL}.")
    found = clips(material, MEL, cache, say)
    tracker = PitchTracker()
    figures: list[str] = []
    everything: list[_Row] = []
    for kind, name in enumerate(KINDS):
        say(f"listening to {name} ...")
        of_kind: list[_Row] = []
        for mel, sound in held_out(found, kind):
            made = (model.render(mel), universal.render(mel), reconstructed(mel, MEL))
            of_kind.append(tuple(_beside(one, sound, tracker) for one in made))
        if of_kind:
            everything += of_kind
            figures.append(f"{name}, {len(of_kind)} recordings: {_told_of(of_kind)}")
    if not everything:
        raise ConfigError(f"{recipe.name}: nothing is held out.")
    figures.append(f"all: {_told_of(everything)}")
    return Evaluation(recipe.name, tuple(figures), tuple(_failures(everything)))


def held_out(found: Clips, kind: int) -> Iterator[tuple[NDArray[np.float32], Audio]]:
    """Yield mel frames, `[bands, frames]`, and sound of clips of a kind, spread over all of them."""
    long = np.diff(found.first_frame) > 8 * _EDGE
    places = np.flatnonzero(found.held_out & long & (found.kind == kind))
    chosen = np.unique(np.linspace(0, max(places.size - 1, 0), _OF_A_KIND).astype(np.int64))[: places.size]
    for clip in places[chosen]:
        first, last = found.first_frame[clip : clip + 2]
        last = min(last, first + _LONGEST_FRAMES)
        sound = found.sound[first * MEL.hop_samples : last * MEL.hop_samples]
        yield np.ascontiguousarray(found.mel[first:last].T), sound


def _beside(made: Audio, sound: Audio, tracker: PitchTracker) -> Likeness:
    edge = _EDGE * MEL.hop_samples
    frame_rate_hz = MEL.sample_rate / MEL.hop_samples
    return likeness(made[edge:-edge], sound[edge:-edge], MEL.sample_rate, frame_rate_hz, tracker)


def _log_mel(found: list[Likeness]) -> float:
    return float(np.mean([one.log_mel for one in found]))


def _cents(found: list[Likeness]) -> float:
    return float(np.nanmedian([one.median_cents for one in found]))


def _comb_db(found: list[Likeness]) -> float:
    return float(np.median([one.comb_db for one in found]))


def _told_of(rows: list[_Row]) -> str:
    columns = zip(_BESIDE, zip(*rows, strict=True), strict=True)
    return "; ".join(f"{name}{_told(list(found))}" for name, found in columns)


def _told(found: list[Likeness]) -> str:
    spectral_db = float(np.mean([one.spectral_db for one in found]))
    near = float(np.mean([one.near for one in found]))
    return (
        f"log mel {_log_mel(found):.2f}, spectrum {spectral_db:.1f} dB, pitch "
        f"{_cents(found):.1f} cents, {100 * near:.0f} % of frames near, comb {_comb_db(found):+.1f} dB"
    )


def _failures(rows: list[_Row]) -> list[str]:
    own, other = [row[0] for row in rows], [row[1] for row in rows]
    times = _log_mel(own) / _log_mel(other)
    gates = (
        (
            times <= MOST_TIMES,
            f"log mel is {times:.2f} times the universal generator's",
        ),
        (_cents(own) <= MOST_CENTS, f"pitch is {_cents(own):.1f} cents off at the median"),
        (_comb_db(own) <= MOST_COMB_DB, f"a tone at the frame rate stands out by {_comb_db(own):.1f} dB"),
    )
    return [said for holds, said in gates if not holds]
