"""Rendering without a clock: the engine that journals and scores are played into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from synthhost.core.errors import RecordingError
from synthhost.core.messages import Event, Failed
from synthhost.core.seams import Runner
from synthhost.engine.renderer import CHANNELS, Renderer
from synthhost.host.arithmetic import Arithmetic
from synthhost.host.assembly import make_factory, make_renderer, stem_channels
from synthhost.host.loader import ImmediateLoader, Workshop
from synthhost.host.plan import Plan
from synthhost.host.recording import Recording

_FLUSH_S = 2.0  # of sound between writing out stems
_DEFAULT_CHUNK = 4  # in units of what is worth a step

LONGEST_RENDER_S = 24 * 3600.0

Progress = Callable[[int, int], None]
"""Called with the samples done and the samples in all."""


@dataclass(slots=True)
class OfflineResult:
    """What a rendering came to.

    Attributes:
        folders: Of the stems, one for each take.
        samples: Rendered in all.
        failures: What could not be carried out.
        take_samples: The length of each take's stems, in the order of `folders`.
        computed: What computed each track's model at the end, and why, by the track's name.
    """

    folders: list[str] = field(default_factory=list)
    samples: int = 0
    failures: list[str] = field(default_factory=list)
    take_samples: list[int] = field(default_factory=list)
    computed: dict[str, str] = field(default_factory=dict)


def check_length(place: str, length_s: float) -> None:
    """Refuse to render more than `LONGEST_RENDER_S`.

    Raises:
        RecordingError: It is longer; the message says how long.
    """
    if length_s > LONGEST_RENDER_S:
        raise RecordingError(
            f"{place}: would render {length_s / 3600:.1f} hours; at most {LONGEST_RENDER_S / 3600:.0f} hours "
            "are rendered at once."
        )


class OfflineEngine:
    """The engine driven as fast as the machine allows.

    From its making to `finish`, torch computes on the calling thread as the plan says: its number of threads
    (which counts for the whole process) and denormal numbers as zeros. After that, or when a `with` block is
    left by an error, both are as they were.
    """

    def __init__(
        self,
        plan: Plan,
        out: Path,
        *,
        self_activating: bool,
        make_loader: Callable[[Workshop], ImmediateLoader] = ImmediateLoader,
        failed: Callable[[Failed], None] | None = None,
        keep_unfinished: bool = True,
    ) -> None:
        """Build everything; nothing has sounded yet.

        Args:
            plan: What to play.
            out: The folder for stems.
            self_activating: Whether what is loaded takes its place at once.
            make_loader: Makes what carries out jobs.
            failed: Takes what could not be carried out; without it that is kept in the result.
            keep_unfinished: Whether an error leaves the stems whole up to it, or takes them back. What a disk
                that failed left readable is kept in any case.

        Raises:
            SynthhostError: Something in the set cannot be loaded.
        """
        self.plan = plan
        self.result = OfflineResult()
        self._out = out
        self._failed = failed or self._keep
        self._keep_unfinished = keep_unfinished
        self._arithmetic = Arithmetic(plan.threads)
        try:
            factory = make_factory(plan, self._chunk_of)
            loader = make_loader(Workshop(factory, self._open_stems))
            self.renderer: Renderer = make_renderer(
                plan, factory, loader, self._note, self_activating=self_activating
            )
        except BaseException:
            self._arithmetic.put_back()
            raise
        self._block = np.zeros((CHANNELS, plan.block_samples), dtype=np.float32)
        self._since_flush = 0
        self._takes: list[Recording] = []
        self._asked: list[Path] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close what an error left open; after `finish` there is nothing to do."""
        self._close()
        if kind is not None and not self._keep_unfinished:
            for take in [take for take in self._takes if take.error is None]:
                take.discard()

    def record_all(self) -> None:
        """Write stems from the first sample on, straight into the output folder."""
        self.renderer.begin_recording(self._recording(self._out, self.plan.record_format))

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
        try:
            self._flush()
        finally:
            self._close()
        self._check_takes()
        self.result.folders = [take.folder for take in self._takes]
        self.result.take_samples = [take.samples for take in self._takes]
        self.result.samples = self.renderer.sample
        self.result.computed = {one.name: str(one.playing.computed) for one in self.renderer.tracks}
        return self.result

    def _close(self) -> None:
        """End the open take, take back those that never began, and let torch compute as before."""
        if self.renderer.stems is not None:
            self.renderer.end_recording()
        for take in [take for take in self._takes if not take.begun]:
            take.discard()
            self._takes.remove(take)
        self._arithmetic.put_back()

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

    def _chunk_of(self, reference: str, runner: Runner) -> int:
        default = self.plan.fixed_chunk or _DEFAULT_CHUNK * runner.spec.chunk_unit
        return self.plan.chunk_frames.get(reference, default)

    def _open_stems(self, folder: str, format_name: str) -> Recording:
        """Open a take below the output folder; of several with one name the later ones are numbered."""
        name = Path(folder).name
        place = self._out / (name if name not in ("", "..") else "take")
        self._asked.append(place)
        number = self._asked.count(place)
        own = place if number == 1 else place.with_name(f"{place.name}-{number}")
        return self._recording(own, format_name)

    def _recording(self, folder: Path, format_name: str) -> Recording:
        stems = stem_channels(self.renderer)
        rate, sample = self.plan.sample_rate, self.renderer.sample
        recording = Recording(folder, stems, rate, format_name, sample)  # type: ignore[arg-type]
        self._takes.append(recording)
        return recording

    def _note(self, event: Event) -> None:
        if isinstance(event, Failed):
            self._failed(event)

    def _keep(self, failed: Failed) -> None:
        self.result.failures.append(f"{failed.address} {failed.reason}".strip())
