"""A look-ahead limiter that does not touch what lies below its ceiling."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.errors import ConfigError

SEGMENT_SAMPLES = 32  # gain is decided once a segment, with the next one in sight
SETTLED_GAIN = 0.9999  # a releasing gain this near to 1 (0.001 dB) is 1


class Limiter:
    """Keeps every sample at or below a ceiling; below it the output is the input, delayed, to the bit.

    Each segment of 32 samples asks for the gain that brings its peak (over all channels) to the ceiling. The
    gain at a border is the lower of its two neighbours' wishes, or less while it releases (one pole towards
    1); inside a segment it moves on a straight line. Sample peaks are held, not the peaks between samples.

    Attributes:
        latency_samples: Constant delay from input to output, 63 samples.
        bad_samples: How many NaN or infinite samples were replaced by silence so far.
    """

    latency_samples = 2 * SEGMENT_SAMPLES - 1

    def __init__(self, ceiling_db: float, release_ms: float, sample_rate: int, channels: int = 2) -> None:
        """Stand at the start of a stream.

        Args:
            ceiling_db: Highest sample let through, dB of full scale, -60 to 0.
            release_ms: Time in which a reduction falls to a third (1/e), 1 to 5000.
            sample_rate: Hz.
            channels: Channels that share one gain.

        Raises:
            ConfigError: A value is out of its range.
        """
        if not -60.0 <= ceiling_db <= 0.0:
            raise ConfigError(f"limiter: ceiling_db: {ceiling_db} is outside -60 to 0; -1 is usual.")
        if not 1.0 <= release_ms <= 5000.0:
            raise ConfigError(f"limiter: release_ms: {release_ms} is outside 1 to 5000; 100 is usual.")
        self._ceiling = np.float32(10.0 ** (ceiling_db / 20.0))
        self._recover = 1.0 - math.exp(-1000.0 * SEGMENT_SAMPLES / (release_ms * sample_rate))
        self._ramp = np.arange(1, SEGMENT_SAMPLES + 1, dtype=np.float32) / np.float32(SEGMENT_SAMPLES)
        self._channels = channels
        self.bad_samples = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stream; silence lies before the next sample. [render thread]"""
        self._heard = np.zeros((self._channels, SEGMENT_SAMPLES), dtype=np.float32)
        self._ready = np.zeros((self._channels, SEGMENT_SAMPLES - 1), dtype=np.float32)
        self._gain = 1.0  # at the border where `_heard` begins
        self._lowest = 1.0

    @property
    def reduction_db(self) -> float:
        """The deepest reduction in the last block that moved on, dB, 0 for none. [render thread]"""
        return abs(20.0 * math.log10(max(self._lowest, 1e-12)))

    def process(self, block: Audio) -> Audio:
        """Return as many samples as given, `[channels, samples]`, `latency_samples` late. [render thread]"""
        samples = block.shape[1]
        self._heard = np.concatenate((self._heard, self._clean(block)), axis=1)
        decided = self._heard.shape[1] // SEGMENT_SAMPLES - 1
        if decided > 0:
            self._ready = np.concatenate((self._ready, self._limit(decided)), axis=1)
            self._heard = self._heard[:, decided * SEGMENT_SAMPLES :]
        out = self._ready[:, :samples]
        self._ready = self._ready[:, samples:]
        return out

    def _clean(self, block: Audio) -> Audio:
        finite = np.isfinite(block)
        if finite.all():
            return block
        self.bad_samples += int(block.size - np.count_nonzero(finite))
        return np.where(finite, block, np.float32(0.0))

    def _limit(self, decided: int) -> Audio:
        """Shape the first `decided` segments; one more is in sight. Returns `[channels, samples]`."""
        shape = (self._channels, decided + 1, SEGMENT_SAMPLES)
        segments = self._heard[:, : shape[1] * SEGMENT_SAMPLES].reshape(shape)
        peaks = np.abs(segments).max(axis=(0, 2))
        shaped = segments[:, :decided]
        if self._gain == 1.0 and peaks.max() <= self._ceiling:
            self._lowest = 1.0
            return self._heard[:, : decided * SEGMENT_SAMPLES]
        borders = self._borders(peaks)
        gains = borders[:-1, None] + (borders[1:] - borders[:-1])[:, None] * self._ramp
        limited: Audio = np.clip(shaped * gains, -self._ceiling, self._ceiling)  # the last bit of rounding
        return limited.reshape(self._channels, -1)

    def _borders(self, peaks: Audio) -> Audio:
        """Return the gain at each border of the decided segments, `[decided + 1]`; moves `_gain` on."""
        wishes = (self._ceiling / np.maximum(peaks, self._ceiling)).tolist()
        borders = [self._gain]
        for here, after in pairwise(wishes):
            gain = self._gain + (1.0 - self._gain) * self._recover
            self._gain = min(here, after, 1.0 if gain > SETTLED_GAIN else gain)
            borders.append(self._gain)
        self._lowest = min(borders)
        return np.array(borders, dtype=np.float32)
