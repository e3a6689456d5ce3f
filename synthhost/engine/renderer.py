"""The render loop's body: commands in, one block out, whatever the clock and the sink."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.messages import (
    MASTER,
    NOW,
    Accepted,
    Activate,
    Command,
    CommitCue,
    CuePreset,
    DropCue,
    Event,
    Failed,
    LoadPreset,
    LoadTape,
    Notice,
    Panic,
    PushMel,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    Synced,
)
from synthhost.core.timebase import samples_to_ms
from synthhost.engine.buses import Bus
from synthhost.engine.loading import Job, Loaded, Loader, Prepared, Stems, StemsJob, TapeJob, VoiceJob
from synthhost.engine.meters import measure
from synthhost.engine.strip import STRIP_SPECS
from synthhost.engine.track import Track

CHANNELS = 4  # master left and right, cue left and right


class Queue(Protocol):
    """Commands by time, cut at block edges."""

    late: int
    worst_late_samples: int
    merged_cuts: int
    refused: int

    def push(self, command: Command) -> bool:
        """Place a command; False when there is no room. [render thread]"""

    def push_bundle(self, commands: Sequence[Command]) -> bool:
        """Place commands that belong together, all or none. [render thread]"""

    def due(self, first_sample: int, n_samples: int) -> list[tuple[int, list[Command]]]:
        """Return the block's commands by their offset in it. [render thread]"""

    def __len__(self) -> int: ...


@dataclass(slots=True)
class _Pending:
    """Something being loaded: what asked for it, and what changed meanwhile."""

    command: LoadPreset | CuePreset | LoadTape | StartRecording
    changes: list[tuple[str, float]] = field(default_factory=list)
    loaded: Loaded | None = None


