"""The addresses of clips and of latent vectors: triggers, notes, and a vector in one message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from synthhost.control.arguments import count, number, whole
from synthhost.control.endpoints import Action, Call, Endpoint
from synthhost.control.packets import OscArg
from synthhost.core.errors import OscError
from synthhost.core.messages import NoteOff, SetParam, Trigger
from synthhost.core.params import ParamSpec

HIGHEST_KEY = 127.0
MOST_GROUPS = 127
LARGEST = 100.0
"""No number of a latent vector lies beyond it; a network would carry such a one for a long time."""


def clip_endpoints(base: str, name: str, bands: int) -> Iterator[Endpoint]:
    """Yield the addresses that begin and end clips on a track.

    Args:
        base: The track's address.
        name: The track's name.
        bands: Dimensions of its model's latent vectors.
    """
    vector = f"[f*{bands}]" if bands else ""

    def trigger(call: Call) -> list[Action]:
        velocity, latent = _hit(call.args, bands)
        return [Trigger(name, None, velocity, latent, 0, call.at_sample, call.origin)]

    def group(call: Call) -> list[Action]:
        count(call.args, 1, 2 + bands, "a choke group and, if wanted, a velocity and a latent vector")
        choke = whole(call.args, 0, 0, MOST_GROUPS)
        velocity, latent = _hit(call.args[1:], bands)
        return [Trigger(name, None, velocity, latent, choke, call.at_sample, call.origin)]

    def note(call: Call) -> list[Action]:
        count(call.args, 2, 2, "a key (0 to 127) and a velocity (0 to 1; 0 ends the note)")
        key, velocity = _key(call.args), _velocity(call.args, 1)
        if velocity == 0.0:
            return [NoteOff(name, key, call.at_sample, call.origin)]
        return [Trigger(name, key, velocity, None, 0, call.at_sample, call.origin)]

    def note_off(call: Call) -> list[Action]:
        count(call.args, 1, 1, "a key (0 to 127)")
        return [NoteOff(name, _key(call.args), call.at_sample, call.origin)]

    drawn = "; drawn where none is given" if bands else ""
    about = f"begin a clip: velocity, latent vector{drawn}"
    yield Endpoint(f"{base}/trigger", about, f"[f]{vector}", trigger)
    about = "the same in a choke group: it silences earlier clips of the group"
    yield Endpoint(f"{base}/trigger/group", about, f"i[f]{vector}", group)
    yield Endpoint(f"{base}/note", "begin the clip of a key: key, velocity", "ff", note)
    yield Endpoint(f"{base}/note/off", "end a note, where the preset has a release", "f", note_off)


def latent_endpoint(base: str, name: str, specs: Mapping[str, ParamSpec]) -> Endpoint | None:
    """Return the address that sets a whole latent vector, or None where a track has none.

    Args:
        base: The track's address.
        name: The track's name.
        specs: Of the track's parameters, by name.
    """
    dimensions = [specs[f"latent.{index}"] for index in range(len(specs)) if f"latent.{index}" in specs]
    if not dimensions:
        return None
    size = len(dimensions)

    def accept(call: Call) -> list[Action]:
        count(call.args, size, size, f"{size} numbers, one for each dimension")
        return [
            SetParam(name, spec.name, spec.clamp(number(call.args, at)), call.at_sample, call.origin)
            for at, spec in enumerate(dimensions)
        ]

    about = "the whole latent vector; single dimensions are the parameters latent.0, latent.1 ..."
    return Endpoint(
        f"{base}/latent", about, f"f*{size}", accept, "", dimensions[0].minimum, dimensions[0].maximum
    )


def _hit(args: tuple[OscArg, ...], bands: int) -> tuple[float, tuple[float, ...] | None]:
    """Return velocity and vector: both, either or neither may have come."""
    if bands > 1 and len(args) == bands:
        return 1.0, _vector(args)
    if len(args) not in (0, 1, 1 + bands):
        whole_vector = f", or a velocity and {bands} numbers of a latent vector" if bands else ""
        raise OscError(f"takes nothing or a velocity{whole_vector}, and got {len(args)} arguments.")
    velocity = _velocity(args, 0) if args else 1.0
    return velocity, _vector(args[1:]) if len(args) > 1 else None


def _vector(args: tuple[OscArg, ...]) -> tuple[float, ...]:
    vector = tuple(number(args, at) for at in range(len(args)))
    if any(abs(value) > LARGEST for value in vector):
        raise OscError(
            f"a latent vector's numbers lie from {-LARGEST:g} to {LARGEST:g}; they are drawn near 0."
        )
    return vector


def _velocity(args: tuple[OscArg, ...], at: int) -> float:
    velocity = number(args, at)
    if not 0.0 <= velocity <= 1.0:
        raise OscError(f"a velocity lies from 0 to 1, not {velocity:g}; divide a MIDI velocity by 127.")
    return velocity


def _key(args: tuple[OscArg, ...]) -> float:
    key = number(args, 0)
    if not 0.0 <= key <= HIGHEST_KEY:
        raise OscError(f"a key lies from 0 to {HIGHEST_KEY:g}, not {key:g}.")
    return key
