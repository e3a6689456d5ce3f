"""Sinks without a device: the null clock, and a file written at the pace of that clock."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep

import numpy as np
import soundfile

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.sinks.playback import Playback


class ClockedSink:
    """Takes blocks at the pace of the computer's clock, as a device would, and hands them on.

    Args:
        playback: What is played.
        sample_rate: How fast.
        block_samples: How much at a time.
        receive: Called with every block from the first sample of the stream on, `[samples, channels]`.
    """

    def __init__(
        self,
        playback: Playback,
        sample_rate: int,
        block_samples: int,
        receive: Callable[[Audio], None] | None = None,
    ) -> None:
        self._playback = playback
        self._block_s = block_samples / sample_rate
        self._block = np.zeros((block_samples, 4), dtype=np.float32)
        self._receive = receive
        self._due_s: float | None = None  # the clock starts with the first block

    def turn(self) -> None:
        """Wait for the next block's time and take it. A clock that fell far behind starts anew."""
        self._due_s = monotonic() if self._due_s is None else self._due_s + self._block_s
        wait_s = self._due_s - monotonic()
        if wait_s > 0:
            sleep(wait_s)
        elif wait_s < -1.0:
            self._due_s = monotonic()
        self._playback.fill(self._block)
        if self._receive is not None and self._playback.begun:
            self._receive(self._block)


MASTER_ENDINGS = (".wav", ".flac")


class MasterFile:
    """A stereo file of what was heard: WAV of 32-bit floats, or FLAC of 24 bits where the name ends so."""

    def __init__(self, path: Path, sample_rate: int) -> None:
        """Create the file, never over an existing one.

        Raises:
            RecordingError: It exists, or cannot be written.
        """
        self._path = path
        form, subtype = ("FLAC", "PCM_24") if path.suffix.lower() == ".flac" else ("WAV", "FLOAT")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists():
                raise RecordingError(
                    f"{path}: exists already and is never overwritten. Choose another --out."
                )
            self._file = soundfile.SoundFile(path, "w", sample_rate, 2, subtype, format=form)
        except (OSError, soundfile.SoundFileError) as error:
            raise RecordingError(
                f"{path}: cannot be written ({error}). Choose another place with --out."
            ) from error

    def write(self, block: Audio) -> None:
        """Append the master channels of a block, `[samples, 4]`.

        Raises:
            RecordingError: The disk is full or gone.
        """
        try:
            self._file.write(block[:, :2])
        except (
            OSError,
            soundfile.SoundFileError,
            AssertionError,
        ) as error:  # soundfile asserts on short writes
            raise RecordingError(f"{self._path}: nothing more can be written. Is the disk full?") from error

    def close(self) -> None:
        """Finish the file, as far as the disk lets us."""
        with suppress(OSError, soundfile.SoundFileError):
            self._file.close()
