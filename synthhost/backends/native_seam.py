"""The seam at which native plans join: what compiles a network of streaming blocks, where it can."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from synthhost.backends.native_runner import NativeRunner
from synthhost.backends.plan import native_refusal
from synthhost.core.params import ParamSpec
from synthhost.core.seams import Runner
from synthhost.core.specs import ModelSpec
from synthhost.streaming.block import AnyBlock


@dataclass(frozen=True, slots=True)
class NativePlans:
    """What makes native runners.

    Attributes:
        refusal: Says in a few words why a network cannot be compiled, such as "window mode is not in the
            native plan", or None where it can. It is asked only where the extension is there.
        runner: Makes the runner, as `TorchRunner` is made.
    """

    refusal: Callable[[AnyBlock], str | None]
    runner: Callable[[ModelSpec, AnyBlock, tuple[ParamSpec, ...]], Runner]


NATIVE_PLANS = NativePlans(native_refusal, NativeRunner)


def native_plans() -> NativePlans:
    """Return what compiles networks."""
    return NATIVE_PLANS
