"""Material of the note instrument: single notes of many instruments, taken apart into frames.

Rendering and taking apart takes minutes, so the frames are kept in the cache under what they were made from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.core.note_frames import key_hz, told
from synthhost.train.harmonic_analysis import Analysis
from synthhost.train.keeping import kept
from synthhost.train.own_sounds import folder_stamp, own_notes
from synthhost.train.piano import layer_velocity, piano_notes
from synthhost.train.soundfont import Soundfont, general_soundfont, playing
from synthhost.train.taught_notes import Teacher, teacher_stamp

FLOOR_NATS = -12.0
"""No level lies below this logarithm."""

_LOUDNESS = 0.1  # the root mean square that an instrument's loud notes are brought to
_DENSE_S, _GROWTH = 0.1, 1.06  # every frame near a note's ends, then ever fewer
_DAMPED_S = 0.09  # how a piano string dies away when its key is let go
_ONSET_S = 0.5
_FORMAT = 3


@dataclass(frozen=True, slots=True)
class Timbre:
    """One instrument.

    Attributes:
        name: Of it.
        program: Of General MIDI, from 0; None: the real piano.
        lowest: Key in semitones.
        highest: Key in semitones.
    """

    name: str
    program: int | None
    lowest: int
    highest: int


@dataclass(frozen=True, slots=True)
class NoteMaterial:
    """Which notes are played.

    Attributes:
        timbres: The instruments.
        key_step: Between the keys played, in semitones.
        velocities: Of MIDI.
        held_s: How long notes are held.
        after_s: What is heard of them afterwards.
        piano_layers: Of the real piano that are learned from.
        piano_held_out: Layers that are not.
        held_out_every: Every so manyth key is held out; of a player's own notes every so manyth note.
        folder: Of a player's own notes, which are taken instead of all others; empty: none.
        teacher: A model of notes that plays them instead, each of its own instruments by name; empty: none.
    """

    timbres: tuple[Timbre, ...]
    key_step: int
    velocities: tuple[int, ...]
    held_s: tuple[float, ...]
    after_s: float
    piano_layers: tuple[int, ...]
    piano_held_out: tuple[int, ...]
    held_out_every: int
    folder: str = field(default="", repr=False)
    teacher: str = field(default="", repr=False)

    def stamp(self) -> list[object]:
        """Return what changes where the folder, or the teacher, changes."""
        return [*folder_stamp(self.folder), *teacher_stamp(self.teacher)]

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> NoteMaterial:
        """Read the material of a recipe.

        Raises:
            ConfigError: Something of it is missing or of another kind.
        """
        try:
            return cls(
                tuple(
                    Timbre(str(one["name"]), one.get("program"), int(one["lowest"]), int(one["highest"]))
                    for one in plain["timbres"]
                ),
                int(plain["key_step"]),
                tuple(int(one) for one in plain["velocities"]),
                tuple(float(one) for one in plain["held_s"]),
                float(plain["after_s"]),
                tuple(int(one) for one in plain.get("piano_layers", ())),
                tuple(int(one) for one in plain.get("piano_held_out", ())),
                int(plain["held_out_every"]),
                str(plain.get("folder", "")),
                str(plain.get("teacher", "")),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ConfigError(
                f"material: {type(error).__name__}: {error}. See the shipped recipe."
            ) from error


@dataclass(frozen=True, slots=True)
class Note:
    """A note as it was played.

    Attributes:
        timbre: Its instrument's place among the timbres.
        key: In semitones, with a fraction where it was measured.
        velocity: 0 to 1.
        held_samples: After which it ended; None: it was not let go.
        sound: Mono, `[samples]`.
        held_out: Whether nothing is learned from it.
    """

    timbre: int
    key: float
    velocity: float
    held_samples: int | None
    sound: Audio
    held_out: bool


@dataclass(frozen=True, slots=True)
class NoteFrameSet:
    """Frames of many notes.

    Attributes:
        told: What the network hears of each, `[frames, TOLD_CHANNELS]`.
        timbre: `[frames]`.
        levels: Logarithms of harmonics' and noise bands' levels, `[frames, harmonics + bands]`, float16.
        heard: How many of the harmonics lie below half the sample rate, `[frames]`.
        held_out: `[frames]`.
        stretches: Of each note that has one: timbre, key, stretch, `[notes, 3]`.
        gains: What each instrument was brought to loudness by, `[timbres]`, linear.
    """

    told: NDArray[np.float32]
    timbre: NDArray[np.int64]
    levels: NDArray[np.float16]
    heard: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    stretches: NDArray[np.float64]
    gains: NDArray[np.float64]


def played(material: NoteMaterial, sample_rate: int, cache: Path) -> Iterator[Note]:
    """Play every note of a material.

    Raises:
        DownloadError: Something it is played with cannot be had.
    """
    if material.folder:
        yield from _of_folder(material, sample_rate)
        return
    if material.teacher:
        teacher = Teacher(material.teacher, sample_rate)
        for place, timbre in enumerate(material.timbres):
            play = partial(teacher.note, timbre.name)
            yield from _in_turn(material, place, timbre, play, teacher.held_samples)
        return
    with ExitStack() as stack:
        font: Soundfont | None = None
        for place, timbre in enumerate(material.timbres):
            if timbre.program is None:
                yield from _of_piano(material, place, timbre, sample_rate, cache)
                continue
            font = font or stack.enter_context(playing(general_soundfont(cache), sample_rate))
            play = partial(font.note, timbre.program)
            yield from _in_turn(material, place, timbre, play, font.held_samples)


def note_frames(
    material: NoteMaterial,
    numbers: tuple[int, int, int, int],
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
) -> NoteFrameSet:
    """Return the frames of a material, made now or taken from the cache.

    Args:
        material: Of a recipe.
        numbers: Sample rate, samples of a frame, harmonics, noise bands.
        cache: Where packages and frames are kept.
        say: Takes a sentence now and then.

    Raises:
        DownloadError: Something it is played with cannot be had.
    """
    described = [_FORMAT, repr(material), numbers, *material.stamp()]
    return kept(NoteFrameSet, cache / "notes", described, lambda: _made(material, numbers, cache, say))


def _of_folder(material: NoteMaterial, sample_rate: int) -> Iterator[Note]:
    places = {one.name: place for place, one in enumerate(material.timbres)}
    for number, note in enumerate(own_notes(Path(material.folder), sample_rate)):
        if note.timbre in places:
            held_out = number % material.held_out_every == 1
            yield Note(places[note.timbre], note.key, note.velocity, None, note.sound, held_out)


def _in_turn(
    material: NoteMaterial,
    place: int,
    timbre: Timbre,
    play: Callable[[int, int, float, float], Audio],
    held_samples: Callable[[float], int],
) -> Iterator[Note]:
    """Play an instrument's notes: the first length always, one of the others in turn."""
    for key in range(timbre.lowest, timbre.highest + 1, material.key_step):
        held_out = (key // material.key_step) % material.held_out_every == 1
        for index, velocity in enumerate(material.velocities):
            for number, held_s in enumerate(material.held_s):
                if number and (key // material.key_step + index) % (len(material.held_s) - 1) != number - 1:
                    continue
                sound = play(key, velocity, held_s, material.after_s)
                yield Note(place, key, velocity / 127.0, held_samples(held_s), sound, held_out)


def _of_piano(
    material: NoteMaterial, place: int, timbre: Timbre, sample_rate: int, cache: Path
) -> Iterator[Note]:
    longest = int(material.held_s[0] * 1.5 * sample_rate)
    for layer in (*material.piano_layers, *material.piano_held_out):
        for key, sound in piano_notes(layer, sample_rate, cache).items():
            if timbre.lowest <= key <= timbre.highest:
                held_out = layer in material.piano_held_out
                yield Note(place, key, layer_velocity(layer), None, sound[:longest], held_out)


def _made(
    material: NoteMaterial, numbers: tuple[int, int, int, int], cache: Path, say: Callable[[str], None]
) -> NoteFrameSet:
    sample_rate, hop_samples, harmonics, bands = numbers
    analysis = Analysis(sample_rate, harmonics, bands)
    parts: list[tuple[Any, ...]] = []
    stretches: list[tuple[float, float, float]] = []
    loudness: dict[int, list[float]] = {}
    timbre = -1
    for note in played(material, sample_rate, cache):
        if note.timbre != timbre:
            timbre = note.timbre
            say(f"taking {material.timbres[timbre].name} apart ({timbre + 1} of {len(material.timbres)}) ...")
        if not np.any(note.sound):
            continue
        at, released = _moments(note, hop_samples, sample_rate)
        frames = analysis.frames(note.sound, float(key_hz(note.key)), at)
        levels = np.concatenate([frames.harmonics, frames.noise])
        heard = min(int(0.5 * sample_rate / frames.pitch_hz), harmonics)
        if note.held_samples is None:
            at, levels, released = _let_go(at, levels, sample_rate, hop_samples)
        loudness.setdefault(timbre, []).append(_loudness(note.sound, sample_rate))
        if frames.stretch > 0.0:
            stretches.append((timbre, note.key, frames.stretch))
        hears = told(note.key, note.velocity, at / sample_rate, released)
        parts.append((hears.T, timbre, levels.T, heard, note.held_out))
    if not parts:
        raise TrainingError("material: nothing of it sounds.")
    gains = np.ones(len(material.timbres))
    for place, values in loudness.items():
        gains[place] = _LOUDNESS / float(np.quantile(values, 0.9))
    counts = [part[0].shape[0] for part in parts]
    levels_nats = np.concatenate(
        [
            np.log(np.maximum(part[2] * gains[part[1]], np.exp(FLOOR_NATS))).astype(np.float16)
            for part in parts
        ]
    )
    return NoteFrameSet(
        np.concatenate([part[0] for part in parts]),
        np.repeat([part[1] for part in parts], counts),
        levels_nats,
        np.repeat([part[3] for part in parts], counts),
        np.repeat([part[4] for part in parts], counts),
        np.array(stretches).reshape(-1, 3),
        gains,
    )


def _moments(note: Note, hop_samples: int, sample_rate: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the samples at which frames of a note end, and how long it has ended by then, in seconds."""
    end = note.sound.shape[0] if note.held_samples is None else note.held_samples
    held = _growing(end // hop_samples, hop_samples, sample_rate) * hop_samples
    if note.held_samples is None:
        return held, np.zeros(held.shape[0])
    after = (note.sound.shape[0] - note.held_samples) // hop_samples
    released = _growing(after, hop_samples, sample_rate) * hop_samples
    return np.concatenate([held, note.held_samples + released]), np.concatenate(
        [np.zeros(held.shape[0]), released / sample_rate]
    )


def _growing(count: int, hop_samples: int, sample_rate: int) -> NDArray[np.int64]:
    """Return frame numbers from 1 to `count`, every one at first, then at growing distances."""
    dense = int(_DENSE_S * sample_rate / hop_samples)
    numbers: list[int] = []
    number = 1.0
    while number <= count:
        numbers.append(int(number))
        number = number + 1.0 if number < dense else max(number * _GROWTH, number + 1.0)
    return np.array(numbers, dtype=np.int64)


def _let_go(
    at: NDArray[np.int64], levels: NDArray[np.float32], sample_rate: int, hop_samples: int
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.float64]]:
    """Add what a note would sound like that was let go at a few moments: damped as a felt damps a string."""
    ats, all_levels, released = [at], [levels], [np.zeros(at.shape[0])]
    numbers = _growing(int(_ONSET_S * sample_rate / hop_samples), hop_samples, sample_rate)
    since_s = numbers * hop_samples / sample_rate
    for place in range(at.shape[0] // 3, at.shape[0] - 1, max(at.shape[0] // 4, 1)):
        ats.append(at[place] + numbers * hop_samples)
        all_levels.append((levels[:, place : place + 1] * np.exp(-since_s / _DAMPED_S)).astype(np.float32))
        released.append(since_s)
    return np.concatenate(ats), np.concatenate(all_levels, 1), np.concatenate(released)


def _loudness(sound: Audio, sample_rate: int) -> float:
    """Return the largest root mean square of a tenth of a second at a note's begin."""
    size = sample_rate // 10
    part = sound[: int(_ONSET_S * sample_rate)]
    pieces = part[: part.shape[0] // size * size].reshape(-1, size)
    return float(np.sqrt((pieces.astype(np.float64) ** 2).mean(1)).max()) if pieces.size else 1e-6
