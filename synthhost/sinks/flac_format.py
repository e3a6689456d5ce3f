"""FLAC files, 24 bit, that can be opened after a crash.

libsndfile writes them; it leaves the length in the header open until the end, and a file with an open length
cannot be read as a whole. So `publish` writes there (RFC 9639, section 8.2) how many samples are in finished
FLAC blocks: what a crash can cost is the last block of usually 4096 samples, and what came after `publish`.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

import numpy as np
import soundfile

from synthhost.core.arrays import Audio
from synthhost.sinks.wav_format import quantise

MAX_CHANNELS = 8
_BLOCK_SIZE_AT = (
    8  # in the file: "fLaC", a block header of 4 bytes, then the stream's shortest block, 16 bits
)
_TOTAL_AT = 21  # 4 bits of something else, then 36 bits: samples in the stream
_PAD_SAMPLES = 1 << 16


class FlacFile:
    """One growing FLAC file, with the same methods as `WavFile`. [writer thread]

    Attributes:
        frames: Samples for each channel taken so far.
    """

    def __init__(self, path: Path, channels: int, sample_rate: int) -> None:
        """Create the file, never over an existing one."""
        if channels > MAX_CHANNELS:
            raise OSError(errno.EINVAL, f"FLAC holds at most {MAX_CHANNELS} channels; use wav24")
        self.frames = 0
        self._channels = channels
        self._raw = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        try:
            self._file = soundfile.SoundFile(path, "w", sample_rate, channels, "PCM_24", format="FLAC")
        except soundfile.SoundFileError as error:
            os.close(self._raw)
            path.unlink(missing_ok=True)
            raise OSError(errno.EINVAL, str(error)) from error

    def write(self, block: Audio) -> None:
        """Append `[channels, samples]`, rounded to 24 bits as `wav24` is."""
        steps = np.ascontiguousarray(quantise(block.T, 24) << 8)
        try:
            self._file.write(steps)
        except soundfile.SoundFileError as error:
            raise OSError(errno.ENOSPC, "No space left, or the disk refused to write") from error
        self.frames += block.shape[1]

    def pad(self, frames: int) -> None:
        """Append silence."""
        while frames > 0:
            piece = min(frames, _PAD_SAMPLES)
            self.write(np.zeros((self._channels, piece), dtype=np.float32))
            frames -= piece

    def publish(self) -> None:
        """Write into the header how many samples a reader (or a crash) finds."""
        self._set_total(self._finished())

    def sync(self) -> None:
        """Ask the disk to keep what was written."""
        os.fsync(self._raw)

    def close(self) -> None:
        """Finish the last block and let go; where that fails, the finished blocks stay readable."""
        try:
            self._file.close()
        except soundfile.SoundFileError:
            pass  # the length checked below tells
        finally:
            if self._total() != self.frames:
                self.frames = self._finished()
                self._set_total(self.frames)
            os.close(self._raw)

    def _finished(self) -> int:
        """Samples in blocks that were handed to the system: the encoder keeps one sample of the next."""
        block = int.from_bytes(self._bytes_at(_BLOCK_SIZE_AT, 2), "big")
        return (self.frames - 1) // block * block if self.frames and block else 0

    def _total(self) -> int:
        return int.from_bytes(self._bytes_at(_TOTAL_AT, 5), "big") & 0xFFFFFFFFF

    def _set_total(self, frames: int) -> None:
        others = self._bytes_at(_TOTAL_AT, 1)
        if not others:
            return  # no header yet: nothing was written
        word = (others[0] >> 4 << 36) | min(frames, 0xFFFFFFFFF)
        os.lseek(self._raw, _TOTAL_AT, os.SEEK_SET)
        os.write(self._raw, word.to_bytes(5, "big"))

    def _bytes_at(self, place: int, count: int) -> bytes:
        os.lseek(self._raw, place, os.SEEK_SET)
        return os.read(self._raw, count)
