"""The render loop's body: commands in, one block out, whatever the clock and the sink."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
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
    NoteOff,
    Notice,
    Panic,
    PushMel,
    SetOption,
    SetParam,
    StartRecording,
    StopRecording,
    Sync,
    Synced,
    TakeRung,
    Trigger,
)
from synthhost.core.timebase import samples_to_ms
from synthhost.engine.answers import address_of, is_finite
from synthhost.engine.buses import Bus
from synthhost.engine.changes import Changes
from synthhost.engine.loading import Loader, Stems
from synthhost.engine.meters import measure
from synthhost.engine.strip import STRIP_SPECS
from synthhost.engine.track import Track
from synthhost.engine.voice import take_joint_steps

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
        self.stems: Stems | None = None
        self.model_seconds = 0.0  # spent in models during the last block
        self.sample_rate = sample_rate
        self._by_name = {track.name: track for track in tracks}
        self._queue = queue
        self._loader = loader
        self._emit = emit
        self._self_activating = self_activating
        self._revision = 0
        self._last_samples = block_samples  # of the last block
        self._changes = Changes(
            self._by_name, loader, emit, self.begin_recording, checked=not self_activating
        )
        self._wet = np.zeros((len(tracks), 2, block_samples), dtype=np.float32)
        self._dry = np.zeros((len(tracks), block_samples), dtype=np.float32)
        self._cued = np.zeros((len(tracks), 2, block_samples), dtype=np.float32)
        self._handlers: dict[type, Callable[[Any], None]] = {
            SetParam: self._set_param,
            PushMel: self._push_mel,
            Trigger: self._trigger,
            NoteOff: self._release,
            LoadTape: self._changes.ask,
            LoadPreset: self._changes.ask,
            SetOption: self._changes.ask,
            TakeRung: self._changes.ask,
            CuePreset: self._changes.ask,
            CommitCue: self._commit,
            DropCue: self._drop,
            Activate: self._activate,
            Panic: self._panic,
            StartRecording: self._changes.ask,
            StopRecording: self._stop_recording,
            Sync: self._sync,
        }

    @property
    def revision(self) -> int:
        """Return a number that grows when the description has changed. [render thread]"""
        return self._revision + sum(track.revision for track in self.tracks)

    @property
    def waiting(self) -> list[str]:
        """Return the addresses of loads and takes that have not taken their place yet. [render thread]"""
        return self._changes.waiting

    def receive(self, commands: Sequence[Command]) -> None:
        """Place commands that belong together; what cannot be placed is answered. [render thread]"""
        for command in commands:
            if not is_finite(command):  # refused here: it must neither cut a block nor enter a journal
                self._fail(command, "a number in it is not finite")
        if not self._queue.push_bundle([command for command in commands if is_finite(command)]):
            reason = "the engine's queue is full or the time too far ahead; send later"
            self._emit(Failed(commands[0].origin, "", reason))

    def render(self, out: Audio) -> None:
        """Write the next block, `out` `[4, samples]`: master and cue, left and right. [render thread]"""
        count = out.shape[1]
        for activation in self._changes.collect():
            if self._self_activating:
                self._apply(activation, self.sample)
        self.master.begin()
        self.cue.begin()
        begin = 0
        for offset, commands in self._queue.due(self.sample, count):
            for command in commands:
                if self._changes.refuses(command):
                    continue
                if not isinstance(command, Sync):  # which no replay will see, so it must not cut
                    self._render_tracks(begin, offset)
                    begin = offset
                self._apply(command, self.sample + offset)
        self._render_tracks(begin, count)
        self.master.finish(out[:2])
        self.cue.finish(out[2:])
        self._write_stems(out)
        self.sample += count
        self._last_samples = count
        self.model_seconds = sum(track.take_cost() for track in self.tracks)

    def _render_tracks(self, begin: int, end: int) -> None:
        if end <= begin:
            return
        part = slice(begin, end)
        take_joint_steps([voice for track in self.tracks for voice in track.sounding()], end - begin)
        for index, track in enumerate(self.tracks):
            wet = self._wet[index, :, part]
            cue = self._cued[index, :, part]
            track.render(wet, self._dry[index, part], cue)
            self.master.sum[:, part] += wet
            self.cue.sum[:, part] += cue
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

    @property
    def bad_samples(self) -> int:
        """Return how many samples were not finite so far, and replaced by silence. [render thread]"""
        buses = self.master.limiter.bad_samples + self.cue.limiter.bad_samples
        return buses + sum(track.bad_samples for track in self.tracks)

    def show(self, status: Any) -> None:
        """Write meters and counts to the status page, after a block. [render thread]"""
        queue = self._queue
        status["late_commands"] = queue.late
        status["worst_command_late_ms"] = samples_to_ms(queue.worst_late_samples, self.sample_rate)
        status["merged_cuts"] = queue.merged_cuts
        status["queued_commands"] = len(queue)
        status["refused_commands"] = queue.refused
        status["commands"] = self.applied
        status["bad_samples"] = self.bad_samples
        status["reduction_db"] = self.master.limiter.reduction_db
        status["recording"] = int(self.stems is not None and self.stems.error is None)
        if self.stems is not None:
            status["tap_drops"] = self.stems.drops
        for index, track in enumerate(self.tracks):
            shown = status.track(index)
            measure(self._wet[index, :, : self._last_samples], shown["peak"], shown["rms"])
            shown["cue_peak"] = np.max(np.abs(self._cued[index, :, : self._last_samples]))
            counts = track.counters()
            shown["held_frames"] = counts.get("missing", 0) + counts.get("starved", 0)

    def _track(self, command: Any) -> Track | None:
        track = self._by_name.get(command.track)
        if track is None:
            self._fail(command, "there is no such track")
        return track

    def _set_param(self, command: SetParam) -> None:
        if command.track == MASTER:
            self._set_master(command)
        elif (track := self._track(command)) is not None:
            if not track.set_param(command.param, command.value):
                self._fail(command, self._unset(track, command.param))
            self._changes.note_param(track.name, command.param, command.value)
            if command.param == "solo":
                self.apply_solo()

    @staticmethod
    def _unset(track: Track, param: str) -> str:
        if param in track.playing.specs:
            return "the model's own program refuses the value"
        return "the track's present preset has no such parameter"

    def _set_master(self, command: SetParam) -> None:
        if command.param == "gain_db":
            self.master.strip.set_param("gain_db", STRIP_SPECS["gain_db"].clamp(command.value))
        else:
            self._fail(command, "the master bus has no such parameter")

    def apply_solo(self) -> None:
        """Close every track that is not solo while one is. [render thread]"""
        any_solo = any(track.strip.values["solo"] for track in self.tracks)
        for track in self.tracks:
            track.strip.silence(any_solo and not track.strip.values["solo"])

    def _push_mel(self, command: PushMel) -> None:
        track = self._track(command)
        if track is not None and not track.push_frames(command.index, command.frames):
            bands = track.playing.voice.runner.spec.bands
            reason = f"the model takes {bands} bands a frame, these have {command.frames.shape[0]}"
            self._fail(command, reason)

    def _trigger(self, command: Trigger) -> None:
        self._answered(command, Track.trigger)

    def _release(self, command: NoteOff) -> None:
        self._answered(command, Track.release)

    def _answered(self, command: Any, act: Callable[[Track, Any], str | None]) -> None:
        """Let a track act; what it refuses is answered. [render thread]"""
        track = self._track(command)
        refused = None if track is None else act(track, command)
        if refused is not None:
            self._fail(command, refused)

    def _activate(self, command: Activate) -> None:
        if not self._self_activating:
            self._changes.collect()
        self._changes.activate(command)
        self._revision += 1

    def _commit(self, command: CommitCue) -> None:
        self._with_candidate(command, lambda track: track.commit(command.crossfade_ms))

    def _drop(self, command: DropCue) -> None:
        self._with_candidate(command, Track.drop)

    def _with_candidate(self, command: CommitCue | DropCue, act: Callable[[Track], bool]) -> None:
        track = self._track(command)
        if track is not None and not act(track):
            self._fail(command, f"nothing is being auditioned; send /track/{track.name}/cue NAME first")

    def _panic(self, command: Panic) -> None:
        for track in self.tracks:
            track.panic()

    def begin_recording(self, stems: Stems) -> None:
        """Write stems from the next block on, in place of earlier ones. [render thread]"""
        if self.stems is not None:
            self.end_recording()
        stems.begin(self.sample)
        self.stems = stems
        self._revision += 1
        self._emit(Notice("recording", stems.folder, self.sample))

    def _stop_recording(self, command: StopRecording) -> None:
        if self.stems is None:
            self._fail(command, "nothing is being recorded")
        else:
            self.end_recording()

    def end_recording(self) -> None:
        """Let the stems end with the block before. [render thread]"""
        assert self.stems is not None
        self.stems.end(self.sample)
        self._loader.retire(self.stems)
        self.stems = None
        self._revision += 1

    def _sync(self, command: Sync) -> None:
        self._emit(Synced(command.origin, command.token))

    def _fail(self, command: Command, reason: str) -> None:
        self._emit(Failed(command.origin, address_of(command), reason))
