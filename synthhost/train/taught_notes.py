"""Notes that another model of notes plays: a teacher whose partials stand where the fundamental's phase says.

In recordings the partials' phases stand anyhow, so what a network should make of an excitation is uncertain
in all of them but the first. A teacher of harmonics keeps them in step: what is learned from it is a filter,
and chance is left to the noise.
"""

from __future__ import annotations

import numpy as np
import soxr

from synthhost.checkpoints.package import read_manifest
from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError
from synthhost.core.note_frames import STRETCH
from synthhost.library.finding import find_model
from synthhost.library.given import note_features
from synthhost.library.shelves import load_model
from synthhost.train.timbres import TIMBRES_NAME, timbres_in


def teacher_stamp(name: str) -> list[str]:
    """Return what changes with a teacher, the hash of what makes its sound; nothing without one.

    Raises:
        ModelNotFoundError: It is not there.
    """
    return [read_manifest(find_model(name)).sound_sha256] if name else []


class Teacher:
    """A model of notes with a file of where its instruments lie.

    Raises:
        ConfigError: It is another kind of model.
        ModelNotFoundError: It is not there.
    """

    def __init__(self, name: str, sample_rate: int) -> None:
        folder = find_model(name)
        self._model, self._rate = load_model(folder), sample_rate
        notes = self._model.spec.notes
        if notes is None:
            raise ConfigError(f"material: teacher: {name} plays no notes.")
        self._name, self._timbres = name, timbres_in(folder / TIMBRES_NAME, notes.dimensions)

    def held_samples(self, held_s: float) -> int:
        """Return how many samples a note has before it ends."""
        return int(held_s * self._rate)

    def note(self, timbre: str, key: int, velocity: int, held_s: float, after_s: float) -> Audio:
        """Return one note, `[samples]`.

        Raises:
            ConfigError: The teacher has no such instrument.
        """
        if timbre not in self._timbres:
            raise ConfigError(f"material: {self._name} has no instrument {timbre}.")
        times = (held_s, after_s)
        frames = note_features(self._model.spec, key, velocity / 127.0, times, self._timbres[timbre])
        frames[STRETCH] = 0.0  # partials of a stiff string fall out of step
        sound = self._model.render(frames)
        return np.asarray(soxr.resample(sound, self._model.spec.sample_rate, self._rate), np.float32)