class Renderer:
    """Tracks, buses and their commands. One thread calls it; the same calls give the same samples.

    Args:
        tracks: In the order of the set.
        master: Sums what is heard.
        cue: Sums what is auditioned.
        queue: Where commands wait for their sample.
        loader: Prepares what is not at hand.
        emit: Takes events for the control side and the journal.
        sample_rate: Of the engine.
        block_samples: The longest block `render` is asked for.
        self_activating: Whether what is loaded takes its place at once; False when a journal says when.
    """

    def __init__(
        self,
        tracks: Sequence[Track],
        master: Bus,
        cue: Bus,
        queue: Queue,
        loader: Loader,
        emit: Callable[[Event], None],
        *,
        sample_rate: int,
        block_samples: int,
        self_activating: bool = True,
    ) -> None:
        self.tracks = tracks
        self.master = master
        self.cue = cue
        self.sample = 0
        self.applied = 0  # commands that took effect
        self.revision = 0  # grows when the description has changed
        self.stems: Stems | None = None
        self.model_seconds = 0.0  # spent in models during the last block
        self.sample_rate = sample_rate
        self._by_name = {track.name: track for track in tracks}
        self._queue = queue
        self._loader = loader
        self._emit = emit
        self._self_activating = self_activating
        self._tickets = 0
        self._pending: dict[int, _Pending] = {}
        self._wet = np.zeros((len(tracks), 2, block_samples), dtype=np.float32)
        self._dry = np.zeros((len(tracks), block_samples), dtype=np.float32)
        self._cued = np.zeros((2, block_samples), dtype=np.float32)
        self._handlers: dict[type, Callable[[Any], None]] = {
            SetParam: self._set_param,
            PushMel: self._push_mel,
            LoadTape: self._load,
            LoadPreset: self._load,
            CuePreset: self._load,
            CommitCue: self._commit,
            DropCue: self._drop,
            Activate: self._activate,
            Panic: self._panic,
            StartRecording: self._load,
            StopRecording: self._stop_recording,
            Sync: self._sync,
        }

    def receive(self, commands: Sequence[Command]) -> None:
        """Place commands that belong together; those that find no room are answered. [render thread]"""
        if not self._queue.push_bundle(commands):
            reason = "the engine's queue is full or the time too far ahead; send later"
            self._emit(Failed(commands[0].origin, "", reason))

    def render(self, out: Audio) -> None:
        """Write the next block, `out` `[4, samples]`: master and cue, left and right. [render thread]"""
        count = out.shape[1]
        self._collect_loaded()
        self.master.begin()
        self.cue.begin()
        begin = 0
        for offset, commands in self._queue.due(self.sample, count):
            self._render_tracks(begin, offset)
            begin = offset
            for command in commands:
                self._apply(command, self.sample + offset)
        self._render_tracks(begin, count)
        self.master.finish(out[:2])
        self.cue.finish(out[2:])
        self._write_stems(out)
        self.sample += count
        self.model_seconds = sum(track.take_cost() for track in self.tracks)

    def _render_tracks(self, begin: int, end: int) -> None:
        if end <= begin:
            return
        part = slice(begin, end)
        for index, track in enumerate(self.tracks):
            wet = self._wet[index, :, part]
            track.render(wet, self._dry[index, part], self._cued[:, part])
            self.master.sum[:, part] += wet
            self.cue.sum[:, part] += self._cued[:, part]
        self.master.strip.apply(self.master.sum[:, part])

    def _write_stems(self, out: Audio) -> None:
        stems = self.stems
        if stems is None:
            return
        count = out.shape[1]
        for index, track in enumerate(self.tracks):
            stems.write(f"{track.name}-dry", self._dry[index : index + 1, :count])
            stems.write(f"{track.name}-wet", self._wet[index, :, :count])
        stems.write("master", out[:2])
        stems.write("cue", out[2:])

    def _apply(self, command: Command, at_sample: int) -> None:
        placed = replace(command, at_sample=at_sample)
        self._handlers[type(command)](placed)
        self.applied += 1
        if not isinstance(command, Sync):
            late_samples = 0 if command.at_sample == NOW else max(at_sample - command.at_sample, 0)
            self._emit(Accepted(placed, late_samples))

    def show(self, status: Any) -> None:
        """Write meters and counts to the status page, after a block. [render thread]"""
        queue = self._queue
        status["late_commands"] = queue.late
        status["worst_command_late_ms"] = samples_to_ms(queue.worst_late_samples, self.sample_rate)
        status["merged_cuts"] = queue.merged_cuts
        status["queued_commands"] = len(queue)
        status["refused_commands"] = queue.refused
        status["commands"] = self.applied
        status["reduction_db"] = self.master.limiter.reduction_db
        status["recording"] = int(self.stems is not None)
        if self.stems is not None:
            status["tap_drops"] = self.stems.drops
        for index, track in enumerate(self.tracks):
            shown = status.track(index)
            measure(self._wet[index], shown["peak"], shown["rms"])
            shown["held_frames"] = track.counters().get("held_frames", 0)

    def _track(self, command: Any) -> Track | None:
        track = self._by_name.get(command.track)
        if track is None:
            self._emit(Failed(command.origin, f"/track/{command.track}", "there is no such track"))
        return track

    def _set_param(self, command: SetParam) -> None:
        if not math.isfinite(command.value):
            self._emit(Failed(command.origin, command.param, "the value is not a finite number"))
        elif command.track == MASTER:
            if command.param == "gain_db":
                self.master.strip.set_param("gain_db", STRIP_SPECS["gain_db"].clamp(command.value))
        elif (track := self._track(command)) is not None:
            if not track.set_param(command.param, command.value):
                reason = "the track's present preset has no such parameter"
                self._emit(Failed(command.origin, f"/track/{track.name}/param/{command.param}", reason))
            for pending in self._pending.values():
                if getattr(pending.command, "track", None) == track.name:
                    pending.changes.append((command.param, command.value))
            if command.param == "solo":
                self.apply_solo()

    def apply_solo(self) -> None:
        any_solo = any(track.strip.values["solo"] for track in self.tracks)
        for track in self.tracks:
            track.strip.silence(any_solo and not track.strip.values["solo"])

    def _push_mel(self, command: PushMel) -> None:
        track = self._track(command)
        if track is not None:
            track.push_frames(command.index, command.frames)

    def _load(self, command: LoadPreset | CuePreset | LoadTape | StartRecording) -> None:
        self._tickets += 1
        job = self._job_for(command, self._tickets)
        if job is not None:
            self._pending[self._tickets] = _Pending(command)
            self._loader.ask(job)

    def _job_for(
        self, command: LoadPreset | CuePreset | LoadTape | StartRecording, ticket: int
    ) -> Job | None:
        if isinstance(command, StartRecording):
            return StemsJob(ticket, command.folder, command.format)
        track = self._track(command)
        if track is None:
            return None
        if isinstance(command, LoadTape):
            return TapeJob(ticket, track.playing.voice.runner.spec.mel, command.path)
        return VoiceJob(ticket, command.body, track.live_values())

    def _collect_loaded(self) -> None:
        while (loaded := self._loader.finished()) is not None:
            pending = self._pending.get(loaded.ticket)
            if pending is None:
                continue
            if loaded.error is not None:
                del self._pending[loaded.ticket]
                self._emit(Failed(pending.command.origin, _address_of(pending.command), str(loaded.error)))
                continue
            pending.loaded = loaded
            if self._self_activating:
                self.receive([Activate(loaded.ticket, loaded.details, NOW, pending.command.origin)])

    def _activate(self, command: Activate) -> None:
        self._collect_loaded()
        pending = self._pending.pop(command.ticket, None)
        if pending is None or pending.loaded is None:
            self._emit(Failed(command.origin, "", f"nothing was loaded under ticket {command.ticket}"))
            return
        if not self._self_activating and pending.loaded.details != command.details:
            reason = f"what is loaded now differs from the journal: {pending.loaded.details}"
            self._emit(Failed(command.origin, _address_of(pending.command), reason))
        asked, result = pending.command, pending.loaded.result
        self.revision += 1
        if isinstance(asked, StartRecording):
            self.begin_recording(result)
            return
        track = self._by_name[asked.track]
        if isinstance(asked, LoadTape):
            put_tape: Any = track.playing.voice.source
            put_tape.put_tape(asked.slot, result)
            return
        self._arrive(track, asked, result, pending.changes)

    def _arrive(
        self,
        track: Track,
        asked: LoadPreset | CuePreset,
        prepared: Prepared,
        changes: list[tuple[str, float]],
    ) -> None:
        for name, value in changes:
            if not name.startswith("fx."):
                prepared.set_param(name, value)
        if isinstance(asked, CuePreset):
            track.audition(prepared)
        else:
            track.swap(prepared, asked.crossfade_ms)

    def _commit(self, command: CommitCue) -> None:
        self._with_candidate(command, lambda track: track.commit(command.crossfade_ms))

    def _drop(self, command: DropCue) -> None:
        self._with_candidate(command, Track.drop)

    def _with_candidate(self, command: CommitCue | DropCue, act: Callable[[Track], bool]) -> None:
        track = self._track(command)
        if track is None:
            return
        if not act(track):
            reason = f"nothing is being auditioned; send /track/{track.name}/cue NAME first"
            self._emit(Failed(command.origin, f"/track/{track.name}/cue", reason))
        self.revision += 1

    def _panic(self, command: Panic) -> None:
        for track in self.tracks:
            track.panic()

    def begin_recording(self, stems: Stems) -> None:
        """Write stems from the next block on, in place of earlier ones. [render thread]"""
        if self.stems is not None:
            self.stems.end(self.sample)
        self.stems = stems
        self._emit(Notice("recording", stems.folder, self.sample))

    def _stop_recording(self, command: StopRecording) -> None:
        if self.stems is None:
            self._emit(Failed(command.origin, "/record/stop", "nothing is being recorded"))
            return
        self.end_recording()

    def end_recording(self) -> None:
        """Let the stems end with the block before. [render thread]"""
        assert self.stems is not None
        self.stems.end(self.sample)
        self._loader.retire(self.stems)
        self.stems = None
        self.revision += 1

    def _sync(self, command: Sync) -> None:
        self._emit(Synced(command.origin, command.token))


def _address_of(command: LoadPreset | CuePreset | LoadTape | StartRecording) -> str:
    if isinstance(command, StartRecording):
        return "/record/start"
    verb = {LoadPreset: "preset", CuePreset: "cue", LoadTape: "tape/load"}[type(command)]
    return f"/track/{command.track}/{verb}"
