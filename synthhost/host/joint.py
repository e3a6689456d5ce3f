"""Whether voices of one model step together: where it costs less on this machine."""

from __future__ import annotations

from collections.abc import Callable
from weakref import WeakKeyDictionary

from synthhost.backends.joint_cost import joint_gain
from synthhost.core.seams import Joining, Runner

_WORTH = 1.02  # times cheaper, from which on it is


class JointSteps:
    """Measures before the show what joint steps save, and remembers it.

    Args:
        playing: Says whether sound runs already, so that nothing may be measured. What is not known then
            steps together: weights are read once instead of twice, and the sound is the same.
    """

    def __init__(self, playing: Callable[[], bool]) -> None:
        self._playing = playing
        self._gains: WeakKeyDictionary[Runner, dict[int, float]] = WeakKeyDictionary()

    def told(self, runner: Runner, chunk_frames: int) -> str | None:
        """Return in a few words why a runner's voices step together, or None where they do not."""
        if not isinstance(runner, Joining) or runner.spec.clip_frames or runner.spec.notes:
            return None
        known = self._gains.setdefault(runner, {})
        if chunk_frames not in known:
            if self._playing():
                return "voices of it step together"
            known[chunk_frames] = joint_gain(runner, chunk_frames)
        gain = known[chunk_frames]
        return f"voices of it step together, two {gain:.2f} times cheaper" if gain >= _WORTH else None


def alone(_runner: Runner, _chunk_frames: int) -> str | None:
    """Let every voice take its steps by itself."""
    return None
