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
from synthhost.core.mel_conventions import convention_of
from synthhost.core.mel_units import mel_units
from synthhost.core.messages import PushMel
from synthhost.core.specs import MelSpec

_MAX_INDEX = 1 << 53


def mel_endpoint(address: str, name: str, track: Mapping[str, Any]) -> Endpoint:
    """Return the address that takes mel frames for a track.

    A blob holds big-endian float32, frame after frame. A leading whole number is the index of the first
    frame; with numbers it is told from a band by the count, which is then one more than whole frames.
    """
    bands = int(track["bands"])
    mel = MelSpec(**track["mel"]) if track.get("mel") else None

    def accept(call: Call) -> list[Action]:
        if track.get("source") != "frames" and not track.get("cue"):
            raise OscError(
                f"track {name!r} has a source of kind {track.get('source')!r} and takes no frames; load a "
                "preset of kind 'frames'."
            )
        index, frames = read_mel(call.args, bands, mel)
        return [PushMel(name, index, frames, call.at_sample, call.origin)]

    about = f"{bands} {_wanted(mel)} a frame, or one blob of big-endian float32; optional frame index first"
    return Endpoint(address, about, f"[i]f*{bands}|b", accept)


def read_mel(args: tuple[OscArg, ...], bands: int, mel: MelSpec | None = None) -> tuple[int | None, Features]:
    """Return the index, if one came, and the frames `[bands, frames]`.

    Args:
        args: What came with the message.
        bands: Of a frame.
        mel: What the frames follow; None where they mean something else.

    Raises:
        OscError: The count does not make whole frames, or a value is none that the convention can have.
    """
    blob = bool(args) and isinstance(args[-1], bytes)
    has_index = len(args) == 2 if blob else len(args) % bands == 1
    index = whole(args, 0, 0, _MAX_INDEX) if has_index else None
    rest = args[1:] if has_index else args
    flat = _from_blob(rest, bands) if blob else _from_numbers(rest, bands)
    if not np.isfinite(flat).all():
        raise OscError("a frame holds values that are not finite numbers (NaN or infinity).")
    if mel is not None:
        _check_values(flat, mel)
    return index, np.ascontiguousarray(flat.reshape(-1, bands).T, dtype=np.float32)


def _check_values(flat: Features, mel: MelSpec) -> None:
    """Refuse values no mel frame holds, such as decibels: a network would carry them for a long time."""
    units = mel_units(mel)
    wrong = flat[(flat < units.lowest) | (flat > units.highest)]
    if wrong.size:
        raise OscError(
            f"a frame holds {wrong[np.abs(wrong).argmax()]:.4g}, which is no value of mel convention "
            f"{mel.convention!r}. Send {_wanted(mel)}, not decibels."
        )


def _wanted(mel: MelSpec | None) -> str:
    """Return what a frame's values are, for a person who makes them."""
    if mel is None:
        return "values"
    row = convention_of(mel)
    if row.clip is not None:
        return f"log-mel values scaled into {row.clip[0]:g}..{row.clip[1]:g}"
    base = "natural" if mel.log == "ln" else "base-10"
    return f"log-mel values ({base} logarithms of {'energies' if row.power == 2 else 'magnitudes'})"


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
