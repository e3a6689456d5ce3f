"""Sound files by their digests; imports nothing heavy, so that the control process starts at once."""

from __future__ import annotations

import hashlib

from synthhost.core.errors import SourceError


def file_sha256(path: str) -> str:
    """Return the digest of a file.

    Raises:
        SourceError: It cannot be read.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise SourceError(f"{path}: the sound cannot be read ({error.strerror}). Check the path.") from error
