"""WAV files that stay readable while they grow, and become RF64 past 4 GB.

Our own bytes rather than libsndfile's: its header update is reached from Python only through a private
handle, its wrapper reports a full disk without saying which frames were kept, and a gap could not be left as
a hole. The header holds a `bext` chunk (EBU Tech 3285) whose time reference places the stem in a DAW, and
reserves room for the `ds64` chunk of RF64 (EBU Tech 3306).
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from types import MappingProxyType

import numpy as np

from synthhost.core.arrays import Audio

RF64_FROM_BYTES = 0xFFFFFFFF  # sizes from here on do not fit a WAV header
_ALL_ONES = 0xFFFFFFFF
_BEXT_BYTES = 602
_SUBTYPE_TAIL = bytes.fromhex("000000001000800000AA00389B71")
_TAGS = MappingProxyType({"wav16": (1, 2), "wav24": (1, 3), "wav32f": (3, 4)})  # format tag, bytes a sample


def encode(block: Audio, encoding: str) -> bytes:
    """Turn `[channels, samples]` into interleaved little-endian samples.

    `wav32f` is exact. The others round half to even at full scale 2^15 or 2^23 and clip, with no dither, so
    the same sound gives the same file; NaN becomes silence there.
    """
    frames = block.T
    if encoding == "wav32f":
        return frames.astype("<f4").tobytes()
    bits = 8 * _TAGS[encoding][1]
    whole = quantise(frames, bits)
    if encoding == "wav16":
        return whole.astype("<i2").tobytes()
    return np.ascontiguousarray(whole.astype("<i4")).view(np.uint8).reshape(-1, 4)[:, :3].tobytes()


def quantise(samples: Audio, bits: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int32]]:
    """Round to whole steps of `bits` bits, half to even, clipped to the range; NaN to 0. Same shape."""
    top = float(1 << (bits - 1))
    scaled = np.rint(np.nan_to_num(samples.astype(np.float64), nan=0.0, posinf=1.0, neginf=-1.0) * top)
    return np.clip(scaled, -top, top - 1.0).astype(np.int32)


class WavFile:
    """One growing WAV file; gaps are silence, and the header says what is on disk after each `publish`.

    Every method may raise OSError (a full disk, a lost folder). [writer thread]

    Attributes:
        start_sample: Where in time the first sample lies; the next `publish` writes it down.
    """

    def __init__(
        self,
        path: Path,
        channels: int,
        sample_rate: int,
        encoding: str,
        start_sample: int = 0,
        rf64_from_bytes: int = RF64_FROM_BYTES,
    ) -> None:
        """Create the file (never over an existing one) and write its header.

        Args:
            path: Where; must not exist.
            channels: Channels.
            sample_rate: Hz.
            encoding: `wav16`, `wav24` or `wav32f`.
            start_sample: Where in time the first sample lies, for the `bext` chunk.
            rf64_from_bytes: File size from which the header is RF64.
        """
        self._encoding = encoding
        self._channels = channels
        self._rate = sample_rate
        self.start_sample = start_sample
        self._rf64_from = rf64_from_bytes
        self._frame_bytes = channels * _TAGS[encoding][1]
        self._header_bytes = len(self._header(0))
        self.frames = 0
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        self.publish()

    def write(self, block: Audio) -> None:
        """Append `[channels, samples]`; counts only frames that arrived whole."""
        payload = memoryview(encode(block, self._encoding))
        os.lseek(self._file, self._header_bytes + self.frames * self._frame_bytes, os.SEEK_SET)
        done = 0
        try:
            while done < len(payload):
                done += os.write(self._file, payload[done:])
        finally:
            self.frames += done // self._frame_bytes

    def pad(self, frames: int) -> None:
        """Append silence; it takes no room on disk where the file system knows holes."""
        if frames > 0:
            size = self._header_bytes + (self.frames + frames) * self._frame_bytes
            os.ftruncate(self._file, self._header_bytes + self.frames * self._frame_bytes)
            os.ftruncate(self._file, size)
            self.frames += frames

    def publish(self) -> None:
        """Bring the header up to date: a reader (or a crash) finds every frame written so far."""
        os.lseek(self._file, 0, os.SEEK_SET)
        os.write(self._file, self._header(self.frames))

    def sync(self) -> None:
        """Ask the disk to keep what was written."""
        os.fsync(self._file)

    def close(self) -> None:
        """Cut off what is not a whole frame, fix the header and let go; the file stays readable."""
        try:
            odd = (self.frames * self._frame_bytes) % 2
            os.ftruncate(self._file, self._header_bytes + self.frames * self._frame_bytes + odd)
            self.publish()
        finally:
            os.close(self._file)

    def _header(self, frames: int) -> bytes:
        payload = frames * self._frame_bytes
        chunks = self._bext() + self._fmt(frames)
        riff_bytes = 4 + 36 + len(chunks) + 8 + payload + payload % 2
        if riff_bytes + 8 < self._rf64_from:
            start = struct.pack("<4sI4s4sI28x", b"RIFF", riff_bytes, b"WAVE", b"JUNK", 28)
            return start + chunks + struct.pack("<4sI", b"data", payload)
        start = struct.pack("<4sI4s4sI", b"RF64", _ALL_ONES, b"WAVE", b"ds64", 28)
        start += struct.pack("<QQQI", riff_bytes, payload, frames, 0)
        return start + chunks + struct.pack("<4sI", b"data", _ALL_ONES)

    def _bext(self) -> bytes:
        """A broadcast chunk that says nothing but when the sound begins."""
        body = struct.pack("<338xQH254x", max(self.start_sample, 0), 1)
        assert len(body) == _BEXT_BYTES
        return struct.pack("<4sI", b"bext", _BEXT_BYTES) + body

    def _fmt(self, frames: int) -> bytes:
        tag, width = _TAGS[self._encoding]
        plain = (self._channels, self._rate, self._rate * self._frame_bytes, self._frame_bytes, 8 * width)
        if self._channels <= 2:
            fmt = struct.pack("<HHIIHH", tag, *plain) + (b"" if tag == 1 else bytes(2))
        else:  # more than two channels need the extensible form, with no speaker assigned
            fmt = struct.pack("<HHIIHHHHIH", 0xFFFE, *plain, 22, 8 * width, 0, tag) + _SUBTYPE_TAIL
        fact = struct.pack("<4sII", b"fact", 4, min(frames, _ALL_ONES))
        return struct.pack("<4sI", b"fmt ", len(fmt)) + fmt + fact
