"""Turning mel frames of one convention into those of another, where nothing but the logarithm differs."""

from __future__ import annotations

import math
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Features
from synthhost.core.errors import FeatureError
from synthhost.core.mel_conventions import convention_of
from synthhost.core.mel_units import mel_units
from synthhost.core.specs import MelSpec
from synthhost.features.mel_checks import check_mel_spec

_NUMBERS = ("sample_rate", "n_fft", "hop_samples", "win_samples", "bands", "fmin_hz", "fmax_hz")
_OF_THE_LOGARITHM = frozenset({"published", "gain", "offset", "clip"})
_ROUNDING = 1e-6  # of a float32 near 1


def convert(features: Features, from_spec: MelSpec, to_spec: MelSpec) -> Features:
    """Return the frames another convention would have made of the same sound.

    That can be told only where both sum the same bands of the same spectrum and the logarithm, its factor and
    its floor alone differ, and only while no value was cut off that the other convention keeps.

    Args:
        features: `[bands, frames]`, as `from_spec` makes them.
        from_spec: What they follow.
        to_spec: What they shall follow.

    Returns:
        A new array `[bands, frames]`.

    Raises:
        FeatureError: With what differs, or how many values were cut off.
    """
    check_mel_spec(from_spec)
    check_mel_spec(to_spec)
    if features.ndim != 2 or features.shape[0] != from_spec.bands:
        raise FeatureError(
            f"mel: expected [{from_spec.bands} bands, frames], got shape {list(features.shape)}."
        )
    differences = mel_differences(from_spec, to_spec)
    if differences:
        raise FeatureError(
            f"mel: frames of {from_spec.convention} do not tell those of {to_spec.convention}: "
            f"{'; '.join(differences)}. Analyse the sound itself for {to_spec.convention}."
        )
    if _same_values(from_spec, to_spec):
        return np.array(features, dtype=np.float32)
    _check_nothing_lost(features, from_spec, to_spec)
    return _written(_read(features, from_spec), to_spec).astype(np.float32)


def mel_differences(one: MelSpec, other: MelSpec) -> list[str]:
    """Return what sets two specs' bands apart, such as "hop_samples 256, not 300"; the logarithm aside."""
    numbers = [(name, getattr(one, name), getattr(other, name)) for name in _NUMBERS]
    row, other_row = convention_of(one), convention_of(other)
    names = [field.name for field in fields(row) if field.name not in _OF_THE_LOGARITHM]
    facts = [(name, getattr(row, name), getattr(other_row, name)) for name in names]
    return [f"{name} {here}, not {there}" for name, here, there in numbers + facts if here != there]


def _same_values(one: MelSpec, other: MelSpec) -> bool:
    row, other_row = convention_of(one), convention_of(other)
    logarithm = (row.gain, row.offset, row.clip, one.log, one.floor)
    return logarithm == (other_row.gain, other_row.offset, other_row.clip, other.log, other.floor)


def _check_nothing_lost(features: Features, from_spec: MelSpec, to_spec: MelSpec) -> None:
    """Refuse values at a bound that the other convention does not have."""
    row, lost = convention_of(from_spec), 0
    if row.clip is not None:
        lost = int(np.count_nonzero((features <= row.clip[0]) | (features >= row.clip[1])))
    elif row.nothing_reads is None and to_spec.floor < from_spec.floor:
        silence = mel_units(from_spec).silence
        lost = int(np.count_nonzero(features <= silence + _ROUNDING * abs(silence)))
    if lost:
        raise FeatureError(
            f"mel: {from_spec.convention} cut off {lost} of {features.size} values, and {to_spec.convention} "
            f"reaches further; what they were is lost. Analyse the sound itself for {to_spec.convention}."
        )


def _read(features: Features, spec: MelSpec) -> NDArray[np.float64]:
    """Return the natural logarithm of what the bands summed, any shape."""
    row = convention_of(spec)
    logarithm = (features.astype(np.float64) - row.offset) / row.gain
    return logarithm if spec.log == "ln" else logarithm * math.log(10.0)


def _written(nats: NDArray[np.float64], spec: MelSpec) -> NDArray[np.float64]:
    """Return values of a spec for natural logarithms, any shape."""
    row = convention_of(spec)
    if row.nothing_reads is None:
        nats = np.maximum(nats, math.log(spec.floor))
    values = row.gain * (nats if spec.log == "ln" else nats / math.log(10.0)) + row.offset
    return values if row.clip is None else np.clip(values, *row.clip)
