"""What can be played: a block, or something that computes its sound another way and has a block's timing."""

from __future__ import annotations

from typing import Any, Protocol

from synthhost.streaming.block import AnyBlock


class Playable(Protocol):
    """A network as it is played. Blocks are played as they are; a runner knows the other kinds."""

    @property
    def timed(self) -> AnyBlock:
        """Return the block that frames go into: hop, look-ahead and receptive field are its."""

    def eval(self) -> Any:
        """Switch training off."""
