"""Finding presets and sets by name, in the user's folders and among the shipped ones."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import platformdirs

from synthhost.core.errors import ConfigError, suggestion
from synthhost.schema.preset import PlacedPreset, Preset, is_path, load_preset, placed_path
from synthhost.schema.reading import header_kind, read_text
from synthhost.schema.set import PlacedSet, Set, load_set

PRESETS_VARIABLE = "SYNTHHOST_PRESETS"
_SUFFIX = ".yaml"
_SETS = "sets"


class PresetLibrary:
    """Presets are `NAME.yaml` in some folders, sets `sets/NAME.yaml`; earlier folders win."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self.folders = tuple(folders)

    @classmethod
    def of_this_machine(cls, environ: Mapping[str, str] = os.environ) -> PresetLibrary:
        """Return the library over the user's own folders and the shipped presets."""
        return cls(preset_folders(environ))

    def names(self) -> tuple[str, ...]:
        """Return the names of all presets, sorted."""
        return tuple(sorted(_files(self.folders)))

    def set_names(self) -> tuple[str, ...]:
        """Return the names of all sets, sorted."""
        return tuple(sorted(_files([folder / _SETS for folder in self.folders])))

    def find(self, name: str) -> Path:
        """Return the file of a preset.

        Raises:
            ConfigError: No preset goes by that name; the nearest is suggested.
        """
        return _find(name, "preset", _files(self.folders), self.folders)

    def find_set(self, name: str) -> Path:
        """Return the file of a set; as `find`."""
        folders = [folder / _SETS for folder in self.folders]
        return _find(name, "set", _files(folders), folders)

    def load(self, reference: str, folder: Path | None = None) -> PlacedPreset:
        """Read a preset by name or path.

        Args:
            reference: A name, or a path where it has a slash or a dot.
            folder: Where relative paths are looked up from, the working folder otherwise.

        Raises:
            ConfigError: There is none, or it says something that cannot be played.
        """
        if is_path(reference):
            return load_preset(_path(reference, folder))
        return load_preset(self.find(reference))

    def load_set(self, reference: str, folder: Path | None = None) -> PlacedSet:
        """Read a set by name or path; as `load`."""
        if is_path(reference):
            return load_set(_path(reference, folder))
        return load_set(self.find_set(reference))

    def load_any(self, reference: str) -> PlacedPreset | PlacedSet:
        """Read a preset or set by name, or a file, whichever its header says; of one name the preset wins."""
        if is_path(reference):
            path = Path(reference)
        elif reference in self.set_names() and reference not in self.names():
            path = self.find_set(reference)
        else:
            path = self.find(reference)
        kind = header_kind(read_text(path), str(path))
        return load_set(path) if kind == Set.kind else load_preset(path)

    def presets_of(self, placed: PlacedSet) -> dict[str, PlacedPreset]:
        """Return the preset of each track of a set, by the track's name.

        Raises:
            ConfigError: One cannot be found or read; the sentence names the track's place.
        """
        presets = {}
        for index, track in enumerate(placed.set.tracks):
            inside = f"tracks[{index}].preset"
            if isinstance(track.preset, Preset):
                presets[track.name] = PlacedPreset(track.preset, placed.folder, placed.place, inside)
            else:
                presets[track.name] = self._load_for(track.preset, placed, inside)
        return presets

    def _load_for(self, reference: str, placed: PlacedSet, inside: str) -> PlacedPreset:
        try:
            return self.load(reference, placed.folder)
        except ConfigError as error:
            raise ConfigError(f"{placed.place}: {inside}: {error}") from error


def preset_folders(environ: Mapping[str, str] = os.environ) -> tuple[Path, ...]:
    """Return where presets are looked for: `SYNTHHOST_PRESETS`, the user's own folder, the shipped ones."""
    named = [Path(folder) for folder in environ.get(PRESETS_VARIABLE, "").split(os.pathsep) if folder]
    package = Path(__file__).resolve().parents[1]
    shipped = [package.parent / "presets", Path(sys.prefix) / "share" / "synthhost" / "presets"]
    own = platformdirs.user_config_path("synthhost") / "presets"
    return (*named, own, *(folder for folder in shipped if folder.is_dir()))


def _files(folders: Sequence[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for folder in reversed(folders):
        if folder.is_dir():
            files |= {file.stem: file for file in folder.glob(f"*{_SUFFIX}") if file.is_file()}
    return files


def _find(name: str, kind: str, files: Mapping[str, Path], folders: Sequence[Path]) -> Path:
    if name not in files:
        looked = ", ".join(str(folder) for folder in folders)
        nearest = suggestion(name, files) or f" Looked in: {looked}."
        raise ConfigError(f"no {kind} is named {name!r}.{nearest}")
    return files[name]


def _path(reference: str, folder: Path | None) -> Path:
    return placed_path(reference, folder) if folder else Path(reference)
