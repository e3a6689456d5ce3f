"""Tapes: recordings turned once into mel frames, ready to be read at any place and speed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from synthhost.core.arrays import Audio, Features
from synthhost.core.errors import FeatureError, SourceError
from synthhost.core.specs import MelSpec
from synthhost.features.mel import mel_spectrogram

LONGEST_S = 20 * 60.0
"""Longer recordings are refused: a tape is held in memory, 28 kB a second."""

MOST_SAMPLES = 20_000_000
"""Recordings of more samples at the model's rate are refused: turning them into mel takes 10 bytes each."""

MOST_VALUES = 500_000_000
"""Recordings of more samples in all their channels are refused: reading them takes long."""

FEWEST_FRAMES = 8
"""Shorter recordings are refused: there would be no room to move in."""

_VALUES_AT_ONCE = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Tape:
    """One recording as mel frames.

    Attributes:
        name: What it is called in messages.
        spec: The mel convention the frames follow.
        rows: The frames, one a row so that a frame is contiguous, `[frames, bands]`.
    """

    name: str
    spec: MelSpec
    rows: NDArray[np.float32]

    @classmethod
    def from_mel(cls, mel: Features, spec: MelSpec, name: str = "tape") -> Tape:
        """Make a tape of mel frames that exist already, `[bands, frames]`.

        Raises:
            SourceError: If there are fewer than `FEWEST_FRAMES` or the bands are not the spec's.
        """
        if mel.ndim != 2 or mel.shape[0] != spec.bands:
            raise SourceError(f"{name}: expected mel [{spec.bands}, frames], got shape {list(mel.shape)}.")
        if mel.shape[1] < FEWEST_FRAMES:
            shortest_ms = 1000.0 * FEWEST_FRAMES * spec.hop_samples / spec.sample_rate
            raise SourceError(f"{name}: too short for a tape. Use a sound of at least {shortest_ms:.0f} ms.")
        rows = np.ascontiguousarray(mel.T, dtype=np.float32)
        rows.flags.writeable = False
        return cls(name, spec, rows)

    @property
    def frames(self) -> int:
        """How many frames it holds. [render thread]"""
        return int(self.rows.shape[0])

    def read(self, positions: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the frames at fractional places, neighbours mixed; at whole places they are bit for bit.

        Args:
            positions: Places in frames, `[n]`; beyond an end the tape is read as in a mirror.

        Returns:
            `[n, bands]`.

        [render thread]
        """
        last = self.frames - 1
        place = np.mod(np.abs(positions), 2.0 * last)
        place = np.minimum(place, 2.0 * last - place)
        whole = np.minimum(place.astype(np.intp), last - 1)
        part = (place - whole).astype(np.float32)[:, None]
        mixed: NDArray[np.float32] = self.rows[whole] * (np.float32(1.0) - part) + self.rows[whole + 1] * part
        return mixed


def load_tape(path: str | Path, spec: MelSpec) -> Tape:
    """Read a sound file and turn it into a tape; takes time and memory, so never on the render thread.

    Digital silence becomes the convention's silence, even where the public front end gives it a value that
    loud bands have too.

    Args:
        path: A file soundfile can read: WAV, FLAC, AIFF, Ogg, MP3 and more. Channels are averaged.
        spec: The mel convention of the model that will play it.

    Raises:
        SourceError: If the file is missing, is no sound, is empty, too short, or longer than `LONGEST_S`,
            `MOST_SAMPLES` or `MOST_VALUES` allow.
    """
    file = Path(path)
    audio = _read_mono(file, spec.sample_rate)
    try:
        mel = mel_spectrogram(audio, spec, floored=True)
    except FeatureError as error:
        raise SourceError(f"{file}: {error}") from error
    return Tape.from_mel(mel, spec, name=file.name)


def _read_mono(file: Path, wanted_hz: int) -> Audio:
    """Read a file as mono sound at a rate, block by block, so that many channels take no more memory."""
    if not file.is_file():
        raise SourceError(f"{file}: no such sound file. Check the path.")
    try:
        with soundfile.SoundFile(file) as sound:
            _check_length(file, sound, wanted_hz)
            blocks = list(_at_rate(_mono_blocks(file, sound), sound.samplerate, wanted_hz))
    except (soundfile.SoundFileError, OSError) as error:
        raise SourceError(
            f"{file}: cannot be read as sound ({error}). Use WAV, FLAC, AIFF, Ogg or MP3."
        ) from error
    return np.concatenate(blocks) if blocks else np.zeros(0, dtype=np.float32)


def _mono_blocks(file: Path, sound: soundfile.SoundFile) -> Iterator[Audio]:
    """Yield the mean of the channels, `[samples]` at a time."""
    samples_at_once = max(_VALUES_AT_ONCE // sound.channels, 1)
    while len(block := sound.read(samples_at_once, dtype="float32", always_2d=True)):
        mono: Audio = block.mean(axis=1, dtype=np.float32)
        if not np.isfinite(mono).all():
            raise SourceError(f"{file}: holds samples that are not finite numbers. Repair the recording.")
        yield mono


def _check_length(file: Path, sound: soundfile.SoundFile, wanted_hz: int) -> None:
    length_s = sound.frames / sound.samplerate
    longest_s = min(
        LONGEST_S, MOST_SAMPLES / wanted_hz, MOST_VALUES / (sound.channels * float(sound.samplerate))
    )
    if length_s > longest_s:
        raise SourceError(
            f"{file}: {length_s / 60:.1f} minutes long; with {sound.channels} channels at {sound.samplerate} "
            f"Hz, a tape of this model holds at most {longest_s / 60:.1f}. Cut out the part to be played."
        )


def _at_rate(blocks: Iterator[Audio], rate_hz: int, wanted_hz: int) -> Iterator[Audio]:
    """Yield blocks at another rate; the samples are those of resampling all of it at once."""
    if rate_hz == wanted_hz:
        yield from blocks
        return
    resampler = soxr.ResampleStream(rate_hz, wanted_hz, 1, dtype="float32", quality="VHQ")
    for block in blocks:
        yield resampler.resample_chunk(block)
    yield resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
