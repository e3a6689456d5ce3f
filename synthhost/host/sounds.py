"""Sound files by their digests; imports nothing heavy, so that the control process starts at once."""

from __future__ import annotations

import hashlib

from synthhost.core.errors import SourceError
from synthhost.host.ordinary_files import ordinary_size

LARGEST_BYTES = 2 << 30
"""Larger files are refused: the longest tape, in stereo at 192 kHz and 32 bits, is smaller."""


def file_sha256(path: str) -> str:
    """Return the digest of a file.

    Raises:
        SourceError: It cannot be read, is no ordinary file, is empty, or is larger than `LARGEST_BYTES`.
    """
    try:
        _check(path)
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: the sound cannot be read ({error.strerror}). Check the path.") from error
    except ValueError as error:  # a path no system has
        raise SourceError(f"{path!r}: the sound cannot be read ({error}). Check the path.") from error


def _check(path: str) -> None:
    """Refuse what would keep a reader waiting, before it is opened: opening a pipe alone may never end."""
    size = ordinary_size(path)
    if size is None:
        raise SourceError(f"{path}: is no ordinary file, so no sound can be read from it. Check the path.")
    if size == 0:  # also what the system pretends to be files, some of which wait when read
        raise SourceError(f"{path}: the file is empty. Use WAV, FLAC, AIFF, Ogg or MP3.")
    if size > LARGEST_BYTES:
        raise SourceError(
            f"{path}: {size / 2**30:.1f} GiB is too large for a tape; at most "
            f"{LARGEST_BYTES >> 30} GiB is read. Cut out the part to be played."
        )
