"""The source of models that run by themselves: frames that hold nothing and only count."""

from __future__ import annotations

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec


class FreeSource:
    """Gives frames of no bands.

    Raises:
        SourceError: The model takes frames that hold something.
    """

    kind = "free"
    params: tuple[ParamSpec, ...] = ()

    def __init__(self, spec: ModelSpec) -> None:
        if spec.bands:
            fitting = "'tape' or 'frames'" if spec.mel is not None else "'latent'"
            raise SourceError(
                f"{spec.name} does not run by itself: it takes frames of {spec.bands} numbers. "
                f"Give it a source of kind {fitting}."
            )

    def set_param(self, name: str, value: float) -> None:
        """Have no parameter. [render thread]"""

    def jump_param(self, name: str, value: float) -> None:
        """Have no parameter."""

    def next_frames(self, out: Features) -> None:
        """Write nothing, `[0, frames]`. [render thread]"""

    def push(self, index: int | None, frames: Features) -> None:
        """Ignore frames from outside. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return nothing: nothing can go wrong."""
        return {}
