"""Making a source by its kind's name."""

from __future__ import annotations

from collections.abc import Mapping

from synthhost.core.errors import SourceError, suggestion
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec
from synthhost.sources.frames import FrameSource
from synthhost.sources.source_params import FRAME_PARAMS, TAPE_PARAMS
from synthhost.sources.tape import Tape
from synthhost.sources.tape_source import TapeSource

SOURCE_KINDS: tuple[str, ...] = (TapeSource.kind, FrameSource.kind)
"""Every kind of source."""


def source_params(kind: str) -> tuple[ParamSpec, ...]:
    """Return the parameters a kind of source has.

    Raises:
        SourceError: If no kind goes by that name.
    """
    if kind == TapeSource.kind:
        return TAPE_PARAMS
    if kind == FrameSource.kind:
        return FRAME_PARAMS
    raise SourceError(
        f"no source is of kind {kind!r}.{suggestion(kind, SOURCE_KINDS)} Known: {', '.join(SOURCE_KINDS)}."
    )


def make_source(
    kind: str, spec: MelSpec, seed: int = 0, tapes: Mapping[str, Tape] | None = None
) -> TapeSource | FrameSource:
    """Make a source ready to play.

    Args:
        kind: "tape" or "frames".
        spec: The mel convention of the model.
        seed: Whatever is random in it follows from this.
        tapes: By slot, "a" and perhaps "b"; a tape source needs "a".

    Raises:
        SourceError: If no kind goes by that name, or a tape is missing or follows another convention.
    """
    source_params(kind)
    if kind == FrameSource.kind:
        return FrameSource(spec, seed)
    slots = tapes or {}
    if "a" not in slots:
        raise SourceError("a tape source has no sound to play. Name a sound file for its tape.")
    return TapeSource(spec, slots["a"], slots.get("b"), seed)
