"""One address of the table: what it takes, what it does, what it reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from synthhost.control.arguments import count, number
from synthhost.control.packets import OscArg
from synthhost.control.requests import Request
from synthhost.control.values import ValueKey, Values
from synthhost.core.messages import NOW, Command, SetParam
from synthhost.core.params import ParamSpec

Action: TypeAlias = "Command | Request"


class Call(NamedTuple):
    """The arguments of a message, when they take effect, and who asked."""

    args: tuple[OscArg, ...]
    at_sample: int = NOW
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address and everything that can be said about it.

    `types` is an OSC type string with optional ones in brackets; `depends` names the values whose change
    changes what `read` returns.
    """

    address: str
    about: str
    types: str
    accept: Callable[[Call], list[Action]]
    unit: str = ""
    minimum: float = 0.0
    maximum: float = 0.0
    read: Callable[[Values], float | str] | None = None
    depends: tuple[ValueKey, ...] = ()


def param_endpoint(address: str, track: str, spec: ParamSpec) -> Endpoint:
    """Return an address that sets a parameter in its own unit; values outside the range are clipped."""
    name = spec.name
    wanted = f"one number ({spec.minimum:g} to {spec.maximum:g} {spec.unit}".rstrip() + ")"

    def accept(call: Call) -> list[Action]:
        count(call.args, 1, 1, wanted)
        value = spec.clamp(number(call.args))
        return [SetParam(track, name, value, call.at_sample, call.origin)]

    return Endpoint(
        address,
        spec.doc,
        "f",
        accept,
        spec.unit,
        spec.minimum,
        spec.maximum,
        lambda values: values[track, name],
        ((track, name),),
    )


def norm_endpoint(address: str, track: str, spec: ParamSpec) -> Endpoint:
    """Return an address that sets a parameter by its place in the range, 0 to 1, as faders do."""
    name = spec.name

    def accept(call: Call) -> list[Action]:
        count(call.args, 1, 1, "one number (0 to 1)")
        value = spec.from_norm(number(call.args))
        return [SetParam(track, name, value, call.at_sample, call.origin)]

    return Endpoint(
        address,
        spec.doc,
        "f",
        accept,
        "",
        0.0,
        1.0,
        lambda values: spec.to_norm(values[track, name]),
        ((track, name),),
    )
