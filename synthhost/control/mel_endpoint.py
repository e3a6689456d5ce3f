"""Mel frames over OSC: numbers or one blob, one frame or several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from synthhost.control.arguments import whole
from synthhost.control.endpoints import Action, Call, Endpoint
from synthhost.control.packets import OscArg
from synthhost.core.arrays import Features
from synthhost.core.errors import OscError
from synthhost.core.messages import PushMel

_MAX_INDEX = 1 << 53


LARGEST = 50.0
"""No log-mel value lies beyond it; decibels do, and a network would carry such a value for a long time."""


def mel_endpoint(address: str, name: str, track: Mapping[str, Any]) -> Endpoint:
    """Return the address that takes mel frames for a track.

    A blob holds big-endian float32, frame after frame. A leading whole number is the index of the first
    frame; with numbers it is told from a band by the count, which is then one more than whole frames.
    """
    bands = int(track["bands"])

    def accept(call: Call) -> list[Action]:
        if track.get("source") != "frames" and not track.get("cue"):
            raise OscError(
                f"track {name!r} plays a tape and takes no frames; load a preset of kind 'frames'."
            )
        index, frames = read_mel(call.args, bands)
        return [PushMel(name, index, frames, call.at_sample, call.origin)]

    about = f"{bands} log-mel values a frame, or one blob of big-endian float32; optional frame index first"
    return Endpoint(address, about, f"[i]f*{bands}|b", accept)


def read_mel(args: tuple[OscArg, ...], bands: int) -> tuple[int | None, Features]:
    """Return the index, if one came, and the frames `[bands, frames]`.

    Raises:
        OscError: The count does not make whole frames, or a value is no log-mel value.
    """
    blob = bool(args) and isinstance(args[-1], bytes)
    has_index = len(args) == 2 if blob else len(args) % bands == 1
    index = whole(args, 0, 0, _MAX_INDEX) if has_index else None
    rest = args[1:] if has_index else args
    flat = _from_blob(rest, bands) if blob else _from_numbers(rest, bands)
    if not np.isfinite(flat).all():
        raise OscError("a frame holds values that are not finite numbers (NaN or infinity).")
    if np.abs(flat).max() > LARGEST:
        raise OscError(
            f"a frame holds {flat[np.abs(flat).argmax()]:.0f}, which is no log-mel value. "
            "Send the logarithm of magnitudes, not decibels."
        )
    return index, np.ascontiguousarray(flat.reshape(-1, bands).T, dtype=np.float32)


def _from_blob(rest: tuple[OscArg, ...], bands: int) -> Features:
    blob = rest[0]
    if len(rest) != 1 or not isinstance(blob, bytes):
        raise OscError("takes one blob, with the frame index in front if wanted.")
    if not blob or len(blob) % (4 * bands):
        raise OscError(f"a blob of {len(blob)} bytes does not hold whole frames of {4 * bands} bytes.")
    return np.frombuffer(blob, dtype=">f4").astype(np.float32)


def _from_numbers(rest: tuple[OscArg, ...], bands: int) -> Features:
    if not rest or len(rest) % bands:
        raise OscError(f"takes {bands} numbers a frame (and an index first, if wanted), and got {len(rest)}.")
    if not all(isinstance(value, (int, float)) for value in rest):
        raise OscError("a frame is made of numbers.")
    with np.errstate(over="ignore"):  # too large for float32 becomes infinite and is refused
        return np.array(rest, dtype=np.float64).astype(np.float32)
