"""What a mel vocoder learns from: speech and single notes, as mel frames with the pitch in each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError, TrainingError
from synthhost.core.note_frames import key_hz
from synthhost.core.specs import MelSpec
from synthhost.features.mel import mel_spectrogram
from synthhost.train.distances import FRAME_S, PitchTracker
from synthhost.train.keeping import kept
from synthhost.train.notes_material import NoteMaterial, played
from synthhost.train.own_sounds import folder_stamp
from synthhost.train.recordings import RecordedMaterial, recordings

SPOKEN, PLAYED, PIANO = range(3)
"""Kinds of clips."""

_SPEECH_S = 6.0  # of a clip
_PEAK = 0.8
_UNKNOWN_HZ = 150.0  # where nothing is pitched
_NEAR_OCTAVES = 1.0 / 12.0
_FORMAT = 2


@dataclass(frozen=True, slots=True)
class VocoderMaterial:
    """Which sounds.

    Attributes:
        speech: Recordings, or a folder of any sounds; None: none.
        notes: Notes of a soundfont and a piano; None: none.
        held_out: Names of instruments of which nothing is learned.
    """

    speech: RecordedMaterial | None
    notes: NoteMaterial | None
    held_out: tuple[str, ...]

    @classmethod
    def from_json(cls, plain: Mapping[str, Any]) -> VocoderMaterial:
        """Read the material of a recipe.

        Raises:
            ConfigError: Something of it is missing or of another kind.
        """
        notes, speech = plain.get("notes"), plain.get("speech")
        held_out = plain.get("held_out", [])
        if not (isinstance(notes, Mapping) or isinstance(speech, Mapping)) or not isinstance(held_out, list):
            raise ConfigError("material: needs notes, or speech, or both, and perhaps a list held_out.")
        made = cls(
            RecordedMaterial.from_json(speech) if isinstance(speech, Mapping) else None,
            NoteMaterial.from_json(notes) if isinstance(notes, Mapping) else None,
            tuple(str(one) for one in held_out),
        )
        timbres = () if made.notes is None else made.notes.timbres
        unknown = set(made.held_out) - {one.name for one in timbres}
        if unknown:
            raise ConfigError(f"material: held_out: no instrument is named {', '.join(sorted(unknown))}.")
        return made


@dataclass(frozen=True, slots=True)
class Clips:
    """Clips behind each other; each fills whole frames.

    Attributes:
        sound: Of all, `[samples]`.
        mel: Their frames, `[frames, bands]`.
        octaves: Their pitch in octaves above 1 Hz, `[frames]`; between sure frames a line. A note of which
            nothing is sure has its key.
        sure: Whether the tracker is, and near a note's key, `[frames]`.
        first_frame: Of every clip, and the end of the last, `[clips + 1]`.
        kind: `SPOKEN`, `PLAYED` or `PIANO`, `[clips]`.
        held_out: Whether nothing is learned from it, `[clips]`.
    """

    sound: NDArray[np.float32]
    mel: NDArray[np.float32]
    octaves: NDArray[np.float32]
    sure: NDArray[np.bool_]
    first_frame: NDArray[np.int64]
    kind: NDArray[np.int64]
    held_out: NDArray[np.bool_]


def clips(
    material: VocoderMaterial, spec: MelSpec, cache: Path, say: Callable[[str], None] = lambda _: None
) -> Clips:
    """Return the clips of a material, made now or taken from the cache.

    Raises:
        DownloadError: Something of it cannot be had.
        TrainingError: The pitch tracker is not installed, or there is nothing.
    """
    own = "" if material.speech is None else material.speech.source
    described: list[object] = [_FORMAT, repr(material), repr(spec)]
    if material.notes is not None:
        described += [material.notes.folder, *material.notes.stamp()]
    described += folder_stamp(own if Path(own).is_dir() else "")
    return kept(Clips, cache / "clips", described, lambda: _made(material, spec, cache, say))


def _made(material: VocoderMaterial, spec: MelSpec, cache: Path, say: Callable[[str], None]) -> Clips:
    tracker, hop = PitchTracker(), spec.hop_samples
    parts: list[tuple[Audio, NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]] = []
    kinds: list[int] = []
    held: list[bool] = []
    for kind, held_out, sound, near_hz in _sounds(material, spec.sample_rate, cache, say):
        frames = sound.shape[0] // hop
        if frames < 2 * spec.n_fft // hop or not np.any(sound):
            continue
        whole = sound[: frames * hop] * (_PEAK / float(np.abs(sound).max()))
        mel = mel_spectrogram(whole, spec).T[:frames]
        middles = (np.arange(frames) + 0.5) * hop
        octaves, sure = _followed(whole, spec.sample_rate, middles, tracker, near_hz)
        parts.append((whole, mel.astype(np.float32), octaves, sure))
        kinds.append(kind)
        held.append(held_out)
    if not parts:
        raise TrainingError("material: nothing of it sounds.")
    lengths = [part[1].shape[0] for part in parts]
    sounds, mels, octaves_of, sures = zip(*parts, strict=True)
    return Clips(
        np.concatenate(sounds),
        np.concatenate(mels),
        np.concatenate(octaves_of),
        np.concatenate(sures),
        np.concatenate(([0], np.cumsum(lengths))).astype(np.int64),
        np.array(kinds, np.int64),
        np.array(held, np.bool_),
    )


def _sounds(
    material: VocoderMaterial, sample_rate: int, cache: Path, say: Callable[[str], None]
) -> Iterator[tuple[int, bool, Audio, float]]:
    """Yield kind, whether it is held out, sound, and pitch in Hz of every clip; 0 where nobody knows it."""
    if material.speech is not None:
        found = recordings(material.speech, sample_rate, cache, say)
        for held_out, sound in ((False, found.learned), (True, found.held_out)):
            size = min(int(_SPEECH_S * sample_rate), sound.shape[0])
            for first in range(0, sound.shape[0] - size + 1, max(size, 1)):
                yield SPOKEN, held_out, sound[first : first + size], 0.0
    if material.notes is None:
        return
    timbre = -1
    for note in played(material.notes, sample_rate, cache):
        if note.timbre != timbre:
            timbre = note.timbre
            say(f"following the pitch of {material.notes.timbres[timbre].name} ...")
        own = material.notes.timbres[note.timbre]
        yield (
            PIANO if own.program is None else PLAYED,
            note.held_out or own.name in material.held_out,
            note.sound,
            float(key_hz(note.key)),
        )


def _followed(
    sound: Audio, sample_rate: int, at: NDArray[np.float64], tracker: PitchTracker, near_hz: float
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return pitch in octaves above 1 Hz, and whether it is sure, at samples `at`.

    Args:
        sound: `[samples]`.
        sample_rate: In Hz.
        at: Where.
        tracker: Finds the pitch.
        near_hz: Near which it is, or it is not sure; 0: anywhere.
    """
    hertz, sure = tracker.track(sound, sample_rate)
    if near_hz:
        sure = sure & (np.abs(np.log2(np.maximum(hertz, 1.0) / near_hz)) < _NEAR_OCTAVES)
    if not sure.any():
        return np.full(at.shape, np.log2(near_hz or _UNKNOWN_HZ), np.float32), np.zeros(at.shape, np.bool_)
    places = np.arange(hertz.shape[0]) * (FRAME_S * sample_rate)
    octaves = np.interp(at, places[sure], np.log2(hertz[sure]))
    nearest = np.clip(np.rint(at / (FRAME_S * sample_rate)), 0, hertz.shape[0] - 1)
    return octaves.astype(np.float32), sure[nearest.astype(np.int64)]
