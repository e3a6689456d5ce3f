"""Changes that must be loaded first: asked for under a ticket, prepared elsewhere, activated at a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from synthhost.core.errors import ConfigError, RecordingError
from synthhost.core.messages import (
    Activate,
    Command,
    CuePreset,
    Event,
    Failed,
    LoadPreset,
    LoadTape,
    SetOption,
    StartRecording,
    TakeRung,
)
from synthhost.core.options import options_of, settled
from synthhost.engine.answers import address_of
from synthhost.engine.loading import (
    Job,
    Loaded,
    Loader,
    Prepared,
    Stems,
    StemsJob,
    TapeJob,
    TapePlayer,
    VoiceJob,
)
from synthhost.engine.track import Track

Change = LoadPreset | SetOption | TakeRung | CuePreset | LoadTape | StartRecording

MOST_PENDING = 4
"""So many changes of one track may be loading at a time; more would come long after they were asked for."""

_NO_TAPE = "the track's present preset plays no tape; change to one that does first"


@dataclass(slots=True)
class _Pending:
    """Something being loaded: what asked for it, and what was changed meanwhile."""

    command: Change
    job: Job
    playing: Prepared | None  # on its track when it was asked for
    values: dict[str, float] = field(default_factory=dict)  # parameters moved since, each in its own unit
    loaded: Loaded | None = None


class Changes:
    """Numbers what is asked for, has it loaded, and puts it in its place when it is activated.

    Args:
        tracks: By name.
        loader: Does the work elsewhere.
        emit: Takes answers.
        begin_recording: Called with open stems.
        checked: Whether what is loaded must be what the activation describes (in a replay).
    """

    def __init__(
        self,
        tracks: Mapping[str, Track],
        loader: Loader,
        emit: Callable[[Event], None],
        begin_recording: Callable[[Stems], None],
        *,
        checked: bool,
    ) -> None:
        self._tracks = tracks
        self._loader = loader
        self._emit = emit
        self._begin_recording = begin_recording
        self._checked = checked
        self._tickets = 0
        self._pending: dict[int, _Pending] = {}

    def refuses(self, command: Command) -> bool:
        """Whether a command asks for one change too many, which is answered.

        It depends on how fast things are loaded, so what is refused is nothing a replay may see: it takes
        no ticket. [render thread]
        """
        if self._checked or not isinstance(command, Change):
            return False
        track = getattr(command, "track", None)
        loading = sum(getattr(one.command, "track", None) == track for one in self._pending.values())
        if loading < MOST_PENDING:
            return False
        self._fail(command, f"still loading {loading} changes asked for before it; send it again later")
        return True

    @property
    def waiting(self) -> list[str]:
        """Return the addresses of what has not taken its place yet, in order. [render thread]"""
        return [address_of(one.command) for one in self._pending.values()]

    def ask(self, command: Change) -> None:
        """Have something loaded, under the next ticket. [render thread]"""
        self._tickets += 1  # also when it fails at once: a replay counts the same
        job = self._job_for(command, self._tickets)
        if job is not None:
            track = self._tracks.get(getattr(command, "track", ""))
            self._pending[self._tickets] = _Pending(command, job, track.playing if track else None)
            self._loader.ask(job)

    def note_param(self, track: str, name: str, value: float) -> None:
        """Remember a value for the voices that are still being loaded for a track. [render thread]"""
        for pending in self._pending.values():
            if getattr(pending.command, "track", None) == track:
                pending.values[name] = value

    def collect(self) -> list[Activate]:
        """Answer what failed; return the commands that put what is ready in its place. [render thread]"""
        ready = []
        while (loaded := self._loader.finished()) is not None:
            pending = self._pending[loaded.ticket]
            pending.loaded = loaded
            if loaded.error is not None:
                del self._pending[loaded.ticket]
                self._fail(pending.command, str(loaded.error))
            else:
                ready.append(Activate(loaded.ticket, loaded.details, origin=pending.command.origin))
        return ready

    def activate(self, command: Activate) -> None:
        """Put what was loaded under a ticket in its place now.

        Raises:
            RecordingError: In a replay, what is loaded is not what the journal describes.

        [render thread]
        """
        pending = self._pending.get(command.ticket)
        if pending is None or pending.loaded is None:
            self._miss(command)
            return
        del self._pending[command.ticket]
        asked, loaded = pending.command, pending.loaded
        if self._checked and loaded.details != command.details:
            raise RecordingError(_difference(asked, loaded.details, command.details))
        if isinstance(asked, StartRecording):
            self._begin_recording(loaded.result)
        elif isinstance(asked, LoadTape):
            self._put_tape(asked, pending.job, loaded.result)
        elif isinstance(asked, TakeRung) and self._gives_way(asked, pending.playing):
            self._loader.retire(loaded.result)
        else:
            self._arrive(asked, loaded.result, pending.values)

    def _miss(self, command: Activate) -> None:
        reason = f"nothing was loaded under ticket {command.ticket}"
        if self._checked:
            raise RecordingError(
                f"{reason}, which the journal puts in its place at sample {command.at_sample}. "
                "Commands are missing from the journal before that; the rest would not be what was played."
            )
        self._emit(Failed(command.origin, "", reason))

    def _job_for(self, command: Change, ticket: int) -> Job | None:
        if isinstance(command, StartRecording):
            return StemsJob(ticket, command.folder, command.format)
        track = self._tracks.get(command.track)
        if track is None:
            self._fail(command, "there is no such track")
        elif isinstance(command, LoadTape):
            if _tape_player(track, command.slot) is not None:
                return TapeJob(ticket, track.playing.voice.runner.spec.mel, command.path)
            self._fail(command, _NO_TAPE)
        elif isinstance(command, SetOption):
            return self._option_job(command, track, ticket)
        elif isinstance(command, TakeRung):
            return self._rung_job(command, track, ticket)
        else:
            return VoiceJob(ticket, track.body_here(command.body), track.live_values())
        return None

    def _option_job(self, command: SetOption, track: Track, ticket: int) -> Job | None:
        """Return the job of building what plays anew, where everything stands as it does now."""
        body = track.playing.body
        given = {**options_of(body), command.option: command.value}
        if not self._settles(command, track, given):
            return None
        fresh: dict[str, Any] = {**body, "options": given}
        if body.get("ladder"):  # what is said by hand is its new top, on the lowest rung too
            fresh |= {"ladder": body["ladder"][body.get("rung", 0) :], "rung": 0}
        return self._anew(ticket, track, fresh)

    def _rung_job(self, command: TakeRung, track: Track, ticket: int) -> Job | None:
        """Return the job of building what plays anew on another rung of its ladder."""
        if self._gives_way(command, track.playing):
            return None
        body = track.playing.body
        rungs = len(body.get("ladder") or ())
        if not 0 <= command.rung <= rungs:
            self._fail(command, f"the track's present preset has {rungs} rungs, none is {command.rung}")
            return None
        if not self._settles(command, track, options_of(body, command.rung)):
            return None
        return self._anew(ticket, track, {**body, "rung": command.rung})

    def _gives_way(self, command: TakeRung, then: Prepared | None) -> bool:
        """Whether something else has come, or is to come, in place of the voice a rung is for; answered."""
        track = self._tracks[command.track]
        same = track.playing is then and track.playing.name == command.preset
        if not command.preset or (same and not track.awaits):
            return False
        self._fail(command, f"the track has been changed meanwhile, so rung {command.rung} is not taken")
        return True

    def _settles(self, command: Change, track: Track, given: Mapping[str, Any]) -> bool:
        """Whether options are such as the track's model has; what is wrong with them is answered."""
        try:
            settled(track.playing.option_specs, given, "the track's model")
        except ConfigError as error:
            self._fail(command, str(error))
            return False
        return True

    @staticmethod
    def _anew(ticket: int, track: Track, body: dict[str, Any]) -> Job:
        values = {**track.playing.values, **track.live_values()}
        return VoiceJob(ticket, body, values, kept=True)

    def _arrive(
        self,
        asked: LoadPreset | SetOption | TakeRung | CuePreset,
        prepared: Prepared,
        changed: Mapping[str, float],
    ) -> None:
        for name, value in changed.items():
            if isinstance(asked, SetOption | TakeRung) or not name.startswith("fx."):
                prepared.set_param(name, value)
        track = self._tracks[asked.track]
        if isinstance(asked, CuePreset):
            track.audition(prepared)
        else:
            track.rung_reason = asked.why if isinstance(asked, TakeRung) else ""
            track.swap(prepared, asked.crossfade_ms)

    def _put_tape(self, asked: LoadTape, job: Job, tape: Any) -> None:
        track = self._tracks[asked.track]
        player = _tape_player(track, asked.slot)
        assert isinstance(job, TapeJob)
        if player is None:
            self._fail(asked, _NO_TAPE)
        elif job.mel != track.playing.voice.runner.spec.mel:
            self._fail(asked, "the track has changed to another model meanwhile; load the tape again")
        else:
            self._loader.retire(player.tapes[asked.slot])
            player.put_tape(asked.slot, tape)
            return
        self._loader.retire(tape)

    def _fail(self, command: Change, reason: str) -> None:
        self._emit(Failed(command.origin, address_of(command), reason))


def _difference(asked: Change, now: Mapping[str, Any], then: Mapping[str, Any]) -> str:
    """Return a sentence on what differs between what is loaded and what the journal describes."""
    found, wanted = _flat(now), _flat(then)
    parts = (
        f"{name} is {found.get(name, 'missing')}, then {wanted.get(name, 'missing')}"
        for name in sorted(found.keys() | wanted.keys())
        if found.get(name) != wanted.get(name)
    )
    model = f" (model {now['model']})" if "model" in now else ""
    return (
        f"{address_of(asked)}: what is loaded now{model} differs from the journal: {'; '.join(parts)}. "
        "Put the file or model back that the session played, to hear the same again."
    )


def _flat(details: Mapping[str, Any]) -> dict[str, str]:
    """Return details by one name each, such as "sounds /a.wav"."""
    flat = {}
    for name, value in details.items():
        if isinstance(value, dict) and value:
            flat.update({f"{name} {key}": str(one) for key, one in value.items()})
        else:
            flat[name] = str(value)
    return flat


def _tape_player(track: Track, slot: str) -> TapePlayer | None:
    source: Any = track.playing.voice.source
    return source if isinstance(source, TapePlayer) and slot in source.tapes else None
