"""The tape source: a recording played as features, at any place, speed, pitch and colour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.params import ParamSpec
from synthhost.core.specs import MelSpec
from synthhost.sources.glide import Glide
from synthhost.sources.mel_colour import MelColour
from synthhost.sources.motion import Drift, Grains
from synthhost.sources.playhead import Playhead
from synthhost.sources.ramps import ParamRamps
from synthhost.sources.source_params import TAPE_PARAMS
from synthhost.sources.tape import Tape

Slot: TypeAlias = Literal["a", "b"]

MOTION_DB = 3.0  # the swell at full motion, either way
MOTION_FRAMES = 8.0  # the sway at full motion, either way
_MOST_FRAMES = 64  # longer calls are cut, so that memory stays bounded
_WANDER, _GRAINS, _SWAY, _SWELL = 1, 2, 3, 4  # noise streams
_WANDER_KNOT_FRAMES, _SWAY_KNOT_FRAMES, _SWELL_KNOT_FRAMES = 128, 32, 48


class TapeSource:
    """Plays one tape, or a blend of two.

    Frames are a function of the tapes, the parameters' history, the seed and the frame's index alone: how
    many are asked for at once makes no difference. With everything at its default they are the tape's frames
    bit for bit.
    """

    kind = "tape"
    params: tuple[ParamSpec, ...] = TAPE_PARAMS

    def __init__(self, spec: MelSpec, tape_a: Tape, tape_b: Tape | None = None, seed: int = 0) -> None:
        """Stand at the start of tape A.

        Raises:
            SourceError: If a tape follows another mel convention than the model.
        """
        for tape in (tape_a, tape_b):
            _check_spec(tape, spec)
        self.spec = spec
        self._tapes: dict[Slot, Tape | None] = {"a": tape_a, "b": tape_b}
        self._ramps = ParamRamps(TAPE_PARAMS, spec.sample_rate / spec.hop_samples, _MOST_FRAMES)
        self._playhead = Playhead(tape_a.frames)
        self._colour = MelColour(spec)
        self._glide = Glide(spec.bands)
        self._grains = Grains(seed, _GRAINS)
        self._wander = Drift(seed, _WANDER, _WANDER_KNOT_FRAMES)
        self._sway = Drift(seed, _SWAY, _SWAY_KNOT_FRAMES)
        self._swell = Drift(seed, _SWELL, _SWELL_KNOT_FRAMES)
        self._places = np.zeros(_MOST_FRAMES)
        self._jumps = np.zeros(_MOST_FRAMES, dtype=np.bool_)
        self._frame = 0
        self._tape_changed = False

    @property
    def tapes(self) -> Mapping[Slot, Tape | None]:
        """What is in the slots now. [render thread]"""
        return self._tapes

    @property
    def place(self) -> float:
        """Where the playhead stands, as a fraction of tape A. [render thread]"""
        return self._playhead.place / (self._playhead.frames - 1)

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value in its own unit; `position` moves the playhead with a short mix.

        Raises:
            SourceError: If there is no such parameter, or the value is not a finite number.

        [render thread]
        """
        held = self._ramps.move(name, value)
        if name == "position":
            self._playhead.jump_to(held)

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value at once; raises as `set_param` does."""
        held = self._ramps.jump(name, value)
        if name == "position":
            self._playhead.jump_to(held)

    def put_tape(self, slot: Slot, tape: Tape) -> None:
        """Play another tape from the next frame on, mixed in over a few frames, at the same relative place.

        Args:
            slot: "a" or "b".
            tape: Made by `load_tape` with this source's `spec`, elsewhere.

        [render thread]
        """
        assert tape.spec == self.spec, tape.name
        self._tapes[slot] = tape
        self._tape_changed = True
        if slot == "a":
            self._playhead.change_tape(tape.frames)

    def push(self, index: int | None, frames: Features) -> None:
        """Ignore frames from outside: a tape makes its own. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return nothing: a tape cannot run short."""
        return {}

    def next_frames(self, out: Features) -> None:
        """Write the next frames, `[bands, frames]`. [render thread]"""
        for first in range(0, out.shape[1], _MOST_FRAMES):
            part = out[:, first : first + _MOST_FRAMES]
            part[:] = self._next_rows(part.shape[1]).T

    def _next_rows(self, frames: int) -> NDArray[np.float32]:
        self._ramps.fill(frames)
        places, jumps = self._places[:frames], self._jumps[:frames]
        speed = self._speed(frames)
        self._playhead.run(
            speed,
            self._now("loop_start", frames),
            self._now("loop_end", frames),
            places,
            jumps,
        )
        jumps[0] |= self._tape_changed
        self._tape_changed = False
        rows = self._read(places, speed, frames)
        self._colour_rows(rows, frames)
        self._glide.smooth(rows, jumps)
        self._frame += frames
        return rows

    def _now(self, name: str, frames: int) -> NDArray[np.float32]:
        return self._ramps.values(name, frames)

    def _speed(self, frames: int) -> NDArray[np.float32]:
        """Return how fast the playhead runs, `[frames]`: a freeze takes it to 0."""
        speed, freeze = self._now("speed", frames), self._now("freeze", frames)
        return speed * (np.float32(1.0) - freeze) if freeze.any() else speed

    def _read(
        self, places: NDArray[np.float64], speed: NDArray[np.float32], frames: int
    ) -> NDArray[np.float32]:
        """Return what lies under the playhead, strayed from it as far as wander, motion and grains say."""
        places = places + self._strayed(frames)
        lacking = np.maximum(1.0 - np.abs(speed.astype(np.float64)), 0.0)
        if not lacking.any():
            return self._blended(places, self._now("blend", frames))
        lacking = np.where(speed < 0.0, -lacking, lacking)
        present, before, weight = self._grains.at(self._frame, frames)
        rows = self._blended(places + lacking * present, self._now("blend", frames))
        mixing = np.flatnonzero((weight < 1.0) & (lacking != 0.0))
        if mixing.size:
            leaving = self._blended((places + lacking * before)[mixing], self._now("blend", frames)[mixing])
            share = weight[mixing, None]
            rows[mixing] = leaving + share * (rows[mixing] - leaving)
        return rows

    def _strayed(self, frames: int) -> NDArray[np.float64] | float:
        strayed: NDArray[np.float64] | float = 0.0
        wander, motion = self._now("wander", frames), self._now("motion", frames)
        if wander.any():
            frame_rate_hz = self.spec.sample_rate / self.spec.hop_samples
            strayed = strayed + frame_rate_hz * wander * self._wander.at(self._frame, frames)
        if motion.any():
            strayed = strayed + MOTION_FRAMES * motion * self._sway.at(self._frame, frames)
        return strayed

    def _blended(self, places: NDArray[np.float64], blend: NDArray[np.float32]) -> NDArray[np.float32]:
        tape_a, tape_b = self._tapes["a"], self._tapes["b"]
        assert tape_a is not None
        rows = tape_a.read(places)
        if tape_b is None or not blend.any():
            return rows
        rows_b = tape_b.read(places * ((tape_b.frames - 1) / (tape_a.frames - 1)))
        share = blend[:, None]
        mixed: NDArray[np.float32] = rows * (np.float32(1.0) - share) + rows_b * share
        return mixed

    def _colour_rows(self, rows: NDArray[np.float32], frames: int) -> None:
        level_db, motion = self._now("level", frames), self._now("motion", frames)
        if motion.any():
            swell_db = MOTION_DB * motion * self._swell.at(self._frame, frames)
            level_db = (level_db + swell_db).astype(np.float32)
        self._colour.apply(
            rows,
            self._now("pitch", frames),
            self._now("formant", frames),
            self._now("brightness", frames),
            level_db,
        )


def _check_spec(tape: Tape | None, spec: MelSpec) -> None:
    if tape is not None and tape.spec != spec:
        raise SourceError(
            f"{tape.name}: its frames follow mel convention {tape.spec.convention!r}, the model wants "
            f"{spec.convention!r}, or other numbers of it. Load the sound again for this model."
        )
