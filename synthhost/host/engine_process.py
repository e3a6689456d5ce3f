"""The engine process: one render thread with all stream state, a loader and stem writers beside it."""

from __future__ import annotations

import sys
from collections import deque
from pathlib import Path
from time import monotonic, monotonic_ns, perf_counter, sleep
from typing import Any

import numpy as np
import torch

from synthhost.core.board import block_bucket
from synthhost.core.errors import ProcessError, SynthhostError
from synthhost.core.messages import Event, Notice, TakeRung, decode, encode
from synthhost.core.options import model_of
from synthhost.core.timebase import samples_to_ms
from synthhost.engine.loading import Job, VoiceJob
from synthhost.engine.meters import measure
from synthhost.engine.renderer import CHANNELS, Renderer
from synthhost.host.admission import Admission
from synthhost.host.assembly import describe, make_factory, make_renderer, stem_channels
from synthhost.host.chunking import choose_ahead_samples
from synthhost.host.gpus import gpus_in
from synthhost.host.joint import JointSteps
from synthhost.host.journal import header_of
from synthhost.host.lead import Lead
from synthhost.host.loader import ThreadedLoader, Workshop
from synthhost.host.plan import STRICT, Plan
from synthhost.host.processes import ParentWatch
from synthhost.host.realtime import RENDER_PRIORITY, go_before_others, go_realtime, quiet_collector
from synthhost.host.recording import Recording
from synthhost.host.rungs import begin_on_rungs
from synthhost.host.shared import Shared
from synthhost.host.silenced import Silenced
from synthhost.host.steering import Steering
from synthhost.host.verdicts import too_short

_COMMANDS_PER_BLOCK = 64  # taken out of the ring, or one bundle; a burst waits there
_SINK_SILENT_NS = 300_000_000  # a sink that has not asked for so long is gone: the engine keeps time itself
_SINK_GRACE_S = 15.0  # how long the first sink may take to open
_NOTICE_GAP_S = 1.0
# The render thread asks for the interpreter after each of a step's 150 operations. Beside Python that never
# rests a small model's step took 77 ms at p99 with 0.5 ms here, 14 ms with this, and 3 ms alone.
_SWITCH_S = 0.00002
_LONGEST_AHEAD_S = 2.0  # also for models so slow that they will never keep up


