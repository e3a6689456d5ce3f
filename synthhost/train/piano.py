"""A real grand piano: the Salamander samples (Alexander Holm, CC BY 3.0), a package each velocity layer."""

from __future__ import annotations

import re
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile
import soxr

from synthhost.core.arrays import Audio
from synthhost.core.errors import DownloadError
from synthhost.train.fetching import npm_package

_PACKAGE, _VERSION = "@audio-samples/piano-velocity{}", "1.0.5"
_NAME = re.compile(r"([A-G])(#?)(\d)v\d+")
_STEPS = MappingProxyType({"C": 0, "D": 2, "E": 4, "F": 5, "G": 7, "A": 9, "B": 11})
_LAYERS = 16
_QUIET = 1e-4


def piano_notes(layer: int, sample_rate: int, cache: Path) -> dict[int, Audio]:
    """Return the notes of a layer by key in semitones, mono, `[samples]`, beginning where they sound.

    Raises:
        DownloadError: The layer could not be fetched or read.
    """
    folder = npm_package(_PACKAGE.format(layer), _VERSION, cache) / "package" / "audio"
    notes: dict[int, Audio] = {}
    for path in sorted(folder.glob("*.ogg")):
        named = _NAME.fullmatch(path.stem)
        if named is None:
            continue
        step, sharp, octave = named.groups()
        try:
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            raise DownloadError(
                f"{path}: cannot be read ({error}). Remove {folder} and try again."
            ) from error
        mono = np.asarray(soxr.resample(sound.mean(1), rate, sample_rate), dtype=np.float32)
        notes[12 * (int(octave) + 1) + _STEPS[step] + len(sharp)] = _from_its_start(mono)
    return notes


def layer_velocity(layer: int) -> float:
    """Return the velocity that a layer was played at, 0 to 1."""
    return (layer - 0.5) / _LAYERS


def _from_its_start(sound: Audio) -> Audio:
    """Cut what is silent before a note."""
    loud = np.flatnonzero(np.abs(sound) > max(_QUIET, 0.02 * float(np.abs(sound).max())))
    return sound[int(loud[0]) :] if loud.size else sound
