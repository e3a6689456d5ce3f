"""Stems: every track and bus into its own file while the show runs, all of the same length and start."""

from __future__ import annotations

import errno
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.sinks.flac_format import FlacFile
from synthhost.sinks.stem_names import file_names
from synthhost.sinks.tap import Tap
from synthhost.sinks.wav_format import RF64_FROM_BYTES, WavFile

StemFormat = Literal["wav16", "wav24", "wav32f", "flac"]
FORMATS: tuple[StemFormat, ...] = ("wav16", "wav24", "wav32f", "flac")
DRAIN_SECONDS = 0.1
SYNC_ROUNDS = 10  # the disk is asked to keep what was written once in so many rounds: about once a second
RING_SECONDS = 8.0  # how long the disk may stall before blocks are dropped
SMALLEST_BLOCK_SAMPLES = 16  # the ring holds its time in blocks of this length or longer


class StemFile(Protocol):
    """A growing sound file; every method but `frames` may raise OSError. [writer thread]"""

    frames: int

    def write(self, block: Audio) -> None:
        """Append `[channels, samples]`."""

    def pad(self, frames: int) -> None:
        """Append silence."""

    def publish(self) -> None:
        """Bring the header up to date."""

    def sync(self) -> None:
        """Ask the disk to keep what was written."""

    def close(self) -> None:
        """Finish the file."""


@dataclass(frozen=True, slots=True)
class _Stem:
    path: Path
    tap: Tap
    file: StemFile


