"""What is prepared beside the render thread: voices, tapes and stem writers, each under a ticket."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from synthhost.core.arrays import Audio
from synthhost.core.computing import Computed
from synthhost.core.errors import ModelError, SynthhostError
from synthhost.core.options import OptionSpec, OptionValue, model_of
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec
from synthhost.engine.sounding import Sounding


@dataclass(frozen=True, slots=True)
class VoiceJob:
    """Build a voice from a preset, warmed on the values the track had when it was asked for."""

    ticket: int
    body: dict[str, Any]
    values: dict[str, float]
    kept: bool = False  # whether the values hold against what the preset says: it is the one that plays


@dataclass(frozen=True, slots=True)
class TapeJob:
    """Read a sound file into a tape for a source that plays tapes."""

    ticket: int
    mel: MelSpec | None
    path: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class StemsJob:
    """Open stem files in a new folder."""

    ticket: int
    folder: str
    format: str


Job = VoiceJob | TapeJob | StemsJob


class Stems(Protocol):
    """Open stem files that take blocks without waiting."""

    folder: str

    @property
    def drops(self) -> int:
        """Return how many blocks a full tap had to leave out. [render thread]"""

    @property
    def error(self) -> str | None:
        """Return what ended the recording early, or None. [any thread]"""

    def begin(self, start_sample: int) -> None:
        """Say where in time the first block lies. [render thread]"""

    def write(self, name: str, block: Audio) -> None:
        """Hand a block `[channels, samples]` to one stem. [render thread]"""

    def end(self, end_sample: int) -> None:
        """Say that nothing follows; another thread closes the files. [render thread]"""


@runtime_checkable
class TapePlayer(Protocol):
    """A source that plays tapes from slots."""

    @property
    def tapes(self) -> Mapping[Any, Any]:
        """Return what is in the slots now. [render thread]"""

    def put_tape(self, slot: Any, tape: Any) -> None:
        """Play another tape from the next frame on. [render thread]"""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a job came to: a voice, a tape, open stems, or the error that stopped it."""

    ticket: int
    result: Any
    error: SynthhostError | None = None
    details: dict[str, Any] = field(default_factory=dict)  # what a replay must know to load the same


class Loader(Protocol):
    """Carries out jobs: on a thread of its own while playing live, at once when rendering offline."""

    def ask(self, job: Job) -> None:
        """Queue a job. [render thread]"""

    def finished(self) -> Loaded | None:
        """Return one finished job, or None. [render thread]"""

    def retire(self, thing: Any) -> None:
        """Let go of something somewhere else than on the render thread. [render thread]"""


@dataclass(slots=True)
class Prepared:
    """A voice ready to sound, with what it was made from."""

    name: str
    body: dict[str, Any]
    voice: Sounding
    values: dict[str, float]  # of every source and chain parameter, in its own unit
    specs: dict[str, ParamSpec]
    option_specs: tuple[OptionSpec, ...] = ()  # of its model
    options: Mapping[str, OptionValue] = field(default_factory=dict)  # where they stand
    computed: Computed | None = None  # by what, and why; None of what is no loaded model

    @property
    def model_reference(self) -> str:
        """Return the model with its options, as one name. [any thread]"""
        return model_of(self.body)

    def set_param(self, name: str, value: float) -> bool:
        """Move a parameter, held to its range; False if there is none so named or its model refuses.

        [render thread]
        """
        spec = self.specs.get(name)
        if spec is None:
            return False
        held = spec.clamp(value)
        try:
            self.voice.set_param(name, held)
        except ModelError:
            return False
        self.values[name] = held
        return True
