"""Recordings that textures are learned from: speech, pads that are played here, or a folder of sounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.train.fetching import debian_package
from synthhost.train.keeping import kept
from synthhost.train.own_sounds import folder_stamp, sounds_in
from synthhost.train.soundfont import Soundfont, general_soundfont, playing

SPEECH, PADS = "speech", "pads"

_SPEECH_PACKAGE = "festvox-ru"
_SPEECH_FOLDER = "usr/share/festival/voices/russian/msu_ru_nsh_clunits/wav"
_LOUD = 0.9  # where the loudest thousandth of all samples lies
_LOUDEST = 0.999
_PIECE_S = 0.02
_QUIET_DB = -40.0  # under the corpus's loudest: what lies below is a pause
_EDGE_S = 0.01
_PAD_S, _PAD_NOTES = 24.0, 7
_PAD_KEYS = (38, 45, 50, 53, 55, 57, 60, 62, 65, 67, 69, 72)  # of D minor, without its sixth
_PAD_VELOCITIES = (50, 100)
_FORMAT = 1


@dataclass(frozen=True, slots=True)
class RecordedMaterial:
    """Which recordings.

    Attributes:
        source: "speech", "pads", or the path of a folder of sounds.
        held_out_every: Every so manyth recording is held out.
        longest_pause_s: To which silence is cut.
        programs: Of General MIDI, that pads are played with.
        pads: How many are played.
    """

    source: str
    held_out_every: int
    longest_pause_s: float
    programs: tuple[int, ...] = ()
    pads: int = 0

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> RecordedMaterial:
        """Read the material of a recipe.

        Raises:
            ConfigError: Something of it is missing or of another kind.
        """
        try:
            made = cls(
                str(plain["source"]),
                int(plain["held_out_every"]),
                float(plain["longest_pause_s"]),
                tuple(int(one) for one in plain.get("programs", ())),
                int(plain.get("pads", 0)),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise ConfigError(
                f"material: {type(error).__name__}: {error}. See the shipped recipe."
            ) from error
        if made.held_out_every < 2 or not made.longest_pause_s > 0.0:
            raise ConfigError("material: held_out_every must be at least 2, longest_pause_s above 0.")
        if made.source == PADS and not (made.programs and made.pads > 0):
            raise ConfigError("material: pads need programs, and how many are played.")
        return made


@dataclass(frozen=True, slots=True)
class Recordings:
    """Recordings behind each other, at one rate and loudness.

    Attributes:
        learned: What is learned from, `[samples]`, within -1 to 1.
        held_out: What is not, `[samples]`.
    """

    learned: NDArray[np.float32]
    held_out: NDArray[np.float32]


def recordings(
    material: RecordedMaterial, sample_rate: int, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Recordings:
    """Return the recordings of a material, made now or taken from the cache.

    Raises:
        DownloadError: A package cannot be had.
        TrainingError: A folder holds no two sounds that can be read.
    """
    own = "" if material.source in (SPEECH, PADS) else material.source
    described = [_FORMAT, repr(material), sample_rate, folder_stamp(own)]
    return kept(Recordings, cache / "recordings", described, lambda: _made(material, sample_rate, cache, say))


def _made(
    material: RecordedMaterial, sample_rate: int, cache: Path, say: Callable[[str], None]
) -> Recordings:
    say(f"reading {material.source} ...")
    sounds = list(_played(material, sample_rate, cache, say))
    if len(sounds) < 2:
        raise TrainingError(
            f"{material.source}: {len(sounds)} sounds that can be read; one is held out, so give two or more."
        )
    every = min(material.held_out_every, len(sounds))
    loudest = float(np.quantile(np.abs(np.concatenate(sounds)), _LOUDEST))
    if not loudest > 0.0:
        raise TrainingError(f"{material.source}: all of it is silent.")
    shortened = [
        _without_pauses(np.clip(sound * (_LOUD / loudest), -1.0, 1.0), material, sample_rate)
        for sound in sounds
    ]
    parts: dict[bool, list[Audio]] = {False: [], True: []}
    for number, sound in enumerate(shortened):
        parts[number % every == 1].append(sound)
    return Recordings(*(np.concatenate(parts[held]).astype(np.float32) for held in (False, True)))


def _played(
    material: RecordedMaterial, sample_rate: int, cache: Path, say: Callable[[str], None]
) -> Iterator[Audio]:
    if material.source == PADS:
        yield from _pads(material, sample_rate, cache)
        return
    speech = material.source == SPEECH
    folder = debian_package(_SPEECH_PACKAGE, cache) / _SPEECH_FOLDER if speech else Path(material.source)
    for path in sounds_in(folder):
        try:
            sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
        except (OSError, soundfile.SoundFileError) as error:
            say(f"{path} is left out: {error}")
            continue
        if not (sound.shape[0] and np.isfinite(sound).all()):
            say(f"{path} is left out: it holds no samples, or such as are no numbers")
        else:
            yield np.asarray(soxr.resample(sound.mean(1), rate, sample_rate), dtype=np.float32)


def _pads(material: RecordedMaterial, sample_rate: int, cache: Path) -> Iterator[Audio]:
    """Play long notes of one scale over each other, a program each pad."""
    samples = int(_PAD_S * sample_rate)
    with playing(general_soundfont(cache), sample_rate) as font:
        for number in range(material.pads):
            program = material.programs[number % len(material.programs)]
            yield _pad(font, program, np.random.default_rng([number, 17]), samples, sample_rate)


def _pad(font: Soundfont, program: int, rng: np.random.Generator, samples: int, sample_rate: int) -> Audio:
    out = np.zeros(samples, np.float32)
    for _ in range(_PAD_NOTES):
        key = int(rng.choice(_PAD_KEYS))
        velocity = int(rng.integers(*_PAD_VELOCITIES))
        note = font.note(program, key, velocity, float(rng.uniform(5.0, 9.0)), 2.0)
        begin = int(rng.integers(0, samples))
        first = min(note.shape[0], samples - begin)
        out[begin : begin + first] += note[:first]
        rest = note[first : first + begin]
        out[: rest.shape[0]] += rest  # around its end, so that it is as full everywhere
    return out


def _without_pauses(sound: Audio, material: RecordedMaterial, sample_rate: int) -> Audio:
    """Cut pauses to their longest."""
    size = int(_PIECE_S * sample_rate)
    pieces = sound[: sound.shape[0] // size * size].reshape(-1, size)
    if not pieces.shape[0]:
        return sound
    quiet = np.sqrt((pieces.astype(np.float64) ** 2).mean(1)) < 10.0 ** (_QUIET_DB / 20.0)
    longest = max(int(material.longest_pause_s / _PIECE_S), 1)
    run, keep = 0, np.ones(quiet.shape[0], bool)
    for place, silent in enumerate(quiet):
        run = run + 1 if silent else 0
        keep[place] = run <= longest
    cut = pieces[keep].ravel()
    fade = min(int(_EDGE_S * sample_rate), cut.shape[0] // 2)
    if fade:
        ramp = np.linspace(0.0, 1.0, fade, dtype=np.float32)
        cut[:fade] *= ramp
        cut[cut.shape[0] - fade :] *= ramp[::-1]
    return np.asarray(cut, np.float32)
