"""The gates of a WaveNet that plays notes: pitch, bits, and that a held note stays itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from synthhost.checkpoints.package import load_package
from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import NoteLine, NoteSpec, whole_note
from synthhost.core.seams import Runner
from synthhost.families import wavenet
from synthhost.library.shelves import load_model
from synthhost.schema.recipe import Recipe
from synthhost.train.evaluation import Evaluation, Scope
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.notes_measures import measure_notes
from synthhost.train.sample_learners import begun
from synthhost.train.sampled_notes import instrument_of, played_by, sampled_failures, sampled_figures
from synthhost.train.steadiness import steadiness
from synthhost.train.texture_evaluation import steady_failures, steady_figures
from synthhost.train.voice_task import VoiceTask

_PIECE_S = 5
_VELOCITY = 0.8
_LIKE_S = 4.0  # of a note's own begin, that it should stay like


def evaluate_voice(
    folder: Path, recipe: Recipe, cache: Path, scope: Scope, say: Callable[[str], None]
) -> Evaluation:
    """Measure a WaveNet that plays notes beside those held out, and hold notes for long."""
    package = load_package(folder)
    material = NoteMaterial.from_json(recipe.material)
    runner = load_model(folder).runner
    spec = runner.spec
    if spec.notes is None:
        raise ConfigError(f"{folder}: plays no notes.")
    task = VoiceTask(recipe, "cpu", cache, say)
    held = instrument_of(runner, folder, task.temperature)
    timbres = held.timbres
    wavenet.load_weights(task.network.wavenet, package.tensors)
    points = torch.from_numpy(np.stack([timbres[one.name] for one in material.timbres]))
    task.network.timbres.weight.data.copy_(points)
    say("predicting notes held out ...")
    bits = task.evaluate()
    needed, pairs = bits["held_out_bits"], bits["pairs_bits"]
    measured = measure_notes(held, material, cache, say)
    say(f"holding {scope.seeds} notes for {scope.minutes} minutes ...")
    notes = _HeldNotes(runner, spec.notes, list(timbres.values()), material, task.temperature)
    steady = steadiness(
        lambda seeds: notes.minutes(seeds, scope.minutes),
        range(1, scope.seeds + 1),
        notes.begin_of,
        spec.sample_rate,
    )
    return Evaluation(
        recipe.name,
        (
            f"{needed:.2f} bits a sample on notes held out; a table of pairs needs {pairs:.2f}, an even "
            "guess 8",
            f"played at a temperature of {task.temperature:g}",
            *sampled_figures(measured),
            steady_figures(steady, f"its own first {_LIKE_S:.0f} s"),
        ),
        (
            *([f"{needed:.2f} bits are no fewer than a table's {pairs:.2f}"] if needed >= pairs else []),
            *sampled_failures(measured),
            *steady_failures(steady),
        ),
    )


@dataclass(frozen=True, slots=True)
class _HeldNotes:
    """Notes that are never let go, one of every seed."""

    runner: Runner
    spec: NoteSpec
    points: Sequence[Features]
    material: NoteMaterial
    temperature: float

    def minutes(self, seeds: Sequence[int], minutes: int) -> Iterator[NDArray[np.float32]]:
        """Play them together, `[voices, samples]` a minute."""
        spec = self.runner.spec
        lines = [self._line(seed) for seed in seeds]
        state = begun(self.runner, seeds, self.temperature)
        frames = _PIECE_S * spec.sample_rate // spec.hop_samples
        told = np.empty((len(seeds), spec.bands, frames), np.float32)
        out = np.empty((len(seeds), frames * spec.hop_samples), np.float32)
        for _ in range(minutes):
            pieces = []
            for _ in range(60 // _PIECE_S):
                for place, (line, point) in enumerate(lines):
                    line.write(told[place], np.repeat(point[:, None], frames, 1))
                written = self.runner.step(told, state, out)
                pieces.append(out[:, :written].copy())
            yield np.concatenate(pieces, 1)

    def begin_of(self, seed: int) -> Audio:
        """Return the first seconds of a seed's note."""
        spec = self.runner.spec
        line, point = self._line(seed)
        frames = whole_note(line, point, int(_LIKE_S * spec.sample_rate / spec.hop_samples), 0)
        return played_by(self.runner, frames, seed, self.temperature)

    def _line(self, seed: int) -> tuple[NoteLine, Features]:
        timbre = self.material.timbres[seed % len(self.points)]
        line = NoteLine(self.spec, self.runner.spec.sample_rate, self.runner.spec.hop_samples)
        part = np.random.default_rng(seed).uniform(0.1, 0.9)
        line.begin(round(timbre.lowest + part * (timbre.highest - timbre.lowest)), _VELOCITY)
        return line, self.points[seed % len(self.points)]
