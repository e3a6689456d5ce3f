"""A journal played again: what was heard, to the bit, or a sentence on why it cannot be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from synthhost.core.errors import RecordingError
from synthhost.core.messages import Command, Failed
from synthhost.core.specs import ModelSpec
from synthhost.engine.loading import Job, Loaded, StemsJob, TapeJob
from synthhost.engine.renderer import Renderer
from synthhost.host.gpus import gpus_in
from synthhost.host.journal import Journal, made_with
from synthhost.host.loader import ImmediateLoader, Workshop
from synthhost.host.offline import OfflineEngine, OfflineResult, Progress, check_length


class FaithfulLoader(ImmediateLoader):
    """Loads what took its place in the session, and nothing else.

    What failed then is not tried again: it may well succeed now, and a take would be opened for nothing.
    """

    def __init__(self, workshop: Workshop, journal: Journal) -> None:
        """Load under the tickets that a journal activates."""
        super().__init__(workshop)
        self._journal = journal

    def ask(self, job: Job) -> None:
        """Carry out a job now, if its ticket was activated in the session.

        Raises:
            RecordingError: It cannot be carried out any more.
        """
        if job.ticket not in self._journal.activated:
            return
        loaded = self._workshop.carry_out(job)
        if loaded.error is not None:
            raise RecordingError(_gone(job, str(loaded.error))) from loaded.error
        self._done.append(self._named(loaded))

    def _named(self, loaded: Loaded) -> Loaded:
        """Return what was loaded with its model named as the journal names it."""
        if "model_sha256" not in loaded.details:
            return loaded
        digest = _digest(loaded.result.voice.runner.spec, self._journal)
        return replace(loaded, details={**loaded.details, "model_sha256": digest})


def replay(journal: Journal, out: Path, progress: Progress, *, keep_unfinished: bool = True) -> OfflineResult:
    """Render what a journal says, from its first sample to its end.

    An error leaves the stems whole up to it, or, without `keep_unfinished`, none.

    Stems go where the journal recorded them, as folders below `out`; all of it when it recorded nothing. The
    failures of the result are those of the session.

    Raises:
        SynthhostError: Something of it is not there any more, or is not what it was.
    """
    check_length(str(journal.path), journal.end_sample / journal.plan.sample_rate)
    expected = Counter(journal.failures)

    def failed(failure: Failed) -> None:
        if expected[failure.address, failure.reason] == 0:
            raise RecordingError(_surprise(journal, failure))
        expected[failure.address, failure.reason] -= 1

    with OfflineEngine(
        journal.plan,
        out,
        self_activating=False,
        make_loader=lambda workshop: FaithfulLoader(workshop, journal),
        failed=failed,
        keep_unfinished=keep_unfinished,
    ) as engine:
        _check_models(engine.renderer, journal)
        if journal.plan.record_folder is not None or not journal.takes:
            engine.record_all()
        _drive(engine, journal.commands(), journal.end_sample, progress)
        result = engine.finish()
    result.failures = [f"{address} {reason}".strip() for address, reason in journal.failures]
    return result


def remarks(journal: Journal) -> list[str]:
    """Return sentences on what keeps a replay of this journal from being the whole session to the bit."""
    said = []
    if not journal.complete:
        seconds = journal.end_sample / journal.plan.sample_rate
        said.append(
            f"{journal.path}: the journal has no end (the session was killed, or still runs). It is rendered "
            f"up to sample {journal.end_sample} ({seconds:.1f} s)."
        )
    if journal.lost_events:
        said.append(
            f"{journal.path}: the journal misses {journal.lost_events} events, for which the session had no "
            "room. What is rendered may differ from what was heard."
        )
    if "backends" not in journal.header["plan"]:
        said.append(
            f"{journal.path}: the journal does not say which back ends computed the session (torch did, in "
            "those days). Samples may differ in their last bits from what was heard."
        )
    if journal.by_weights:
        said.append(
            f"{journal.path}: the journal names models by their weights alone: where numbers "
            "in their manifests have changed since is not noticed."
        )
    then, now = journal.header.get("made_with"), made_with()
    if then != now:
        said.append(
            f"{journal.path}: the session ran with {_versions(then)}, this is {_versions(now)}. Samples are "
            "equal to the bit on the same machine with the same versions only."
        )
    had, has = journal.header.get("gpus"), gpus_in(journal.plan)
    if had and had != has:
        said.append(
            f"{journal.path}: the session was computed on {_listed(had)}, this machine has {_listed(has)}. "
            "Samples are equal to the bit on the same GPU only."
        )
    return said


def _listed(names: object) -> str:
    return ", ".join(str(name) for name in names) if isinstance(names, list) and names else "no GPU"


def _versions(made: object) -> str:
    parts = made.items() if isinstance(made, dict) else ()
    return ", ".join(f"{name} {value}" for name, value in parts) or "versions unknown"


def _gone(job: Job, reason: str) -> str:
    if isinstance(job, StemsJob):
        return f"a take of the session cannot be written: {reason}"
    asked = f"tape {job.path}" if isinstance(job, TapeJob) else f"preset {job.body.get('name', '')}"
    return f"{asked}: it played in the session and cannot be loaded now: {reason} Put it back as it was."


def _surprise(journal: Journal, failure: Failed) -> str:
    lost = f" The journal misses {journal.lost_events} events." if journal.lost_events else ""
    return (
        f"{failure.address}: {failure.reason}. This did not fail in the session, so the rest would not be "
        f"what was heard.{lost} Was {journal.path} changed, or written by another version?"
    )


def _check_models(renderer: Renderer, journal: Journal) -> None:
    """Refuse other models than the session began with; those of later presets are checked as they join."""
    known = journal.header.get("models")
    for track in renderer.tracks:
        reference, now = track.playing.model_reference, _digest(track.playing.voice.runner.spec, journal)
        then = known.get(reference, now) if isinstance(known, dict) else now
        if then != now:
            raise RecordingError(
                f"{reference}: the model's weights, or numbers in its manifest, have changed since the "
                f"session (sha256 {now[:12]}…, then {str(then)[:12]}…). Put the model back to hear the same "
                "again."
            )


def _digest(spec: ModelSpec, journal: Journal) -> str:
    """Return the sha256 by which a journal names a model."""
    return spec.weights_sha256 if journal.by_weights else spec.sha256


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
