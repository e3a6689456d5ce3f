"""Native code against torch on this machine, before a model plays: a few steps of each are timed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synthhost.backends.cost import cost_per_step, running_state
from synthhost.core.computing import CPU, NATIVE, TORCH, Computed
from synthhost.core.seams import Runner

_GLANCES = 2  # steps by which is told how long it all takes
_REPEATS = 12
_FEW = 5  # steps of torch are enough ...
_FAR = 3.0  # ... where the median of them takes so many times native's
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


def duel(native: Runner, torch: Callable[[], Runner]) -> Duel | None:
    """Time both runners of one model, on the calling thread.

    Args:
        native: The one in native code.
        torch: Makes the other, if it comes to that.

    Returns:
        What was found; None where torch would take seconds to get a stream running, as native code's
        time tells.
    """
    unit, running = native.spec.chunk_unit, running_state(native)

    def seconds(repeats: int) -> float:
        return cost_per_step(native, unit, repeats, running).median_seconds

    if _SLOWER * seconds(_GLANCES) * native.spec.receptive_frames / unit > _LONGEST_S:
        return None
    native_seconds = seconds(_REPEATS)
    return Duel(native_seconds, _seconds_of_rival(torch(), _FAR * native_seconds))


def _seconds_of_rival(runner: Runner, far: float) -> float:
    """Return what the median step takes: of a few where that is far more already."""
    unit, running = runner.spec.chunk_unit, running_state(runner)
    few = cost_per_step(runner, unit, _FEW, running).median_seconds
    return few if few >= far else cost_per_step(runner, unit, _REPEATS, running).median_seconds
