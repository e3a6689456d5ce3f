"""Colouring mel frames: pitch, formants, brightness and level."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from synthhost.core.mel_conventions import convention_of
from synthhost.core.mel_units import mel_units
from synthhost.core.specs import MelSpec
from synthhost.features.mel import band_centres_hz, hz_to_band
from synthhost.features.mel_scales import hz_in_a_band

_ENVELOPE_CEPSTRA = 8  # cosine terms kept as envelope; more would take a high voice's partials for formants
_EDGE_SLOPE = 0.5  # nats a band that the spectrum falls where it is read beyond its ends
_TILT_LOWEST_HZ = 60.0  # brightness counts from here up


class MelColour:
    """Warps and tilts frames of one mel convention."""

    def __init__(self, spec: MelSpec) -> None:
        """Prepare the tables for a convention.

        Raises:
            FeatureError: If the convention is not known.
        """
        units, convention = mel_units(spec), convention_of(spec)
        self._spec = spec
        self._per_db = np.float32(units.per_db)
        self._edge_slope = units.per_loudness_nat * _EDGE_SLOPE
        self._per_width_nat = units.per_nat if convention.equal_area else 0.0
        self._scale = convention.scale
        self._floor, self._ceiling = np.float32(units.silence), np.float32(units.ceiling)
        self._centres_hz = band_centres_hz(spec)
        self._octaves = np.log2(np.maximum(self._centres_hz, _TILT_LOWEST_HZ) / 1000.0).astype(np.float32)
        self._smoother = _envelope_matrix(spec.bands)

    def apply(
        self,
        rows: NDArray[np.float32],
        pitch: NDArray[np.float32],
        formant: NDArray[np.float32],
        brightness: NDArray[np.float32],
        level_db: NDArray[np.float32],
    ) -> None:
        """Colour frames in place; those with nothing to change keep their bits.

        Args:
            rows: Log-mel frames, `[n, bands]`.
            pitch: Semitones, `[n]`.
            formant: Semitones, `[n]`.
            brightness: dB an octave, `[n]`.
            level_db: Gain in dB, `[n]`.

        [render thread]
        """
        touched = np.flatnonzero((pitch != 0.0) | (formant != 0.0) | (brightness != 0.0) | (level_db != 0.0))
        if not touched.size:
            return
        changed = rows[touched]
        self.transpose(changed, pitch[touched], formant[touched])
        self.tilt(changed, brightness[touched])
        self.gain(changed, level_db[touched])
        rows[touched] = np.clip(changed, self._floor, self._ceiling)

    def transpose(
        self, rows: NDArray[np.float32], pitch: NDArray[np.float32], formant: NDArray[np.float32]
    ) -> None:
        """Transpose in place, and move the envelope on top of that.

        A frame's values must not depend on the frames beside it, so each case takes the frames it concerns.

        Args:
            rows: Log-mel frames, `[n, bands]`.
            pitch: Semitones, `[n]`.
            formant: Semitones, `[n]`.

        [render thread]
        """
        whole = np.flatnonzero((pitch != 0.0) & (formant == 0.0))
        if whole.size:
            rows[whole] = self._warp(rows[whole], pitch[whole]) + self._width_gain(pitch[whole])
        split = np.flatnonzero(formant)
        if split.size:
            rows[split] = self._split(rows[split], pitch[split], formant[split])

    def tilt(self, rows: NDArray[np.float32], slope_db: NDArray[np.float32]) -> None:
        """Tilt in place around 1 kHz, rows `[n, bands]`, slope in dB an octave `[n]`. [render thread]"""
        rows += (slope_db * self._per_db)[:, None] * self._octaves

    def gain(self, rows: NDArray[np.float32], gain_db: NDArray[np.float32]) -> None:
        """Make louder in place, rows `[n, bands]`, gain `[n]`. [render thread]"""
        rows += (gain_db * self._per_db)[:, None]

    def _split(
        self, rows: NDArray[np.float32], pitch: NDArray[np.float32], formant: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Warp envelope and fine structure apart from each other."""
        envelope = np.empty_like(rows)
        for row, smooth in zip(rows, envelope, strict=True):
            np.dot(row, self._smoother, out=smooth)  # one by one: a matrix product rounds by its row count
        fine = self._warp(rows - envelope, pitch, falls=False)
        return fine + self._warp(envelope, pitch + formant) + self._width_gain(pitch)

    def _warp(
        self, rows: NDArray[np.float32], semitones: NDArray[np.float32], falls: bool = True
    ) -> NDArray[np.float32]:
        """Read every frame at its bands' frequencies divided by the interval."""
        wanted = hz_to_band(self._spec, _ratios(semitones) * self._centres_hz)
        held = np.minimum(np.maximum(wanted, 0.0), self._spec.bands - 1.0)
        whole = np.minimum(held.astype(np.intp), self._spec.bands - 2)
        part = (held - whole).astype(np.float32)
        frame = np.arange(rows.shape[0])[:, None]
        low = rows[frame, whole]
        warped: NDArray[np.float32] = low + part * (rows[frame, whole + 1] - low)
        beyond = np.abs(wanted - held)
        if falls:
            warped -= (self._edge_slope * beyond).astype(np.float32)
        else:
            warped *= beyond < 1.0
        return warped

    def _width_gain(self, semitones: NDArray[np.float32]) -> NDArray[np.float32]:
        """Weigh for the bands' widths: of bands with equal areas, one twice as wide reads half as high."""
        widths = hz_in_a_band(self._centres_hz, self._scale)
        read_from = hz_in_a_band(_ratios(semitones) * self._centres_hz, self._scale)
        return (self._per_width_nat * np.log(read_from / widths)).astype(np.float32)


def _ratios(semitones: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return what a band's frequency is multiplied by to be read, `[n, 1]`; one row if all are the same."""
    if (semitones == semitones[0]).all():
        semitones = semitones[:1]
    ratios: NDArray[np.float64] = np.exp2(semitones.astype(np.float64) / -12.0)[:, None]
    return ratios


def _envelope_matrix(bands: int) -> NDArray[np.float32]:
    """Return the symmetric matrix that keeps a log spectrum's slowest cosine terms, `[bands, bands]`."""
    order = np.arange(bands)
    cosines = np.cos(np.pi * order[:, None] * (order[None, :] + 0.5) / bands) * math.sqrt(2.0 / bands)
    cosines[0] /= math.sqrt(2.0)
    keep = np.clip(1.5 - order / _ENVELOPE_CEPSTRA, 0.0, 1.0)  # all, then fading out around the cut
    return (cosines.T @ (keep[:, None] * cosines)).astype(np.float32)
