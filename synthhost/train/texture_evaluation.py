"""The gates of textures: bits beside a table of pairs, and that they stay themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthhost.checkpoints.package import load_package
from synthhost.core.errors import ConfigError
from synthhost.core.seams import Runner
from synthhost.families.registry import family
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.recordings import RecordedMaterial, recordings
from synthhost.train.sample_learners import SampleLearner, begun, temperature_of
from synthhost.train.steadiness import Steadiness, steadiness
from synthhost.train.texture_task import bits, pairs_bits, texture_parts

MOST_LEVEL_DB, MOST_SPECTRUM_DB, MOST_SILENT, MOST_DC = 4.0, 6.0, 0.05, 0.05
MOST_WHISTLE_DB = 12.0
_PIECE_S = 5


def evaluate_texture(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a texture on recordings held out, and listen to what it makes by itself."""
    package = load_package(folder)
    rate, crop, learner = texture_parts(recipe)
    if package.manifest.family != learner.family or package.manifest.sample_rate != rate:
        raise ConfigError(f"{folder}: is another network than its recipe describes.")
    family(package.manifest.family).load_weights(learner.network, package.tensors)
    found = recordings(RecordedMaterial.from_json(recipe.material), rate, cache, say)
    held_out, learned = learner.ids_of(found.held_out), learner.ids_of(found.learned)
    say("predicting recordings held out ...")
    needed, pairs = bits(learner, held_out, crop), pairs_bits(learned, held_out, learner.ids)
    say(f"listening to {scope.seeds} times {scope.minutes} minutes ...")
    runner, temperature = load_model(folder).runner, temperature_of(recipe.settings)
    steady = steadiness(
        lambda seeds: minutes_of(runner, seeds, scope.minutes, temperature),
        range(1, scope.seeds + 1),
        lambda _: found.held_out,
        rate,
    )
    return Evaluation(
        recipe.name,
        (
            f"{needed:.2f} bits a sample on recordings held out; a table of pairs needs {pairs:.2f}, "
            f"an even guess {_even(learner):.0f}",
            f"at a temperature of {temperature:g}, {steady_figures(steady, 'recordings held out')}",
        ),
        (
            *([f"{needed:.2f} bits are no fewer than a table's {pairs:.2f}"] if needed >= pairs else []),
            *steady_failures(steady),
        ),
    )


def minutes_of(
    runner: Runner, seeds: Sequence[int], minutes: int, temperature: float = 1.0
) -> Iterator[NDArray[np.float32]]:
    """Play a model that runs by itself, a voice for every seed, `[voices, samples]` a minute."""
    spec = runner.spec
    state = begun(runner, seeds, temperature)
    frames = _PIECE_S * spec.sample_rate // spec.hop_samples
    given = np.zeros((len(seeds), spec.bands, frames), np.float32)
    out = np.empty((len(seeds), frames * spec.hop_samples), np.float32)
    for _ in range(minutes):
        pieces = []
        for _ in range(60 // _PIECE_S):
            written = runner.step(given, state, out)
            pieces.append(out[:, :written].copy())
        yield np.concatenate(pieces, 1)


def steady_figures(steady: Steadiness, like: str) -> str:
    """Return what was found, for people."""
    return (
        f"{steady.seeds} times {steady.minutes} minutes: level {steady.lowest_db:+.1f} to "
        f"{steady.highest_db:+.1f} dB of {like}, one voice's minutes within {steady.drift_db:.1f} dB; "
        f"spectrum at most {steady.spectrum_db:.1f} dB off, a band's loud moments at most "
        f"{steady.whistle_db:.1f} dB louder; silent seconds at most "
        f"{100 * steady.silent:.1f} %; peak {steady.peak:.2f}, mean at most {steady.dc:.3f} of the level"
    )


def steady_failures(steady: Steadiness) -> list[str]:
    """Return which gates do not hold, in sentences."""
    furthest = max(abs(steady.lowest_db), abs(steady.highest_db))
    gates = (
        (furthest <= MOST_LEVEL_DB, f"a minute is {furthest:.1f} dB off in level"),
        (steady.spectrum_db <= MOST_SPECTRUM_DB, f"a minute is {steady.spectrum_db:.1f} dB off in spectrum"),
        (
            steady.whistle_db <= MOST_WHISTLE_DB,
            f"a band's loud moments are {steady.whistle_db:.1f} dB too loud: it whistles",
        ),
        (steady.silent <= MOST_SILENT, f"{100 * steady.silent:.1f} % of a minute's seconds are silent"),
        (steady.dc <= MOST_DC, f"a minute's mean is {steady.dc:.3f} of its level"),
    )
    return [said for holds, said in gates if not holds]


def _even(learner: SampleLearner) -> float:
    return float(np.log2(learner.ids))