class LiveEngine:
    """Renders blocks ahead of the sink's clock, or at the computer's when there is no sink."""

    def __init__(self, plan: Plan, shared: Shared) -> None:
        self.plan = plan
        self._parent = ParentWatch()
        self._shared = shared
        self._status = shared.status
        self._gpus = gpus_in(plan)
        self._admission = Admission(plan, self._is_playing, self._say)
        self._admission.notes += go_before_others()  # the loader and the writers of stems too
        self._asides: deque[Event] = deque()  # from the loader's thread: the ring has one writer
        self._described = -1
        self._told_control = 0  # restarts of the control process that were given a fresh description
        self._late_noticed_s = 0.0
        self._wake_late_ms = 0.0
        self._silenced = Silenced()
        self._stems_error: str | None = None
        self._factory = factory = make_factory(
            plan, self._admission.chunk_of, self._admission.preferred, JointSteps(self._is_playing).told
        )
        self.plan, reasons = begin_on_rungs(plan, factory, self._admission)
        plan = self.plan
        self._workshop = Workshop(factory, self._open_stems)
        self._loader = ThreadedLoader(self._workshop, self._when_idle, self._before, self._say)
        self.renderer: Renderer = make_renderer(plan, factory, self._loader, self._emit, self_activating=True)
        for track in self.renderer.tracks:
            track.rung_reason = reasons.get(track.name, "")
        self._orders: deque[TakeRung] = deque()  # from the loader's thread
        self._stall_s = self._admission.stalls.stall_s
        fade_ms = float(plan.set["crossfade_ms"])
        lead = Lead(
            lambda: self._ms(self._least_ahead()),
            self._ms(plan.block_samples),
            self._admission.book.find_lead(),
            self._admission.book.keep_lead,
        )
        self._steering = Steering(
            self.renderer,
            self._admission,
            self._status,
            fade_ms,
            order=self._orders.append,
            say=self._say,
            lead=None if plan.ahead_samples else lead,
            stay_ahead=self._stay_ahead,
        )
        self._judge()
        least = self._least_ahead()
        if 0 < plan.ahead_samples < least:
            self._admission.notes.append(too_short(plan.ahead_samples, least, plan.sample_rate))
        self._ahead = plan.ahead_samples or self._whole_blocks(lead.first_ms)
        self._filled_ahead = 0  # the length that was asked for when the engine had last come so far ahead
        self._block = np.zeros((CHANNELS, plan.block_samples), dtype=np.float32)
        self._clock_s = 0.0
        self._clock_sample = 0

    def _judge(self) -> None:
        """Say what does not keep up; refuse to begin where that was asked for.

        Raises:
            ProcessError: The set does not keep up, and the plan is strict.
        """
        tracks = self.renderer.tracks
        left = any(track.rungs_left for track in tracks)
        verdicts = self._admission.verdicts(self._playing_models(), left=left)
        if verdicts and self.plan.admission == STRICT:
            raise ProcessError(" ".join(verdicts))
        self._admission.notes += verdicts

    def run(self) -> None:
        """Play until told to stop or the planned end."""
        if self.plan.record_folder is not None:
            self.renderer.begin_recording(self._open_stems(self.plan.record_folder, self.plan.record_format))
        self._status["ahead_samples"] = self._ahead
        self._publish()
        refused = go_realtime(RENDER_PRIORITY)
        self._admission.notes += refused
        self._status["realtime"] = int(not refused)
        while self._shared.audio.write_sample < self._ahead and not self._ended():
            self._turn(perf_counter())
        quiet_collector()
        self._described = -1
        self._status["engine_ready"] = 1
        self._wait_for_sink()
        while not self._ended():
            self._wait_for_room()
            self._turn(perf_counter())
        self._finish()

    def _ended(self) -> bool:
        planned = self.plan.stop_sample and self.renderer.sample >= self.plan.stop_sample
        return bool(planned or self._told_to_end())

    def _told_to_end(self) -> bool:
        return bool(self._status["stop"] or self._parent.orphaned)

    def _turn(self, begun_s: float) -> None:
        """Render one block and hand it over. [render thread]"""
        renderer, ring, status = self.renderer, self._shared.audio, self._status
        self._take_commands()
        while self._asides:
            self._emit(self._asides.popleft())
        while self._orders:
            self.renderer.receive([self._orders.popleft()])
        block, ahead = self._block, self._ahead  # once: the loader's thread changes it
        if self.plan.stop_sample:
            left = self.plan.stop_sample - renderer.sample
            block = block[:, : max(min(left, block.shape[1]), 1)]
        first_sample, resyncs = renderer.sample, int(status["resyncs"])
        renderer.render(block)
        ring.write(block)
        spent_ms = 1000.0 * (perf_counter() - begun_s)
        behind = ring.read_sample - first_sample
        if status["resyncs"] != resyncs:  # the sink has given up waiting and stands before this block again
            behind = int(spent_ms * self.plan.sample_rate / 1000.0) - ahead
        if self._filled_ahead == ahead:
            self._steering.most_used_ms = max(self._steering.most_used_ms, self._ms(ahead + behind))
        if behind > 0 and status["engine_ready"]:
            self._note_late(behind, ahead, spent_ms)
        self._note_silenced()
        self._show(block, spent_ms)

    def _take_commands(self) -> None:
        taken = 0
        while taken < _COMMANDS_PER_BLOCK:
            record = self._shared.commands.pop()
            if record is None:
                return
            commands = decode(record)
            taken += len(commands)
            self.renderer.receive(commands)  # type: ignore[arg-type]

    def _note_late(self, behind_samples: int, ahead_samples: int, spent_ms: float) -> None:
        status = self._status
        late_ms = self._ms(behind_samples)
        status["late_blocks"] += 1
        if self._filled_ahead == ahead_samples:
            self._steering.longest_late_ms = max(self._steering.longest_late_ms, late_ms)
        status["worst_late_ms"] = max(status["worst_late_ms"], late_ms)
        now_s = monotonic()
        if now_s - self._late_noticed_s > _NOTICE_GAP_S:
            self._late_noticed_s = now_s
            model_ms = 1000.0 * self.renderer.model_seconds
            cause = (
                f"the models took {model_ms:.1f} ms of it"
                if model_ms > 0.5 * spent_ms
                else f"the render thread woke {self._wake_late_ms:.1f} ms late"
                if self._wake_late_ms > spent_ms
                else "the rest of the block took too long"
            )
            text = f"a block was {late_ms:.1f} ms late after {spent_ms:.1f} ms of work: {cause}"
            self._emit(Notice("late", text, self.renderer.sample))

    def _note_silenced(self) -> None:
        text = self._silenced.news(self.renderer)
        if text is not None:
            self._emit(Notice("samples", text, self.renderer.sample))

    def _show(self, block: Any, spent_ms: float) -> None:
        renderer, status = self.renderer, self._status
        block_ms = 1000.0 * block.shape[1] / self.plan.sample_rate
        status["sample"] = renderer.sample
        status["blocks"] += 1
        status["worst_block_ms"] = max(status["worst_block_ms"], spent_ms)
        status["block_times"][block_bucket(spent_ms)] += 1
        status["load"] += 0.02 * (spent_ms / block_ms - status["load"])
        status["engine_beat_ns"] = monotonic_ns()
        renderer.show(status)
        measure(block[:2], status["master_peak"], status["master_rms"])

    def _wait_for_room(self) -> None:
        """Sleep until the ring has room for a block. [render thread]"""
        ring, rate = self._shared.audio, self.plan.sample_rate
        due_s = 0.0
        while not self._status["stop"]:
            ahead = self._ahead
            missing = ring.write_sample + self.plan.block_samples - ahead - self._read_sample()
            if missing <= 0:
                break
            self._filled_ahead = ahead
            wait_s = max(missing / rate - 0.0005, 0.0005)
            due_s = monotonic() + wait_s
            sleep(wait_s)
        self._wake_late_ms = 1000.0 * max(monotonic() - due_s, 0.0) if due_s else 0.0

    def _read_sample(self) -> int:
        """Return where the sink reads, or where it would read if there were one. [render thread]"""
        sink_alive = monotonic_ns() - self._status["sink_beat_ns"] < _SINK_SILENT_NS
        if sink_alive:
            self._clock_s, self._clock_sample = monotonic(), self._shared.audio.read_sample
            return self._clock_sample
        return self._clock_sample + int((monotonic() - self._clock_s) * self.plan.sample_rate)

    def _wait_for_sink(self) -> None:
        end_s = monotonic() + _SINK_GRACE_S
        while not self._status["sink_ready"] and monotonic() < end_s and not self._told_to_end():
            sleep(0.002)
        self._clock_s, self._clock_sample = monotonic(), self._shared.audio.read_sample

    def _emit(self, event: Event) -> None:
        """Hand an event to the control side. [render thread]"""
        if not self._shared.events.push(encode([event])):
            self._status["lost_events"] += 1

    def _open_stems(self, folder: str, format_name: str) -> Recording:
        stems = stem_channels(self.renderer)
        sample = self.renderer.sample
        return Recording(Path(folder), stems, self.plan.sample_rate, format_name, sample)  # type: ignore[arg-type]

    def _when_idle(self) -> None:
        """Keep the description current and report stem errors. [loader thread]"""
        if not self._status["engine_ready"]:
            return
        restarts = int(self._status["control_restarts"])
        if self._described != self.renderer.revision or self._told_control != restarts:
            self._told_control = restarts  # what a new control process finds must be as of now
            self._publish()
        self._steering.look()
        stems = self.renderer.stems
        if stems is not None and stems.error is not None and stems.error != self._stems_error:
            self._stems_error = stems.error
            self._publish()  # so that another take may begin
            text = f"The recording has ended, the show goes on: {stems.error}"
            self._asides.append(Notice("stems", text, self.renderer.sample))

    def _before(self, job: Job) -> None:
        """Say before a voice is built when there is no room for it. [loader thread]"""
        if isinstance(job, VoiceJob):
            text = self._admission.room_note(self._playing_models(), model_of(job.body))
            if text is not None:
                self._asides.append(Notice("room", text, self.renderer.sample))

    def _say(self, text: str) -> None:
        """Say what goes on or went wrong beside a job. [loader thread]"""
        self._asides.append(Notice("loader", text, self.renderer.sample))

    def _stay_ahead(self, ahead_ms: float) -> None:
        """Stay so much ahead of the sink from now on; sound goes on meanwhile. [loader thread]"""
        self._ahead = self._status["ahead_samples"] = self._whole_blocks(ahead_ms)
        self._described = -1

    def _least_ahead(self) -> int:
        """Return how far ahead of the sink the models need the engine at least, in samples. [any thread]"""
        choices, plan = list(self._admission.choices.values()), self.plan
        least = choose_ahead_samples(choices, plan.sample_rate, plan.block_samples, self._stall_s)
        return min(least, int(_LONGEST_AHEAD_S * plan.sample_rate))

    def _whole_blocks(self, ms: float) -> int:
        block = self.plan.block_samples
        return -(-int(ms * self.plan.sample_rate / 1000.0) // block) * block

    def _ms(self, samples: int) -> float:
        return samples_to_ms(samples, self.plan.sample_rate)

    def _is_playing(self) -> bool:
        """Whether sound runs already. [any thread]"""
        return bool(self._status["engine_ready"])

    def _playing_models(self) -> list[str]:
        return [track.playing.model_reference for track in self.renderer.tracks]

    def _publish(self) -> None:
        self._described = self.renderer.revision
        as_of_sample = self.renderer.sample  # what takes effect from here on may or may not be in it
        description = describe(self.renderer, self.plan)
        self._shared.board.write(
            {
                **description,
                "as_of_sample": as_of_sample,
                "models": self._admission.models(),
                "model_load": self._admission.load(self._playing_models()),
                "stall_ms": 1000.0 * self._stall_s,
                "longest_stall_ms": 1000.0 * self._admission.stalls.longest_s,
                "ahead_samples": self._ahead,
                "notes": self._admission.notes,
                "header": self._header(),
            }
        )

    def _header(self) -> dict[str, Any]:
        chunks = {reference: choice.chunk_frames for reference, choice in self._admission.choices.items()}
        known = (chunks, self._admission.hashes, self._factory.backends)
        return header_of(self.plan, *known, self._gpus)

    def _note_unfinished(self) -> None:
        waiting = self.renderer.waiting
        if waiting:
            text = f"The show ended while these were still loading: {', '.join(waiting)}."
            self._emit(Notice("unfinished", text, self.renderer.sample))

    def _finish(self) -> None:
        if self.renderer.stems is not None:
            self.renderer.end_recording()
        self._note_unfinished()
        self._emit(Notice("end", "the engine has stopped", self.renderer.sample))
        self._status["engine_ready"] = 2
        self._admission.stop()
        self._loader.stop()


def main(run_folder: Path) -> int:
    """Run the engine of a run; return the exit code."""
    plan = Plan.load(run_folder)
    torch.set_num_threads(plan.threads)
    torch.set_flush_denormal(True)
    sys.setswitchinterval(_SWITCH_S)
    try:
        LiveEngine(plan, Shared.open(run_folder)).run()
    except SynthhostError as error:
        sys.stderr.write(f"{error}\n")
        return 3
    return 0
