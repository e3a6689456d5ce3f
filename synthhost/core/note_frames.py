"""What a frame of a note is: the numbers that a network which plays notes is told, one column a frame.

The first channels belong to the oscillators and are followed exactly: where the fundamental stands in its
cycles, its pitch, gain, tilt, air, stretch and the place in the noise. They hold all that a note remembers,
so that the model remembers nothing but the frame before. The others are what the network hears: key,
velocity, and how long ago the note began and ended, as decays of several lengths, so that every envelope is
a smooth function of them; then the timbre, a latent vector.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features

CYCLES, FRACTION, PITCH_FROM_HZ, PITCH_HZ, GAIN, TILT, AIR, STRETCH, PLACE = range(9)
"""Channels of the oscillators: whole cycles of the fundamental before the frame, and the fraction of one; Hz
at the frame's begin and end; a linear factor; dB an octave above the fundamental; a linear factor of the
noise; how stiff the string is: partial k lies at `k * sqrt(1 + stretch * k**2)`; the sample of the noise that
the frame begins at."""

OSCILLATOR_CHANNELS = 9

_AGE_DECAYS_S = (0.004, 0.012, 0.035, 0.1, 0.3, 1.0, 3.0, 10.0)
_RELEASE_DECAYS_S = (0.006, 0.02, 0.06, 0.2, 0.6, 2.0)
_MIDDLE_KEY, _KEYS_A_UNIT = 60.0, 24.0
_OF_KEY, _OF_VELOCITY = 2, 2
_PLACES = 1 << 24  # whole numbers up to here are exact in float32

TOLD_CHANNELS = _OF_KEY + _OF_VELOCITY + len(_AGE_DECAYS_S) + len(_RELEASE_DECAYS_S)
"""Channels that the network hears of a note, without the timbre."""


HANDS = ("level", "brightness", "air")
"""What can be done to a note beside its pitch and timbre: gain, tilt and air."""


@dataclass(frozen=True, slots=True)
class NoteSpec:
    """What a model that plays notes takes.

    Attributes:
        dimensions: Of its timbre.
        release_s: After a note's end it is heard for at most so long.
        lowest: Of the keys it was made for, in semitones; others sound too.
        highest: Of these keys.
        stretch: What gives the logarithm of a note's stretch: a constant, what each octave above key 60 adds,
            and what each dimension of the timbre adds.
        voices: Notes that sound at once where nothing else is said; so many are reckoned with.
        hands: Which of `HANDS` can be done to its notes.
        settled_s: The age from which on a held note goes on as it is; it was never heard older.
        own_gain: Whether it follows the gain itself; else what plays it makes the sound louder.
    """

    dimensions: int
    release_s: float
    lowest: float
    highest: float
    stretch: tuple[float, ...]
    voices: int = 8
    hands: tuple[str, ...] = HANDS
    own_gain: bool = True
    settled_s: float = math.inf

    @property
    def bands(self) -> int:
        """Return the channels of a frame."""
        return OSCILLATOR_CHANNELS + TOLD_CHANNELS + self.dimensions


def key_hz(key: Any) -> Any:
    """Return the pitch of a key in equal temperament: 440 Hz at 69."""
    return 440.0 * 2.0 ** ((np.asarray(key, dtype=np.float64) - 69.0) / 12.0)


def band_edges_hz(bands: int, sample_rate: int) -> NDArray[np.float64]:
    """Return the edges of noise bands, `[bands + 1]`, to half the rate: even on the mel scale.

    The scale is O'Shaughnessy's of 1987.
    """
    top = 2595.0 * np.log10(1.0 + sample_rate / 2.0 / 700.0)
    return np.asarray(700.0 * (10.0 ** (np.linspace(0.0, top, bands + 1) / 2595.0) - 1.0))


def told(key: Any, velocity: Any, age_s: Any, released_s: Any) -> NDArray[np.float32]:
    """Return what the network hears of notes, `[TOLD_CHANNELS, frames]`.

    Args:
        key: In semitones, as it sounds, `[frames]` or one number; so are all others.
        velocity: 0 to 1.
        age_s: Since the note began.
        released_s: Since it ended; 0 while it is held.
    """
    arrays = (np.atleast_1d(np.asarray(one, dtype=np.float64)) for one in (key, velocity, age_s, released_s))
    keys, velocities, ages_s, since_s = np.broadcast_arrays(*arrays)
    place = (keys - _MIDDLE_KEY) / _KEYS_A_UNIT
    rows = [place, place * place, velocities, velocities * velocities]
    rows += [np.exp(-ages_s / decay_s) for decay_s in _AGE_DECAYS_S]
    rows += [np.exp(-since_s / decay_s) for decay_s in _RELEASE_DECAYS_S]
    return np.stack(rows).astype(np.float32)


class NoteLine:
    """One note, written frame by frame; pitch, timbre and touch may move while it sounds.

    Args:
        spec: Of the model's notes.
        sample_rate: The model's, in Hz.
        hop_samples: Of a frame.
    """

    def __init__(self, spec: NoteSpec, sample_rate: int, hop_samples: int) -> None:
        self.spec = spec
        self._rate = sample_rate
        self._hop = hop_samples
        self.begin(60.0, 0.0)

    def begin(self, key: float, velocity: float, place: int = 0) -> None:
        """Stand at the start of a note.

        Args:
            key: In semitones, with fractions.
            velocity: 0 to 1.
            place: Where in the noise it begins, in samples.
        """
        self.key, self.velocity = key, velocity
        self.frames = 0
        self.released_frames: int | None = None
        self._cycles = 0.0
        self._place = place
        self._pitch_hz: float | None = None
        self._stretch: float | None = None

    def release(self) -> None:
        """End the note with the next frame; what is left of it is its release."""
        if self.released_frames is None:
            self.released_frames = 0

    @property
    def frames_left(self) -> int | None:
        """Return how many frames are left; None while it is held."""
        if self.released_frames is None:
            return None
        return max(round(self.spec.release_s * self._rate / self._hop) - self.released_frames, 0)

    def write(
        self,
        out: Features,
        timbre: Features,
        *,
        bend: Any = 0.0,
        gain: Any = 1.0,
        tilt: Any = 0.0,
        air: Any = 1.0,
    ) -> None:
        """Write the note's next frames, `out` `[bands, frames]`.

        Args:
            out: Filled.
            timbre: `[dimensions, frames]`.
            bend: What is added to the key, in semitones, `[frames]` or one number; so are all others.
            gain: A linear factor.
            tilt: dB an octave above the fundamental.
            air: A linear factor of the noise.
        """
        count = out.shape[1]
        keys = np.broadcast_to(np.asarray(self.key + np.asarray(bend, np.float64)), (count,))
        pitches_hz = np.asarray(key_hz(keys))
        if self._stretch is None or self._pitch_hz is None:
            self._pitch_hz = float(pitches_hz[0])
            self._stretch = self._stretch_of(timbre[:, 0])
        ends_hz = np.concatenate(([self._pitch_hz], pitches_hz))
        passed = 0.5 * (ends_hz[1:] + ends_hz[:-1]) * (self._hop / self._rate)
        begins = self._cycles + np.concatenate(([0.0], np.cumsum(passed)))
        since = np.arange(count)
        ages_s = np.minimum((self.frames + since + 1) * (self._hop / self._rate), self.spec.settled_s)
        released_s: Any = 0.0
        if self.released_frames is not None:
            released_s = (self.released_frames + since + 1) * (self._hop / self._rate)
            self.released_frames += count
        whole = np.floor(begins[:-1])
        out[CYCLES], out[FRACTION] = whole, begins[:-1] - whole
        out[PITCH_FROM_HZ], out[PITCH_HZ] = ends_hz[:-1], ends_hz[1:]
        out[GAIN], out[TILT], out[AIR], out[STRETCH] = gain, tilt, air, self._stretch
        out[PLACE] = (self._place + (self.frames + since) * self._hop) % _PLACES
        out[OSCILLATOR_CHANNELS : OSCILLATOR_CHANNELS + TOLD_CHANNELS] = told(
            keys, self.velocity, ages_s, released_s
        )
        out[OSCILLATOR_CHANNELS + TOLD_CHANNELS :] = timbre
        self._cycles, self._pitch_hz = float(begins[-1]), float(ends_hz[-1])
        self.frames += count

    def _stretch_of(self, timbre: Features) -> float:
        """Return how stiff a string of this key and timbre is."""
        constant, an_octave, *dimensions = self.spec.stretch
        logarithm = constant + an_octave * (self.key - _MIDDLE_KEY) / 12.0
        return float(np.exp(min(logarithm + float(np.dot(dimensions, timbre)), 0.0)))


def whole_note(
    line: NoteLine, timbre: Features, held: int, after: int, bend: NDArray[np.float64] | None = None
) -> Features:
    """Return all frames of a note, `[bands, frames]`.

    Args:
        line: At its start.
        timbre: `[dimensions]`.
        held: Frames that it is held.
        after: Frames after its end.
        bend: Added to the key, in semitones, `[held]`; its last value stays. None: nothing.
    """
    bend = np.zeros(held) if bend is None else bend
    points = np.repeat(np.asarray(timbre, np.float32)[:, None], held + after, 1)
    out = np.zeros((line.spec.bands, held + after), np.float32)
    line.write(out[:, :held], points[:, :held], bend=bend)
    if after:
        line.release()
        line.write(out[:, held:], points[:, held:], bend=bend[-1])
    return out


def measuring_frames(spec: NoteSpec, sample_rate: int, hop_samples: int, frames: int) -> Features:
    """Return a low note that bends and ends, `[bands, frames]`: what a model of notes is measured with."""
    line = NoteLine(spec, sample_rate, hop_samples)
    line.begin(max(spec.lowest, min(48.0, spec.highest)), 0.8, place=1000)
    held = max(2 * frames // 3, 1)
    timbre = np.zeros(spec.dimensions, np.float32)
    return whole_note(line, timbre, held, frames - held, np.linspace(0.0, 2.0, held))
