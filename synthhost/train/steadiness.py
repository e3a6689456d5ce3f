"""Whether what goes on by itself stays itself: level, spectrum and silence, minute after minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio
from synthhost.core.specs import MelSpec
from synthhost.features.mel import mel_spectrogram

Minutes = Callable[[Sequence[int]], Iterator[NDArray[np.float32]]]
"""Plays voices of some seeds together, and yields minute after minute of them, `[voices, samples]`."""

_SILENT_DB = -55.0
_NATS_DB = 20.0 / np.log(10.0)
_LOUD = 0.98  # quantile
_HISS_DB = 45.0  # so far under its loudest band, what a reference lacks is hiss: the spectrum tells of it
_FLOOR_NATS = np.log(1e-4)


@dataclass(frozen=True, slots=True)
class Minute:
    """One minute of one voice.

    Attributes:
        level_db: Root mean square, over that of the reference.
        spectrum_db: Mean difference of its average log mel spectrum from the reference's, each less its mean.
        silent: Share of its seconds below -55 dB.
        peak: Largest sample.
        dc: Its mean, as a share of its root mean square.
        whistle_db: The most that a band's loud moments, one in fifty, lie above the reference's, or above
            45 dB under the reference's loudest band where that is higher.
    """

    level_db: float
    spectrum_db: float
    silent: float
    peak: float
    dc: float
    whistle_db: float


@dataclass(frozen=True, slots=True)
class Steadiness:
    """What was found over all voices and minutes.

    Attributes:
        seeds: Voices.
        minutes: Of each.
        lowest_db: The softest minute, over the reference.
        highest_db: The loudest.
        drift_db: The most that a voice's minutes differ from each other.
        spectrum_db: The largest difference of a minute's spectrum.
        silent: The largest share of silent seconds.
        peak: Largest sample.
        dc: Largest mean, as a share of the root mean square.
        whistle_db: The largest of a minute.
    """

    seeds: int
    minutes: int
    lowest_db: float
    highest_db: float
    drift_db: float
    spectrum_db: float
    silent: float
    peak: float
    dc: float
    whistle_db: float


def steadiness(
    play: Minutes, seeds: Sequence[int], reference: Callable[[int], Audio], sample_rate: int, threads: int = 2
) -> Steadiness:
    """Listen to voices.

    Args:
        play: Plays several of them.
        seeds: Of all.
        reference: What each should be like, by seed, `[samples]`.
        sample_rate: In Hz.
        threads: That listen at once, each to its share of the voices.
    """
    shares = [list(seeds[n::threads]) for n in range(threads) if seeds[n::threads]]

    def listened(share: Sequence[int]) -> list[list[Minute]]:
        likes = [_Reference(reference(seed), sample_rate) for seed in share]
        found: list[list[Minute]] = [[] for _ in share]
        for minute in play(share):
            for place, sound in enumerate(minute):
                found[place].append(likes[place].beside(sound))
        return found

    with ThreadPoolExecutor(len(shares)) as pool:
        voices = [voice for share in pool.map(listened, shares) for voice in share]
    everything = [minute for voice in voices for minute in voice]
    levels = [[minute.level_db for minute in voice] for voice in voices]
    return Steadiness(
        len(voices),
        len(voices[0]),
        min(minute.level_db for minute in everything),
        max(minute.level_db for minute in everything),
        max(max(voice) - min(voice) for voice in levels),
        max(minute.spectrum_db for minute in everything),
        max(minute.silent for minute in everything),
        max(minute.peak for minute in everything),
        max(minute.dc for minute in everything),
        max(minute.whistle_db for minute in everything),
    )


class _Reference:
    """What a voice should be like."""

    def __init__(self, sound: Audio, sample_rate: int) -> None:
        self._rate = sample_rate
        self._level = _root_mean_square(sound)
        self._spectrum, loud = _spectra(sound, sample_rate)
        self._loud = np.maximum(loud, loud.max() - _HISS_DB)

    def beside(self, sound: Audio) -> Minute:
        """Measure a minute."""
        level = _root_mean_square(sound)
        pieces = sound[: sound.shape[0] // self._rate * self._rate].reshape(-1, self._rate)
        silent = np.sqrt((pieces.astype(np.float64) ** 2).mean(1)) < 10.0 ** (_SILENT_DB / 20.0)
        average, loud = _spectra(sound, self._rate)
        differ = average - self._spectrum
        return Minute(
            float(20.0 * np.log10(max(level, 1e-9) / max(self._level, 1e-9))),
            float(np.abs(differ).mean()),
            float(silent.mean()),
            float(np.abs(sound).max()),
            float(abs(np.mean(sound, dtype=np.float64)) / max(level, 1e-9)),
            float((loud - self._loud).max()),
        )


def _root_mean_square(sound: Audio) -> float:
    return float(np.sqrt(np.mean(np.asarray(sound, np.float64) ** 2)))


def _spectra(sound: Audio, sample_rate: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the average log mel spectrum less its own mean, and that of loud moments, in dB, `[bands]`."""
    spec = MelSpec("jik876", sample_rate, 1024, 256, 1024, 40, 40.0, sample_rate / 2.0, "ln", 1e-5)
    frames = np.maximum(mel_spectrogram(np.asarray(sound, np.float32), spec), _FLOOR_NATS)
    average = frames.mean(1).astype(np.float64) * _NATS_DB
    loud = np.quantile(frames, _LOUD, axis=1).astype(np.float64) * _NATS_DB
    return np.asarray(average - average.mean()), loud
