"""The source of notes: what hands do to keys, bend, vibrato, loudness and timbre, read at any moment.

A parameter that moves goes on a straight line from where it stands to where it is sent. Notes begin at
different samples and each reads the lines at its own frames' places in time, so their frames say the same of
the same moment whoever asks first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features
from synthhost.core.errors import SourceError
from synthhost.core.noise import uniforms
from synthhost.core.note_frames import HANDS, NoteLine, NoteSpec
from synthhost.core.params import ParamSpec
from synthhost.core.specs import ModelSpec
from synthhost.sources.latent import dimension
from synthhost.sources.motion import Drift

NOTE_PARAMS: tuple[ParamSpec, ...] = (
    ParamSpec(
        "voices", "", 1.0, 16.0, 8.0,
        "how many notes sound at once; one more takes the place of the oldest",
        smoothing_ms=0.0, kind="int",
    ),
    ParamSpec(
        "key", "semitones", 0.0, 127.0, 60.0,
        "of a trigger that brings none",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "bend", "semitones", -24.0, 24.0, 0.0,
        "added to every key, also while notes sound",
        smoothing_ms=5.0,
    ),
    ParamSpec(
        "vibrato", "semitones", 0.0, 2.0, 0.0,
        "how far pitch sways to either side",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "vibrato_hz", "Hz", 0.1, 12.0, 5.5,
        "how often it sways",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "level", "dB", -60.0, 12.0, 0.0,
        "how loud notes are, also while they sound",
        smoothing_ms=20.0,
    ),
    ParamSpec(
        "brightness", "dB/octave", -12.0, 12.0, 0.0,
        "tilts the spectrum above the fundamental",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "air", "dB", -60.0, 24.0, 0.0,
        "how loud the noisy part is, beside what the timbre says",
        smoothing_ms=40.0,
    ),
    ParamSpec(
        "touch", "", 0.0, 1.0, 1.0,
        "how much velocity matters: at 0 every note is struck alike",
        smoothing_ms=0.0,
    ),
    ParamSpec(
        "wander", "", 0.0, 3.0, 0.0,
        "how far the timbre drifts by itself, in each dimension",
        smoothing_ms=200.0,
    ),
)  # fmt: skip
"""What every source of notes has beside its timbre's dimensions, `latent.0`, `latent.1` and so on."""

_PLAIN_VELOCITY = 0.7
_KNOT_S = 2.0  # a new direction of drift this often
_PLACES = 1 << 16
_NOISE = 9  # random stream
_TIMBRE_SMOOTHING_MS = 60.0


