"""What the numbers in mel frames mean: decibels, silence, and how far values reach."""

from __future__ import annotations

import math
from dataclasses import dataclass

from synthhost.core.mel_conventions import MelConvention, convention_of
from synthhost.core.specs import MelSpec

_CEILING_NATS = 3.0  # equal-area bands read a full-scale sine below 2
_HEADROOM_NATS = 1.0
_LARGEST_NATS = 50.0


@dataclass(frozen=True, slots=True)
class MelUnits:
    """The units of one convention's frames.

    Attributes:
        per_nat: How much a value grows when what a band sums grows e-fold.
        per_db: How much it grows when the sound grows by 1 dB.
        per_loudness_nat: How much it grows when the sound's amplitude grows e-fold.
        silence: The value of a silent band.
        ceiling: Above the value of any band of a full-scale sine.
        lowest: No value lies below it.
        highest: No value lies above it.
    """

    per_nat: float
    per_db: float
    per_loudness_nat: float
    silence: float
    ceiling: float
    lowest: float
    highest: float


def mel_units(spec: MelSpec) -> MelUnits:
    """Return the units of a spec's frames.

    Raises:
        FeatureError: If its convention is not known.
    """
    row = convention_of(spec)
    per_nat = row.gain * (1.0 if spec.log == "ln" else 1.0 / math.log(10.0))
    logarithm = math.log if spec.log == "ln" else math.log10
    silence = row.gain * logarithm(spec.floor) + row.offset
    ceiling = row.offset + per_nat * _ceiling_nats(row, spec)
    lowest, highest = row.offset - per_nat * _LARGEST_NATS, row.offset + per_nat * _LARGEST_NATS
    if row.clip is not None:
        low, high = row.clip
        silence, ceiling = max(silence, low), min(ceiling, high)
        lowest, highest = 2 * low - high, 2 * high - low
    return MelUnits(
        per_nat=per_nat,
        per_db=per_nat * row.power * math.log(10.0) / 20.0,
        per_loudness_nat=per_nat * row.power,
        silence=silence,
        ceiling=ceiling,
        lowest=lowest,
        highest=highest,
    )


def _ceiling_nats(row: MelConvention, spec: MelSpec) -> float:
    """Return the logarithm of what no band of a full-scale sine exceeds, with headroom for louder sound."""
    if row.equal_area:
        return _CEILING_NATS
    energy = spec.n_fft * 0.375 * spec.win_samples / 4.0  # of a sine's bins under a Hann window, by Parseval
    largest = energy if row.power == 2 else spec.n_fft / 2.0
    if row.unit_window:
        largest /= math.sqrt(0.375 * spec.win_samples) ** row.power
    return math.log(largest) + _HEADROOM_NATS * row.power
