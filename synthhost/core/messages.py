"""Commands and events: frozen values that travel between processes, into journals and back.

A message is written as one flat JSON object, `{"do": "SetParam", "track": "voice", ...}`: the same form on
the ring between processes, in the journal, and when a journal is replayed. Mel frames travel as base64 of
little-endian float32, so that every bit survives.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np

from synthhost.core.arrays import Features
from synthhost.core.errors import RecordingError
from synthhost.core.options import OptionValue

NOW = -1
"""`at_sample` of a command that takes effect when it arrives."""

MASTER = "master"
"""The name that stands for the master bus where a track is named."""


@dataclass(frozen=True, slots=True)
class SetParam:
    """Move one parameter of one track, or of the master bus, to a value in its own unit."""

    track: str
    param: str
    value: float
    at_sample: int = NOW
    origin: int = 0  # which client asked, for replies; 0 is nobody


@dataclass(frozen=True, slots=True)
class PushMel:
    """Hand mel frames `[bands, frames]` to a track whose source takes them."""

    track: str
    index: int | None
    frames: Features
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Trigger:
    """Begin a clip on a track whose model makes clips."""

    track: str
    key: float | None  # of a note, 0 to 127 with fractions; None: no note
    velocity: float  # 0 to 1, the clip's level
    latent: tuple[float, ...] | None  # what it is made of; None: drawn
    choke: int = 0  # a group whose earlier clips it silences; 0: none
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class NoteOff:
    """End a note: clips of its key fade, where the preset lets them."""

    track: str
    key: float
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class LoadTape:
    """Put another sound file on a track's tape, slot "a" or "b"."""

    track: str
    slot: str
    path: str
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class LoadPreset:
    """Change a track to a preset: prepared beside the playing one, then crossfaded in."""

    track: str
    name: str
    body: dict[str, Any]  # the whole preset with absolute sound paths, so that a journal needs no preset file
    crossfade_ms: float
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class CuePreset:
    """Play a candidate preset on the cue bus beside the track, under the track's live controls."""

    track: str
    name: str
    body: dict[str, Any]
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class SetOption:
    """Build a track's model anew under another option, such as fewer steps, then crossfade to it."""

    track: str
    option: str
    value: OptionValue
    crossfade_ms: float
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class TakeRung:
    """Build a track's model anew on another rung of its preset's ladder, then crossfade to it.

    It gives way to whatever else changes the track meanwhile.
    """

    track: str
    rung: int  # 0: as the preset says
    why: str  # for people
    crossfade_ms: float
    at_sample: int = NOW
    origin: int = 0
    preset: str = (
        ""  # whose rung it is; "", as older journals say, of what plays, and it gives way to nothing
    )


@dataclass(frozen=True, slots=True)
class CommitCue:
    """Crossfade the track to the candidate that was auditioned."""

    track: str
    crossfade_ms: float
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class DropCue:
    """Fade the candidate out and forget it."""

    track: str
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Activate:
    """What an earlier command asked to be loaded takes its place now (`ticket` numbers that command).

    `details` say what was found while loading and is needed to do it again: chunk size and hashes.
    """

    ticket: int
    details: dict[str, Any]
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Panic:
    """Silence every track within a few milliseconds and forget all tails."""

    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class StartRecording:
    """Begin to write stems into a new folder."""

    folder: str
    format: str
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class StopRecording:
    """Close the stems."""

    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Sync:
    """Ask for a `Synced` event once everything sent before has taken effect or been placed."""

    token: int
    at_sample: int = NOW
    origin: int = 0


Command: TypeAlias = (
    SetParam
    | PushMel
    | Trigger
    | NoteOff
    | LoadTape
    | LoadPreset
    | SetOption
    | TakeRung
    | CuePreset
    | CommitCue
    | DropCue
    | Activate
    | Panic
    | StartRecording
    | StopRecording
    | Sync
)


@dataclass(frozen=True, slots=True)
class Accepted:
    """A command took effect at `at_sample` (inside `command`); a line of the journal."""

    command: Command
    late_samples: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A command could not be carried out."""

    origin: int
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class Synced:
    """Everything sent before the `Sync` with this token has been taken."""

    origin: int
    token: int


@dataclass(frozen=True, slots=True)
class Notice:
    """Something a person may want to know: a late block with its cause, a full disk, a lost device."""

    kind: str
    text: str
    at_sample: int


Event: TypeAlias = Accepted | Failed | Synced | Notice

_KINDS = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            SetParam,
            PushMel,
            Trigger,
            NoteOff,
            LoadTape,
            LoadPreset,
            SetOption,
            TakeRung,
            CuePreset,
            CommitCue,
            DropCue,
            Activate,
            Panic,
            StartRecording,
            StopRecording,
            Sync,
            Accepted,
            Failed,
            Synced,
            Notice,
        )
    }
)
_FIELDS = MappingProxyType(
    {name: tuple(field.name for field in fields(kind)) for name, kind in _KINDS.items()}
)


def as_plain(message: Command | Event) -> dict[str, Any]:
    """Return the message as a JSON-ready mapping."""
    name = type(message).__name__
    plain: dict[str, Any] = {"do": name}
    for field in _FIELDS[name]:
        value = getattr(message, field)
        if field == "frames":
            value = {"bands": value.shape[0], "f32": _pack(value)}
        elif field == "command":
            value = as_plain(value)
        plain[field] = value
    return plain


def from_plain(plain: dict[str, Any]) -> Command | Event:
    """Read what `as_plain` wrote.

    Raises:
        RecordingError: It is not a message this version knows.
    """
    try:
        name = plain["do"]
        values = {field: plain[field] for field in _FIELDS[name] if field in plain}
        if "frames" in values:
            values["frames"] = _unpack(values["frames"])
        if values.get("latent") is not None:
            values["latent"] = tuple(values["latent"])
        if "command" in values:
            values["command"] = from_plain(values["command"])
        message: Command | Event = _KINDS[name](**values)
    except (KeyError, TypeError, ValueError, AttributeError, binascii.Error) as error:
        raise RecordingError(
            f"not a message this version of synthhost knows: {str(plain)[:120]}. "
            "Was it written by a newer version?"
        ) from error
    return message


def encode(messages: list[Command] | list[Event]) -> bytes:
    """Return messages that belong together (one bundle) as bytes for a ring."""
    return json.dumps([as_plain(message) for message in messages], separators=(",", ":")).encode()


def decode(record: bytes) -> list[Command | Event]:
    """Read what `encode` wrote."""
    return [from_plain(plain) for plain in json.loads(record)]


def _pack(frames: Features) -> str:
    return base64.b64encode(np.ascontiguousarray(frames.T, dtype="<f4").tobytes()).decode()


def _unpack(packed: dict[str, Any]) -> Features:
    flat = np.frombuffer(base64.b64decode(packed["f32"], validate=True), dtype="<f4")
    frames: Features = np.ascontiguousarray(flat.reshape(-1, int(packed["bands"])).T, dtype=np.float32)
    return frames
