"""Rendering without a clock: a journal played again, or a score of timed OSC messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from synthhost.core.errors import RecordingError
from synthhost.core.messages import Command, Event, Failed
from synthhost.core.seams import Runner
from synthhost.engine.renderer import CHANNELS, Renderer
from synthhost.host.assembly import make_factory, make_renderer, stem_channels
from synthhost.host.journal import Journal
from synthhost.host.loader import ImmediateLoader, Workshop
from synthhost.host.plan import Plan
from synthhost.host.recording import Recording

_FLUSH_S = 2.0  # of sound between writing out stems
_DEFAULT_CHUNK_FRAMES = 4

Progress = Callable[[int, int], None]
"""Called with the samples done and the samples in all."""


@dataclass(slots=True)
class OfflineResult:
    """What a rendering came to."""

    folders: list[str] = field(default_factory=list)
    samples: int = 0
    failures: list[str] = field(default_factory=list)


class OfflineEngine:
    """The engine driven as fast as the machine allows."""

    def __init__(self, plan: Plan, out: Path, *, self_activating: bool) -> None:
        """Build everything; nothing has sounded yet.

        Raises:
            SynthhostError: Something in the set cannot be loaded.
        """
        torch.set_num_threads(plan.threads)
        torch.set_flush_denormal(True)
        self.plan = plan
        self.result = OfflineResult()
        self._out = out
        factory = make_factory(plan, self._chunk_of)
        loader = ImmediateLoader(Workshop(factory, self._open_stems))
        self.renderer: Renderer = make_renderer(
            plan, factory, loader, self._note, self_activating=self_activating
        )
        self._block = np.zeros((CHANNELS, plan.block_samples), dtype=np.float32)
        self._since_flush = 0
        self._takes: list[Recording] = []
        self._asked: list[Path] = []

    def record_all(self) -> None:
        """Write stems from the first sample on, straight into the output folder."""
        recording = self._recording(self._out, self.plan.record_format)
        self.result.folders.append(recording.folder)
        self.renderer.begin_recording(recording)

    def advance(self, end_sample: int) -> None:
        """Render one block, or less at the end."""
        count = min(self.plan.block_samples, end_sample - self.renderer.sample)
        self.renderer.render(self._block[:, :count])
        self._since_flush += count
        if self._since_flush > _FLUSH_S * self.plan.sample_rate:
            self._since_flush = 0
            self._flush()

    def finish(self) -> OfflineResult:
        """Close the stems.

        Raises:
            RecordingError: They could not be written.
        """
        self._flush()
        if self.renderer.stems is not None:
            self.renderer.end_recording()
        self._check_takes()
        self.result.samples = self.renderer.sample
        return self.result

    def _flush(self) -> None:
        stems = self.renderer.stems
        if isinstance(stems, Recording):
            stems.flush()
        self._check_takes()

    def _check_takes(self) -> None:
        """Refuse to go on when a take, open or closed, is not whole."""
        for take in self._takes:
            if take.error is not None:
                raise RecordingError(take.error)
            if take.drops:
                raise RecordingError(f"{take.folder}: blocks were lost while writing. Try a faster disk.")

    def _chunk_of(self, reference: str, _runner: Runner) -> int:
        return self.plan.chunk_frames.get(reference, _DEFAULT_CHUNK_FRAMES)

    def _open_stems(self, folder: str, format_name: str) -> Recording:
        """Open a take below the output folder; of several with one name the later ones are numbered."""
        name = Path(folder).name
        place = self._out / (name if name not in ("", "..") else "take")
        self._asked.append(place)
        number = self._asked.count(place)
        own = place if number == 1 else place.with_name(f"{place.name}-{number}")
        recording = self._recording(own, format_name)
        self.result.folders.append(recording.folder)
        return recording

    def _recording(self, folder: Path, format_name: str) -> Recording:
        stems = stem_channels(self.renderer)
        rate, sample = self.plan.sample_rate, self.renderer.sample
        recording = Recording(folder, stems, rate, format_name, sample)  # type: ignore[arg-type]
        self._takes.append(recording)
        return recording

    def _note(self, event: Event) -> None:
        if isinstance(event, Failed):
            self.result.failures.append(f"{event.address} {event.reason}".strip())


def replay(journal: Journal, out: Path, progress: Progress) -> OfflineResult:
    """Render what a journal says, from its first sample to its end.

    Stems go where the journal recorded them, as folders below `out`; all of it when it recorded nothing.

    Raises:
        SynthhostError: Something of it is not there any more.
    """
    engine = OfflineEngine(journal.plan, out, self_activating=False)
    _check_models(engine.renderer, journal)
    commands = list_of_takes(journal)
    if journal.plan.record_folder is not None or not commands:
        engine.record_all()
    _drive(engine, journal.commands(), journal.end_sample, progress)
    return engine.finish()


def _check_models(renderer: Renderer, journal: Journal) -> None:
    """Refuse other weights than the session began with; those of later models are checked as they join."""
    known = journal.header.get("models")
    for track in renderer.tracks:
        reference, now = track.playing.body["model"], track.playing.voice.runner.spec.sha256
        then = known.get(reference, now) if isinstance(known, dict) else now
        if then != now:
            raise RecordingError(
                f"{reference}: the model's weights have changed since the session (sha256 {now[:12]}…, then "
                f"{str(then)[:12]}…). Put the model back to hear the same again."
            )


def list_of_takes(journal: Journal) -> list[Command]:
    """Return the commands that began recordings."""
    return [command for command in journal.commands() if type(command).__name__ == "StartRecording"]


def _drive(engine: OfflineEngine, commands: Iterable[Command], end_sample: int, progress: Progress) -> None:
    renderer = engine.renderer
    waiting: Iterator[Command] = iter(commands)
    following = next(waiting, None)
    while renderer.sample < end_sample:
        block_end = renderer.sample + engine.plan.block_samples
        while following is not None and following.at_sample < block_end:
            renderer.receive([following])
            following = next(waiting, None)
        engine.advance(end_sample)
        progress(renderer.sample, end_sample)