class StemWriter:
    """Writes the stems of one take: taps on the render thread, one writer thread for all files.

    Files can be read up to about the last second at any time, also after the process was killed. A block a
    tap had no room for is silence of the same length in the file, so stems stay aligned. When the disk fails,
    the files are finished where they are, `error` says so, and the taps only count from there on.

    Attributes:
        error: What ended the recording early, a sentence; None while all is well.
    """

    def __init__(
        self,
        folder: Path,
        stems: Mapping[str, int],
        sample_rate: int,
        format: StemFormat = "wav24",
        start_sample: int = 0,
        rf64_from_bytes: int = RF64_FROM_BYTES,
    ) -> None:
        """Create the files and start the writer thread.

        Args:
            folder: The take's folder; made if missing. No file in it is ever overwritten.
            stems: Channels of each stem, by name; the name becomes the file's, made safe for it.
            sample_rate: Hz.
            format: `wav16`, `wav24`, `wav32f` (exact) or `flac` (24 bit).
            start_sample: Engine time of the first sample; WAV files carry it as their time reference.
            rf64_from_bytes: File size from which WAV becomes RF64.

        Raises:
            RecordingError: A name cannot be a file, a file exists, or the folder cannot be written.
        """
        if format not in FORMATS:
            raise RecordingError(f"stems: no format is named {format!r}. Choose one of {', '.join(FORMATS)}.")
        self.error: str | None = None
        self.folder = folder
        self._start_sample = start_sample
        self._sample_rate = sample_rate
        self._stems: dict[str, _Stem] = {}
        self._open_all(stems, format, rf64_from_bytes)
        self._files = threading.Lock()  # between the writer thread and flush/close; never the render thread
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stem-writer", daemon=True)
        self._thread.start()

    def tap(self, name: str) -> Tap:
        """Return where the render thread leaves the blocks of a stem; all taps begin at `start_sample`."""
        return self._stems[name].tap

    def place(self, start_sample: int) -> None:
        """Say where in time the first sample lies, before anything is written. [render thread]"""
        self._start_sample = start_sample
        for stem in self._stems.values():
            if isinstance(stem.file, WavFile):
                stem.file.start_sample = start_sample

    @property
    def paths(self) -> dict[str, Path]:
        """The files, by stem name."""
        return {name: stem.path for name, stem in self._stems.items()}

    def counters(self) -> dict[str, int]:
        """Return blocks dropped so far, by stem name."""
        return {name: stem.tap.dropped_blocks for name, stem in self._stems.items()}

    def flush(self) -> None:
        """Write what the taps hold now and ask the disk to keep it. [control thread]"""
        with self._files:
            self._round(sync=True)

    def close(self, end_sample: int | None = None) -> None:
        """Write the rest, pad all stems to the same length with silence, and finish the files.

        Args:
            end_sample: Engine time after the last sample; the end of the longest stem if that is later, or
                if None.

        [control thread]
        """
        self._stop.set()
        self._thread.join()
        with self._files:
            self._round(sync=False)
            if self.error is None and any(stem.tap.alive for stem in self._stems.values()):
                self._finish(end_sample)

    def _run(self) -> None:
        rounds = 0
        while not self._stop.wait(DRAIN_SECONDS):
            rounds += 1
            with self._files:
                self._round(sync=rounds % SYNC_ROUNDS == 0)

    def _round(self, sync: bool) -> None:
        """Move everything from the taps to the files."""
        for stem in self._stems.values():
            if not stem.tap.alive:
                return
            try:
                _drain(stem)
                stem.file.publish()
                if sync:
                    stem.file.sync()
            except OSError as error:
                self._fail(stem.path, error)

    def _finish(self, end_sample: int | None) -> None:
        length = max((stem.tap.position for stem in self._stems.values()), default=0)
        length = max(length, (end_sample or 0) - self._start_sample)
        for stem in self._stems.values():
            stem.tap.alive = False
            try:
                stem.file.pad(length - stem.file.frames)
                stem.file.sync()
            except OSError as error:
                self.error = self._sentence(stem.path, error)
            self._close_file(stem)

    def _fail(self, path: Path, error: OSError) -> None:
        """End the recording here: all files finished and of the same length, as far as the disk lets us."""
        self.error = self._sentence(path, error)
        whole = self._shortest()
        longest = max(stem.file.frames for stem in self._stems.values())
        for stem in self._stems.values():
            stem.tap.alive = False
            if isinstance(stem.file, WavFile):  # its silence takes no room
                try:
                    stem.file.pad(longest - stem.file.frames)
                except OSError as second:
                    self.error = self._sentence(stem.path, second)
            self._close_file(stem)
        self.error += f" All stems are whole up to {min(whole, self._shortest()) / self._sample_rate:.1f} s."

    def _shortest(self) -> int:
        return min(stem.file.frames for stem in self._stems.values())

    def _close_file(self, stem: _Stem) -> None:
        try:
            stem.file.close()
        except OSError as error:
            self.error = self._sentence(stem.path, error)

    def _sentence(self, path: Path, error: OSError) -> str:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
        why = "there is no room left on the disk" if full else (error.strerror or str(error))
        return f"{path}: {why}. Make room or choose another folder, then start a new take."

    def _open_all(self, stems: Mapping[str, int], format: StemFormat, rf64_from_bytes: int) -> None:
        names = file_names(stems, ".flac" if format == "flac" else ".wav")
        capacity = int(RING_SECONDS * self._sample_rate)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name, channels in stems.items():
                path = self.folder / names[name]
                file: StemFile
                if format == "flac":
                    file = FlacFile(path, channels, self._sample_rate)
                else:
                    start = self._start_sample
                    file = WavFile(path, channels, self._sample_rate, format, start, rf64_from_bytes)
                tap = Tap(channels, capacity, capacity // SMALLEST_BLOCK_SAMPLES)
                self._stems[name] = _Stem(path, tap, file)
        except OSError as error:
            self._abandon()
            raise RecordingError(_refusal(self.folder, error)) from error

    def _abandon(self) -> None:
        """Take back the files of a take that could not begin."""
        for stem in self._stems.values():
            self._close_file(stem)
            stem.path.unlink(missing_ok=True)


def _drain(stem: _Stem) -> None:
    while (run := stem.tap.read()) is not None:
        start, samples = run
        stem.file.pad(start - stem.file.frames)  # blocks the tap had no room for
        stem.file.write(samples)


def _refusal(folder: Path, error: OSError) -> str:
    if isinstance(error, FileExistsError) and error.filename and Path(error.filename) != folder:
        return (
            f"{error.filename}: the file exists and is never overwritten. Choose a new folder for this take."
        )
    return (
        f"{folder}: stems cannot be written: {error.strerror or error}. Choose a folder that can be written."
    )
