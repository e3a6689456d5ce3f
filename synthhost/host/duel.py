"""Native code against torch on this machine, before a model plays: a few steps of each are timed."""

from __future__ import annotations

from dataclasses import dataclass

from synthhost.backends.cost import cost_per_step, running_state
from synthhost.core.computing import CPU, NATIVE, TORCH, Computed
from synthhost.core.seams import Runner

_REPEATS = 12
_CLEARLY = 0.9  # torch must take less than this share of native's time: the timing is rough
_LONGEST_S = 2.0  # what torch may need to get a stream running
_SLOWER = 8.0  # times that torch may be slower than native code, to tell beforehand how long that takes


@dataclass(frozen=True, slots=True)
class Duel:
    """What the median step of one unit of frames took, in seconds."""

    native_seconds: float
    torch_seconds: float

    @property
    def outcome(self) -> Computed:
        """Return which of them a model plays on, and the figures."""
        native_ms, torch_ms = 1000.0 * self.native_seconds, 1000.0 * self.torch_seconds
        if self.torch_seconds < _CLEARLY * self.native_seconds:
            reason = f"faster than native here, {torch_ms:.2g} against {native_ms:.2g} ms a step"
            return Computed(TORCH, CPU, reason)
        faster = "faster than" if self.native_seconds < self.torch_seconds else "about as fast as"
        return Computed(NATIVE, CPU, f"{faster} torch here, {native_ms:.2g} against {torch_ms:.2g} ms a step")


def takes_too_long(native: Runner) -> bool:
    """Tell, by what native code needs, whether torch would take seconds to get a stream running."""
    unit = native.spec.chunk_unit
    seconds = cost_per_step(native, unit, 2, running_state(native)).median_seconds
    return _SLOWER * seconds * native.spec.receptive_frames / unit > _LONGEST_S


def duel(native: Runner, torch: Runner) -> Duel:
    """Time both runners of one model, on the calling thread."""
    return Duel(_seconds(native), _seconds(torch))


def _seconds(runner: Runner) -> float:
    unit = runner.spec.chunk_unit
    return cost_per_step(runner, unit, _REPEATS, running_state(runner)).median_seconds
