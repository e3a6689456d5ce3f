"""What networks that make notes from samples learn from: crops of tracked notes, all instruments alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from synthhost.core.arrays import Features
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.core.note_frames import NoteLine, whole_note
from synthhost.families.note_input import NoteInput
from synthhost.schema.recipe import Recipe
from synthhost.schema.strict_yaml import dump_yaml
from synthhost.train.draws import rng_of
from synthhost.train.note_crops import Crop, drawn_crop
from synthhost.train.notes_material import NoteMaterial
from synthhost.train.task import Batch
from synthhost.train.timbres import TIMBRES_NAME
from synthhost.train.tracked_notes import TrackedNotes, tracked_notes

_SHOWN_S, _SHOWN_HELD_S = 1.6, 1.0
_SHOWN_PARTS = (0.2, 0.5, 0.8)  # of an instrument's range


class NoteSounds:
    """Notes with what is drawn of them.

    Attributes:
        material: Of the recipe.
        input: What a network makes of frames.
        notes: All of them.
        crop_frames: Of a crop.
        before_samples: At the begin of a crop that is not a note's, which are heard and not judged.
    """

    def __init__(
        self,
        recipe: Recipe,
        shape: NoteInput,
        receptive_samples: int,
        cache: Path,
        say: Callable[[str], None],
    ) -> None:
        """Read the settings `crop_frames`, `at_start`, `timbre_noise`, and have the notes at hand.

        Raises:
            ConfigError: A setting is missing, or of another kind.
            TrainingError: There are no notes as long as a crop.
        """
        self._recipe = recipe
        self.input = shape
        self.material = NoteMaterial.from_json(recipe.material)
        try:
            self.crop_frames = int(recipe.settings["crop_frames"])
            self._at_start = float(recipe.settings.get("at_start", 0.25))
            self._noise = float(recipe.settings.get("timbre_noise", 0.1))
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(f"settings: {type(error).__name__}: {error}.") from error
        hop = shape.hop_samples
        self.before_samples = -(-receptive_samples // hop) * hop
        if self.before_samples >= self.crop_frames * hop:
            raise ConfigError(f"settings: crop_frames: must be more than {self.before_samples // hop}.")
        self.notes: TrackedNotes = tracked_notes(self.material, shape.sample_rate, hop, cache, say)
        lengths = np.diff(self.notes.first_frame)
        self.learned, self.held_out = (
            np.flatnonzero((self.notes.held_out == held) & (lengths >= self.crop_frames))
            for held in (False, True)
        )
        if not (self.learned.size and self.held_out.size):
            raise TrainingError("material: no notes as long as a crop are learned from, or held out.")

    @property
    def crop_samples(self) -> int:
        """Return the samples of a crop."""
        return self.crop_frames * self.input.hop_samples

    def drawn(self, step: int) -> tuple[list[Crop], Batch]:
        """Return crops of all instruments alike, and what is told of them with noise on their timbres."""
        rng = rng_of(self._recipe.seed, step)
        crops = []
        for _ in range(self._recipe.batch):
            timbre = rng.integers(len(self.material.timbres))
            among = self.learned[self.notes.timbre[self.learned] == timbre]
            crops.append(self._crop(among if among.size else self.learned, rng))
        noise = self._noise * rng.standard_normal((len(crops), self.input.dimensions))
        return crops, {**self.told(crops), "noise": noise.astype(np.float32)}

    def unseen(self, count: int) -> list[Crop]:
        """Return crops of notes held out, always the same."""
        rng = np.random.default_rng(self._recipe.seed)
        return [self._crop(self.held_out, rng) for _ in range(count)]

    def told(self, crops: list[Crop]) -> Batch:
        """Return what is told of crops, and which of their samples count."""
        counts = np.ones((len(crops), self.crop_samples), np.float32)
        for row, crop in enumerate(crops):
            if not crop.at_start:
                counts[row, : self.before_samples] = 0.0
        return {
            "frames": np.stack([crop.frames for crop in crops]),
            "timbre": np.array([crop.timbre for crop in crops], np.int64),
            "counts": counts,
        }

    def sound(self, crops: list[Crop]) -> NDArray[np.float32]:
        """Return what crops sound like, `[crops, samples]`."""
        return np.stack([self.notes.sound[crop.first_sample :][: self.crop_samples] for crop in crops])

    def shown(self, points: Features) -> list[Features]:
        """Return the frames of a few notes of every instrument, `[bands, frames]` each."""
        frames = []
        rate, hop = self.input.sample_rate, self.input.hop_samples
        held, after = int(_SHOWN_HELD_S * rate / hop), int((_SHOWN_S - _SHOWN_HELD_S) * rate / hop)
        for timbre, point in zip(self.material.timbres, points, strict=True):
            for part in _SHOWN_PARTS:
                line = NoteLine(self.input.notes, rate, hop)
                line.begin(round(timbre.lowest + part * (timbre.highest - timbre.lowest)), 0.8)
                frames.append(whole_note(line, point, held, after))
        return frames

    def write_points(self, points: Features, folder: Path) -> None:
        """Write where the instruments lie in the timbre space."""
        named = {
            one.name: [round(float(value), 4) for value in points[place]]
            for place, one in enumerate(self.material.timbres)
        }
        (folder / TIMBRES_NAME).write_text(dump_yaml(named), encoding="utf-8")

    def _crop(self, among: NDArray[np.int64], rng: np.random.Generator) -> Crop:
        rate, hop = self.input.sample_rate, self.input.hop_samples
        return drawn_crop(self.notes, among, rng, self.crop_frames, rate, hop, self._at_start)


def timbre_points(count: int, dimensions: int) -> nn.Embedding:
    """Return where instruments lie before anything is learned."""
    points = nn.Embedding(count, dimensions)
    nn.init.normal_(points.weight)
    return points


def note_input(hyper: Mapping[str, object], material: NoteMaterial) -> NoteInput:
    """Return what a recipe's network makes of notes, its range being that of the material.

    Args:
        hyper: Of the whole network.
        material: It.

    Raises:
        ConfigError: Something of it is missing or cannot be built.
    """
    lowest = float(min(one.lowest for one in material.timbres))
    highest = float(max(one.highest for one in material.timbres))
    own = {one.name: hyper[one.name] for one in fields(NoteInput) if one.name in hyper}
    return NoteInput.from_json({**own, "lowest": lowest, "highest": highest})
