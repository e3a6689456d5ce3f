"""Notes with the phase of their fundamental: what a network learns from that is told where a cycle stands."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.errors import TrainingError
from synthhost.core.note_frames import key_hz
from synthhost.train.keeping import kept
from synthhost.train.notes_material import Note, NoteMaterial, played

_PERIODS = 4  # of the fundamental in the window that follows its phase: the second harmonic falls on a zero
_SHORTEST_S = 0.012
_FAINT = 0.03  # of the loudest; where a fundamental is fainter, its pitch is the key's
_MOST_CENTS = 90.0  # nor is it followed further from the key
_LOUD = 0.2  # the root mean square that an instrument's loud notes are brought to
_LOUDEST = 0.98
_ONSET_S = 0.5
_FORMAT = 3


@dataclass(frozen=True, slots=True)
class TrackedNotes:
    """Notes behind each other; each fills whole frames.

    Attributes:
        sound: Of all, `[samples]`.
        cycles: Of the fundamental at the begin of every frame of a note, and at its end, behind each other,
            `[frames + notes]`.
        first_frame: Of every note, and the end of the last, `[notes + 1]`.
        timbre: `[notes]`.
        key: In semitones, `[notes]`.
        velocity: 0 to 1, `[notes]`.
        held_frames: Frames after which a note ended, `[notes]`; -1: it was not let go.
        held_out: Whether nothing is learned from it, `[notes]`.
    """

    sound: NDArray[np.float32]
    cycles: NDArray[np.float64]
    first_frame: NDArray[np.int64]
    timbre: NDArray[np.int64]
    key: NDArray[np.float64]
    velocity: NDArray[np.float64]
    held_frames: NDArray[np.int64]
    held_out: NDArray[np.bool_]

    def frames_of(self, note: int) -> tuple[int, int]:
        """Return where a note's frames begin and end."""
        return int(self.first_frame[note]), int(self.first_frame[note + 1])

    def cycles_of(self, note: int) -> NDArray[np.float64]:
        """Return the cycles at the begin of every frame of a note, and at its end, `[frames + 1]`."""
        begin, end = self.frames_of(note)
        return self.cycles[begin + note : end + note + 1]


def tracked_notes(
    material: NoteMaterial,
    sample_rate: int,
    hop_samples: int,
    cache: Path,
    say: Callable[[str], None] = lambda _: None,
) -> TrackedNotes:
    """Return the notes of a material, made now or taken from the cache.

    Raises:
        DownloadError: Something they are played with cannot be had.
        TrainingError: None of them sounds.
    """
    described = [_FORMAT, repr(material), sample_rate, hop_samples, *material.stamp()]
    return kept(
        TrackedNotes,
        cache / "tracked",
        described,
        lambda: _made(material, sample_rate, hop_samples, cache, say),
    )


def followed_cycles(sound: Audio, pitch_hz: float, sample_rate: int) -> NDArray[np.float64]:
    """Return where the fundamental of a sound stands before every sample and at its end, `[samples + 1]`.

    A sine that stands there has the phase of the sound's own fundamental; where that is faint, or far from
    the pitch that it should have, it goes on at that pitch.
    """
    count = sound.shape[0]
    size = max(round(_PERIODS * sample_rate / pitch_hz), round(_SHORTEST_S * sample_rate)) | 1
    turns = np.arange(count) * (pitch_hz / sample_rate)
    window = np.hanning(size + 2)[1:-1]
    beaten = np.asarray(sound, np.float64) * np.exp(-2j * np.pi * turns)
    length = 1 << (count + size).bit_length()
    spectrum = np.fft.fft(beaten, length) * np.fft.fft(window / window.sum(), length)
    slow = np.fft.ifft(spectrum)[size // 2 : size // 2 + count]
    level = np.abs(slow)
    phase = np.unwrap(np.angle(slow)) / (2.0 * np.pi) + 0.25  # a cosine is a sine a quarter later
    drift = np.diff(phase, append=phase[-1])
    most = pitch_hz * (2.0 ** (_MOST_CENTS / 1200.0) - 1.0) / sample_rate
    sure = (level > _FAINT * float(level.max() or 1.0)) & (np.abs(drift) < most)
    if not sure.any():
        return np.arange(count + 1) * (pitch_hz / sample_rate)
    places = np.flatnonzero(sure)
    steps = np.diff(phase[places])
    steps -= np.rint(steps)  # over what was faint, the shorter way round
    found = phase[places[0]] + np.concatenate(([0.0], np.cumsum(steps)))
    drifted = np.interp(np.arange(count + 1), places, found)
    return np.asarray(np.arange(count + 1) * (pitch_hz / sample_rate) + drifted)


def _made(
    material: NoteMaterial,
    sample_rate: int,
    hop_samples: int,
    cache: Path,
    say: Callable[[str], None],
) -> TrackedNotes:
    notes: list[Note] = []
    for note in played(material, sample_rate, cache):
        if not notes or notes[-1].timbre != note.timbre:
            name = material.timbres[note.timbre].name
            say(f"playing {name} ({note.timbre + 1} of {len(material.timbres)}) ...")
        if np.any(note.sound) and note.sound.shape[0] >= hop_samples:
            notes.append(note)
    if not notes:
        raise TrainingError("material: nothing of it sounds.")
    loudness: dict[int, list[float]] = {}
    for note in notes:
        loudness.setdefault(note.timbre, []).append(_loudness(note.sound, sample_rate))
    sounds: list[Audio] = []
    cycles: list[NDArray[np.float64]] = []
    first_frame = [0]
    for note in notes:
        frames = note.sound.shape[0] // hop_samples
        gain = _LOUD / max(float(np.quantile(loudness[note.timbre], 0.9)), 1e-6)
        sound = note.sound[: frames * hop_samples] * gain
        sounds.append(np.clip(sound, -_LOUDEST, _LOUDEST).astype(np.float32))
        cycles.append(followed_cycles(sound, float(key_hz(note.key)), sample_rate)[::hop_samples])
        first_frame.append(first_frame[-1] + frames)
    held = [-1 if note.held_samples is None else note.held_samples // hop_samples for note in notes]
    return TrackedNotes(
        np.concatenate(sounds),
        np.concatenate(cycles),
        np.array(first_frame, np.int64),
        np.array([note.timbre for note in notes], np.int64),
        np.array([note.key for note in notes], np.float64),
        np.array([note.velocity for note in notes], np.float64),
        np.array(held, np.int64),
        np.array([note.held_out for note in notes], np.bool_),
    )


def _loudness(sound: Audio, sample_rate: int) -> float:
    """Return the largest root mean square of a tenth of a second at a note's begin."""
    size = sample_rate // 10
    part = sound[: max(int(_ONSET_S * sample_rate), size)]
    pieces = part[: part.shape[0] // size * size].reshape(-1, size)
    return float(np.sqrt((pieces.astype(np.float64) ** 2).mean(1)).max()) if pieces.size else 1e-6
