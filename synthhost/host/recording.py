"""Open stems behind the engine's seam, and where takes go."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from synthhost.core.arrays import Audio
from synthhost.core.errors import RecordingError
from synthhost.sinks.stems import StemFormat, StemWriter


class Recording:
    """The stems of one take."""

    def __init__(
        self,
        folder: Path,
        stems: Mapping[str, int],
        sample_rate: int,
        format_name: StemFormat,
        start_sample: int,
    ) -> None:
        """Create the files.

        Raises:
            RecordingError: The folder cannot be written or holds stems already.
        """
        self.folder = str(folder)
        self.begun = False
        self._writer = StemWriter(folder, stems, sample_rate, format_name, start_sample)
        self._taps = {name: self._writer.tap(name) for name in stems}
        self._start_sample = start_sample
        self._end_sample: int | None = None

    @property
    def samples(self) -> int:
        """Return how long an ended take is in engine time, 0 before. [any thread]"""
        return 0 if self._end_sample is None else self._end_sample - self._start_sample

    @property
    def drops(self) -> int:
        """Return how many blocks found no room. [any thread]"""
        return sum(tap.dropped_blocks for tap in self._taps.values())

    @property
    def error(self) -> str | None:
        """Return what ended the recording early, a sentence, or None. [any thread]"""
        return self._writer.error

    def begin(self, start_sample: int) -> None:
        """Say where in time the take begins, once that is known for certain. [render thread]"""
        self._writer.place(start_sample)
        self._start_sample = start_sample
        self.begun = True

    def write(self, name: str, block: Audio) -> None:
        """Hand a block `[channels, samples]` to one stem. [render thread]"""
        self._taps[name].write(block)

    def end(self, end_sample: int) -> None:
        """Say where the take ends; `close` then finishes the files. [render thread]"""
        self._end_sample = end_sample

    def flush(self) -> None:
        """Write what waits now. [not the render thread while playing]"""
        self._writer.flush()

    def close(self) -> None:
        """Finish the files. [loader thread]"""
        self._writer.close(self._end_sample)

    def discard(self) -> None:
        """Take back the files of a take, and its folder if that is empty then."""
        self._writer.close()
        for path in self._writer.paths.values():
            path.unlink(missing_ok=True)
        with suppress(OSError):  # somebody's files are in it
            Path(self.folder).rmdir()


def new_take(folder: Path) -> Path:
    """Return a folder name for a take that does not exist yet, by date and time."""
    base = folder / f"take-{datetime.now():%Y%m%d-%H%M%S}"
    return next(path for path in _numbered(base) if not path.exists())


def check_take_folder(folder: Path) -> None:
    """Make a folder for a take.

    Raises:
        RecordingError: It exists with something in it, or cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        taken = any(folder.iterdir())
    except OSError as error:
        raise RecordingError(
            f"{folder}: stems cannot be written there ({error.strerror}). Choose another folder."
        ) from error
    if taken:
        raise RecordingError(f"{folder}: there is something in this folder already. Choose a new one.")


def _numbered(base: Path) -> list[Path]:
    return [base, *(base.with_name(f"{base.name}-{number}") for number in range(2, 1000))]
