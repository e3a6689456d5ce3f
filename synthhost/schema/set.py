"""A set: a whole performance: tracks with their presets, master, clock, OSC and recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self, TypeAlias

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from synthhost.core.computing import asked_for
from synthhost.core.errors import ConfigError
from synthhost.core.options import OptionValue
from synthhost.schema.preset import About, GainDb, Ladder, Preset, Reference, Slug
from synthhost.schema.reading import Document, Entry, read_text, refusal

MAX_TRACKS = 32
RESERVED_NAMES = ("master", "cue")
RecordFormat: TypeAlias = Literal["wav16", "wav24", "wav32f", "flac"]


def _preset_branch(value: Any) -> str:
    return "<inline>" if isinstance(value, Mapping | Preset) else "<reference>"


PresetPart = Annotated[
    Annotated[Reference, Tag("<reference>")] | Annotated[Preset, Tag("<inline>")],
    Discriminator(_preset_branch),
]


def _chunk_branch(value: Any) -> str:
    return "<auto>" if isinstance(value, str) else "<count>"


ChunkFrames = Annotated[
    Annotated[int, Field(ge=1, le=1024), Tag("<count>")] | Annotated[Literal["auto"], Tag("<auto>")],
    Discriminator(_chunk_branch),
]


class TrackPart(Entry):
    """One track: its preset by name, path or written out, its place in the mix, and what computes it.

    Back end and device hold for every preset that comes to play on the track, unless that says otherwise in
    its `options`. "auto" takes native code where it can be had and faster; "native" and "torch" are met or
    refused. A device is "cpu", "cuda" (the first GPU) or "cuda:N".
    """

    name: Slug
    preset: PresetPart
    gain_db: GainDb = 0.0
    pan: Annotated[float, Field(ge=-1, le=1)] = 0.0  # -1 left, 1 right
    mute: bool = False
    solo: bool = False
    backend: Literal["auto", "native", "torch"] = "auto"
    device: str = "cpu"

    @model_validator(mode="after")
    def _check_device(self) -> Self:
        try:
            asked_for(None, self.device)
        except ConfigError as error:
            raise refusal(str(error)) from error
        return self

    @model_validator(mode="after")
    def _check_name(self) -> Self:
        if self.name in RESERVED_NAMES:
            raise refusal(f"a track cannot be called {self.name!r}, which is a bus: choose another name.")
        return self


class MasterPart(Entry):
    """The sum of the tracks and its limiter."""

    gain_db: GainDb = 0.0
    ceiling_db: Annotated[float, Field(ge=-24, le=0)] = -1.0  # no sample goes above it


class OscPart(Entry):
    """Where OSC is received."""

    host: Annotated[str, StringConstraints(min_length=1, max_length=255)] = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 9000  # 0 takes any free port


class RecordPart(Entry):
    """How stems are written."""

    format: RecordFormat = "wav32f"


class Set(Document):
    """A whole performance, as its file says it."""

    kind: ClassVar[str] = "set"

    synthhost: str = "set/1"
    name: Slug
    about: About = ""
    sample_rate: Annotated[int, Field(ge=8000, le=192_000)] = 48_000
    block_samples: Annotated[int, Field(ge=16, le=4096, multiple_of=16)] = 256
    ahead_ms: Annotated[float, Field(gt=0, le=5000)] | None = None  # None: chosen when the models are loaded
    chunk_frames: ChunkFrames = "auto"  # model frames a step
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    arrival_delay_ms: Annotated[float, Field(ge=0, le=1000)] = 0.0  # constant delay of messages for "now"
    crossfade_ms: Annotated[float, Field(ge=0, le=60_000)] = 30.0
    tracks: Annotated[tuple[TrackPart, ...], Field(min_length=1, max_length=MAX_TRACKS, strict=False)]
    ladder: Ladder = ()  # of presets that declare none: options to step down by when the machine is too slow
    master: MasterPart = MasterPart()
    osc: OscPart = OscPart()
    record: RecordPart = RecordPart()

    @model_validator(mode="after")
    def _check_tracks(self) -> Self:
        names = [track.name for track in self.tracks]
        doubled = sorted({name for name in names if names.count(name) > 1})
        if doubled:
            raise refusal(
                f"two tracks are called {doubled[0]!r}: a track is addressed by its name, rename one."
            )
        return self

    def computed_by(self, backend: str | None, device: str | None) -> Set:
        """Return the set with another back end or device for every track, where one is given.

        Raises:
            ConfigError: There is no such back end or device.
        """
        asked_for(backend, device)
        given = {key: value for key, value in (("backend", backend), ("device", device)) if value is not None}
        plain = self.as_json()
        plain["tracks"] = [{**track, **given} for track in plain["tracks"]]
        return Set.from_json(plain, self.name)

    def with_ladder(self, ladder: Sequence[Mapping[str, OptionValue]] | None) -> Set:
        """Return the set with another ladder for presets that declare none; None: as it is."""
        return self if ladder is None else Set.from_json({**self.as_json(), "ladder": ladder}, self.name)

    def with_presets(self, presets: Mapping[str, Preset]) -> Set:
        """Return the set with presets written out by track name, such as for a journal."""
        plain = self.as_json()
        for track in plain["tracks"]:
            if track["name"] in presets:
                track["preset"] = presets[track["name"]].as_json()
        return Set.from_json(plain, self.name)


@dataclass(frozen=True, slots=True)
class PlacedSet:
    """A set and where it came from: relative paths in it are looked up from `folder`."""

    set: Set
    folder: Path
    place: str  # what messages call it, such as "presets/sets/default.yaml"


def load_set(path: Path) -> PlacedSet:
    """Read a set file.

    Raises:
        ConfigError: It cannot be read or says something that cannot be played.
    """
    return PlacedSet(Set.from_yaml(read_text(path), str(path)), path.absolute().parent, str(path))
