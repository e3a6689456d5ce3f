"""Making a source by its kind's name."""

from __future__ import annotations

from collections.abc import Mapping

from synthhost.core.errors import SourceError, suggestion
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Source
from synthhost.core.specs import ModelSpec
from synthhost.sources.clip import CLIP_PARAMS, ClipSource
from synthhost.sources.frames import FrameSource
from synthhost.sources.free import FreeSource
from synthhost.sources.latent import LATENT_PARAMS, LatentSource
from synthhost.sources.notes import NOTE_PARAMS, NotesSource
from synthhost.sources.source_params import FRAME_PARAMS, TAPE_PARAMS
from synthhost.sources.tape import Tape
from synthhost.sources.tape_source import TapeSource

SOURCE_KINDS: tuple[str, ...] = (
    TapeSource.kind,
    FrameSource.kind,
    LatentSource.kind,
    FreeSource.kind,
    ClipSource.kind,
    NotesSource.kind,
)
"""Every kind of source."""


def source_params(kind: str) -> tuple[ParamSpec, ...]:
    """Return the parameters a kind of source has whatever the model; latent dimensions come on top.

    Raises:
        SourceError: If no kind goes by that name.
    """
    if kind == TapeSource.kind:
        return TAPE_PARAMS
    if kind == FrameSource.kind:
        return FRAME_PARAMS
    if kind == LatentSource.kind:
        return LATENT_PARAMS
    if kind == FreeSource.kind:
        return ()
    if kind == ClipSource.kind:
        return CLIP_PARAMS
    if kind == NotesSource.kind:
        return NOTE_PARAMS
    raise SourceError(
        f"no source is of kind {kind!r}.{suggestion(kind, SOURCE_KINDS)} Known: {', '.join(SOURCE_KINDS)}."
    )


def make_source(
    kind: str,
    spec: ModelSpec,
    seed: int = 0,
    tapes: Mapping[str, Tape] | None = None,
    sample_rate: int | None = None,
) -> Source:
    """Make a source ready to play.

    Args:
        kind: "tape", "frames", "latent", "free", "clip" or "notes".
        spec: Of the model.
        seed: Whatever is random in it follows from this.
        tapes: By slot, "a" and perhaps "b"; a tape source needs "a".
        sample_rate: The engine's, in Hz; None: the model's.

    Raises:
        SourceError: If no kind goes by that name, the model takes another kind, or a tape is missing or
            follows another convention.
    """
    source_params(kind)
    if kind == NotesSource.kind:
        return NotesSource(spec, seed, sample_rate)
    if spec.notes is not None:
        raise SourceError(
            f"{spec.name} plays notes, so it plays no {kind}. Give it a source of kind {NotesSource.kind!r}."
        )
    if kind == ClipSource.kind:
        return ClipSource(spec, seed)
    if spec.clip_frames:
        raise SourceError(
            f"{spec.name} makes clips that are triggered, so it plays no {kind}. "
            f"Give it a source of kind {ClipSource.kind!r}."
        )
    if kind == FreeSource.kind:
        return FreeSource(spec)
    if kind == LatentSource.kind:
        return LatentSource(spec, seed)
    if spec.mel is None:
        fitting = LatentSource.kind if spec.bands else FreeSource.kind
        raise SourceError(
            f"{spec.name} takes no mel frames, so it plays no {kind}. Give it a source of kind {fitting!r}."
        )
    if kind == FrameSource.kind:
        return FrameSource(spec.mel, seed)
    slots = tapes or {}
    if "a" not in slots:
        raise SourceError("a tape source has no sound to play. Name a sound file for its tape.")
    return TapeSource(spec.mel, slots["a"], slots.get("b"), seed)
