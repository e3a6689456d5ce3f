"""Where the names in a message are looked up: presets, sounds and takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from synthhost.core.errors import RecordingError, SourceError
from synthhost.host.recording import new_take
from synthhost.host.sounds import file_sha256
from synthhost.schema.preset import PlacedPreset, Preset
from synthhost.schema.preset_library import PresetLibrary

_TAKE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")


class Places:
    """Resolves names for one run."""

    def __init__(self, library: PresetLibrary, takes_folder: Path) -> None:
        self._library = library
        self._takes_folder = takes_folder

    def preset_body(self, name: str) -> dict[str, Any]:
        """Return a preset written out with absolute paths and the digests of its sounds.

        Raises:
            ConfigError: There is no such preset, or it cannot be read.
            SourceError: A sound of it cannot be read.
        """
        return written_out(self._library.load(name)).as_json()

    def sound(self, given: str) -> str:
        """Return a sound file's absolute path.

        Raises:
            SourceError: There is no such file.
        """
        try:
            path = Path(given).expanduser().absolute()
            there = path.is_file()
        except (OSError, RuntimeError, ValueError):  # a path no system has, or the home of nobody
            there = False
        if not there:
            raise SourceError(f"{given[:200]}: there is no such sound file. Give an absolute path.")
        return str(path)

    def take(self, name: str | None) -> str:
        """Return the folder of a new take, by a name of its own or by date and time.

        Raises:
            RecordingError: The name is no plain name, or is taken.
        """
        if name is None:
            return str(new_take(self._takes_folder))
        folder = self._takes_folder / name
        if not _TAKE_NAME.fullmatch(name):
            raise RecordingError(
                f"{name!r} cannot name a take. Use letters, digits, spaces, '.', '_' and '-'."
            )
        if folder.exists():
            raise RecordingError(f"{folder}: this take exists already. Choose another name.")
        return str(folder)


def written_out(placed: PlacedPreset) -> Preset:
    """Return a preset that means the same from anywhere: absolute paths, digests of its sounds.

    Raises:
        SourceError: A sound of it cannot be read.
    """
    return placed.absolute({key: file_sha256(str(path)) for key, path in placed.sound_paths().items()})
