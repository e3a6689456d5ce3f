"""A player's own folder of sounds: notes by their names or measured pitch, hits by their folder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import soundfile
import soxr

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.train.distances import PitchTracker

_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".mp3", ".aiff", ".aif"})
_NAMED_KEY = re.compile(r"(?<![A-Za-z])([A-Ga-g])([#sb]?)(-?\d)(?!\d)")
_STEPS = MappingProxyType({"c": 0, "d": 2, "e": 4, "f": 5, "g": 7, "a": 9, "b": 11})
_SIGNS = MappingProxyType({"": 0, "#": 1, "s": 1, "b": -1})
_QUIET = 1e-4
_ONSET_S = 0.5
_RANGE_DB = 40.0  # from the softest velocity to the hardest
_LEAST_SURE = 5  # frames of pitch that a note without a name must have


@dataclass(frozen=True, slots=True)
class OwnNote:
    """A recorded note.

    Attributes:
        timbre: The name of its folder.
        key: In semitones, with a fraction where it was measured.
        velocity: 0 to 1, by its loudness among those of its folder.
        sound: Mono, from where it begins, `[samples]`.
    """

    timbre: str
    key: float
    velocity: float
    sound: Audio


def sounds_in(folder: Path) -> list[Path]:
    """Return the sound files of a folder and those below it, in order.

    Raises:
        TrainingError: It is no folder.
    """
    folder = folder.expanduser()
    if not folder.is_dir():
        raise TrainingError(f"{folder}: is no folder. Name a folder of sound files.")
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES)


def folder_stamp(folder: str) -> list[list[str | int]]:
    """Return what tells whether a folder's sounds are still the same; nothing where none is named.

    Raises:
        TrainingError: It is no folder.
    """
    if not folder:
        return []
    return [[str(path), path.stat().st_size, path.stat().st_mtime_ns] for path in sounds_in(Path(folder))]


def read_sound(path: Path, sample_rate: int) -> Audio:
    """Return a sound file, mono, at a rate, `[samples]`.

    Raises:
        TrainingError: It cannot be read, or holds no numbers.
    """
    try:
        sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise TrainingError(f"{path}: cannot be read ({error}). Take it out of the folder.") from error
    if not np.isfinite(sound).all():
        raise TrainingError(f"{path}: holds values that are no numbers. Take it out of the folder.")
    return np.asarray(soxr.resample(sound.mean(1), rate, sample_rate), dtype=np.float32)


def named_key(name: str) -> int | None:
    """Return the key that a file's name tells, such as 60 for `flute_C4_soft`; C4 is the middle one."""
    found = _NAMED_KEY.search(name)
    if found is None:
        return None
    step, sign, octave = found.groups()
    return 12 * (int(octave) + 1) + _STEPS[step.lower()] + _SIGNS[sign]


def own_notes(folder: Path, sample_rate: int) -> list[OwnNote]:
    """Return the notes of a folder, by the folders below it; each of these is an instrument.

    Raises:
        TrainingError: There are none, one cannot be read, or one has neither a key in its name nor a pitch.
    """
    folder = folder.expanduser()
    tracker: PitchTracker | None = None
    found: list[tuple[str, float, float, Audio]] = []
    for path in sounds_in(folder):
        sound = read_sound(path, sample_rate)
        loud = np.flatnonzero(np.abs(sound) > max(_QUIET, 0.02 * float(np.abs(sound).max(initial=0.0))))
        if not loud.size:
            continue
        sound = sound[int(loud[0]) :]
        key: float | None = named_key(path.stem)
        if key is None:
            tracker = tracker or PitchTracker()
            key = _measured_key(tracker, sound, sample_rate, path)
        part = sound[: int(_ONSET_S * sample_rate)]
        level_db = 10.0 * float(np.log10(np.mean(part.astype(np.float64) ** 2) + 1e-12))
        below = path.parent.relative_to(folder).parts
        found.append((below[0] if below else folder.resolve().name, key, level_db, sound))
    if len(found) < 2:
        raise TrainingError(f"{folder}: holds {len(found)} notes; one is held out, so give two or more.")
    loudest = {timbre: max(level for other, _, level, _ in found if other == timbre) for timbre, *_ in found}
    return [
        OwnNote(timbre, key, float(np.clip(1.0 + (level - loudest[timbre]) / _RANGE_DB, 0.1, 1.0)), sound)
        for timbre, key, level, sound in sorted(found, key=lambda one: one[0])
    ]


def own_hits(folder: Path, classes: Sequence[str], sample_rate: int) -> Iterator[tuple[str, Audio]]:
    """Yield the hits of a folder with their kinds: the first folder that names one says it, else the name.

    Raises:
        TrainingError: One cannot be read, or it is of no kind that the model knows.
    """
    folder = folder.expanduser()
    for path in sounds_in(folder):
        told = [part.lower() for part in (*path.relative_to(folder).parts[:-1], path.stem)]
        kind = next((name for one in told for name in classes if one.startswith(name)), None)
        if kind is None:
            raise TrainingError(
                f"{path}: of which kind is it? Put it into a folder named as one of {', '.join(classes)}."
            )
        yield kind, read_sound(path, sample_rate)


def _measured_key(tracker: PitchTracker, sound: Audio, sample_rate: int, path: Path) -> float:
    hertz, sure = tracker.track(sound, sample_rate)
    if int(sure.sum()) < _LEAST_SURE:
        raise TrainingError(f"{path}: has no pitch. Name its key, as in flute_C4.wav, or take it out.")
    return 69.0 + 12.0 * float(np.log2(np.median(hertz[sure]) / 440.0))