@dataclass(slots=True)
class _Line:
    """A straight line in time: from a value to another, then level."""

    start: float
    end: float
    sample: int = 0
    samples: int = 1

    def at(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return its values at some samples. [render thread]"""
        part = np.minimum(np.maximum((samples - self.sample) / self.samples, 0.0), 1.0)
        return self.start + (self.end - self.start) * part

    def aim(self, value: float, sample: int, samples: int) -> None:
        """Go to a value from where it is at a sample. [render thread]"""
        here = float(self.at(np.array([sample]))[0])
        self.start, self.end, self.sample, self.samples = here, value, sample, max(samples, 1)

    def jump(self, value: float) -> None:
        """Stand at a value."""
        self.start = self.end = value


class NotesSource:
    """Tells notes what hands do.

    Args:
        spec: Of a model that plays notes.
        seed: Of the timbre's drift and of where notes begin in the noise.
        sample_rate: Of the samples that notes are placed by: the engine's.

    Raises:
        SourceError: The model plays no notes.
    """

    kind = "notes"

    def __init__(self, spec: ModelSpec, seed: int = 0, sample_rate: int | None = None) -> None:
        if spec.notes is None:
            raise SourceError(f"{spec.name} plays no notes. Give it another source.")
        self._notes = spec.notes
        self._rate = sample_rate or spec.sample_rate
        self._hop_samples = spec.hop_samples * self._rate / spec.sample_rate
        hand = (
            replace(dimension(index), smoothing_ms=_TIMBRE_SMOOTHING_MS)
            for index in range(spec.notes.dimensions)
        )
        self.params = (*_params_of(spec.notes), *hand)
        self._specs = {param.name: param for param in self.params}
        known = (*NOTE_PARAMS, *self.params)  # what is not followed stands at its middle
        self._lines = {param.name: _Line(param.default, param.default) for param in known}
        self._timbre = [self._lines[f"latent.{index}"] for index in range(spec.notes.dimensions)]
        knots = max(round(_KNOT_S * self._rate / self._hop_samples), 1)
        self._drifts = [Drift(seed, index, knots) for index in range(spec.notes.dimensions)]
        self._seed = seed
        self._now = 0
        self._turns, self._turns_from = 0.0, 0  # of the vibrato

    def stand_at(self, sample: int) -> None:
        """Say at which of the voice's samples whatever is set from now on takes effect. [render thread]"""
        self._now = sample

    def set_param(self, name: str, value: float) -> None:
        """Aim a parameter at a value; it goes there on a line. [render thread]"""
        if name == "vibrato_hz":
            self._turns, self._turns_from = float(self._sway(np.array([self._now]))[0]), self._now
        smoothing_s = self._specs[name].smoothing_ms / 1000.0
        self._lines[name].aim(value, self._now, round(smoothing_s * self._rate))

    def jump_param(self, name: str, value: float) -> None:
        """Stand a parameter at a value."""
        self._lines[name].jump(value)

    def value(self, name: str) -> float:
        """Return where a parameter is sent. [render thread]"""
        return self._lines[name].end

    def begin(self, line: NoteLine, number: int, key: float, velocity: float) -> None:
        """Let a note stand at its start. [render thread]"""
        touched = _PLAIN_VELOCITY + self.value("touch") * (velocity - _PLAIN_VELOCITY)
        line.begin(key, touched, int(uniforms(self._seed, _NOISE, number, 1)[0] * _PLACES))

    def write(self, line: NoteLine, sample: int, own: Features | None, out: Features) -> None:
        """Write a note's next frames, `[bands, frames]`, that begin at a sample. [render thread]"""
        count = out.shape[1]
        ends = sample + np.rint(self._hop_samples * np.arange(1, count + 1)).astype(np.int64)
        at = self._lines
        bend = at["bend"].at(ends)
        depth = at["vibrato"].at(ends)
        if depth.any():
            bend = bend + depth * np.sin(2.0 * math.pi * self._sway(ends))
        line.write(
            out,
            self._timbre_at(ends) if own is None else np.repeat(own[:, None], count, 1),
            bend=bend,
            gain=_factor(at["level"].at(ends)),
            tilt=at["brightness"].at(ends),
            air=_factor(at["air"].at(ends)),
        )

    def next_frames(self, out: Features) -> None:
        """Write silence: notes are told one by one. [render thread]"""
        out[:] = 0.0

    def push(self, index: int | None, frames: Features) -> None:
        """Ignore frames from outside. [render thread]"""

    def counters(self) -> dict[str, int]:
        """Return nothing: nothing can go wrong."""
        return {}

    def _sway(self, samples: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return how often the vibrato has swayed by some samples."""
        hertz = self._lines["vibrato_hz"].end
        return np.asarray(self._turns + (samples - self._turns_from) * (hertz / self._rate))

    def _timbre_at(self, samples: NDArray[np.int64]) -> Features:
        timbre = np.stack([line.at(samples) for line in self._timbre])
        wander = self._lines["wander"].at(samples)
        if wander.any():
            frames = (samples / self._hop_samples).astype(np.int64)
            for row, drift in enumerate(self._drifts):
                timbre[row] += wander * [drift.at(int(frame), 1)[0] for frame in frames]
        return timbre.astype(np.float32)


def _params_of(notes: NoteSpec) -> tuple[ParamSpec, ...]:
    """Return what can be done to the notes of a model."""
    deaf = set(HANDS) - set(notes.hands)
    return tuple(
        replace(param, default=float(notes.voices)) if param.name == "voices" else param
        for param in NOTE_PARAMS
        if param.name not in deaf
    )


def _factor(db: Any) -> Any:
    return 10.0 ** (db / 20.0)
