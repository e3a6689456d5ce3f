"""Time: engine samples, seconds, NTP time tags, and the map from wall clock to the sample clock."""

from __future__ import annotations

from dataclasses import dataclass

NTP_UNIX_OFFSET_S = 2_208_988_800  # seconds from 1900 to 1970
IMMEDIATELY = 1
"""The OSC time tag that means "now"."""

_JUMP_S = 0.05  # a clock that is off by more has jumped and is taken anew
_GAIN = 0.02  # how much of each observation's error is believed


def ntp_to_unix_s(tag: int) -> float:
    """Turn a 64-bit NTP time tag into seconds since 1970."""
    return (tag >> 32) - NTP_UNIX_OFFSET_S + (tag & 0xFFFFFFFF) * 2.0**-32


def unix_to_ntp(seconds: float) -> int:
    """Turn seconds since 1970 into a 64-bit NTP time tag."""
    whole = int(seconds // 1)
    return (whole + NTP_UNIX_OFFSET_S << 32) | min(int((seconds - whole) * 2.0**32), 0xFFFFFFFF)


def ms_to_samples(ms: float, sample_rate: int) -> int:
    """Round a duration to whole samples."""
    return round(ms * sample_rate / 1000.0)


def samples_to_ms(samples: float, sample_rate: int) -> float:
    """Return how long that many samples last."""
    return 1000.0 * samples / sample_rate


@dataclass(slots=True)
class ClockMap:
    """Maps monotonic seconds to engine samples by a slowly corrected straight line (a first-order loop).

    Observations come from the sink's clock, which drifts against the computer's; scheduling jitter of a
    single observation moves the map by no more than `_GAIN` of itself.
    """

    sample_rate: int
    _origin_s: float = 0.0
    _origin_sample: float = 0.0
    _rate: float = 0.0
    _last_sample: int = -1
    seen: int = 0

    def observe(self, monotonic_s: float, sample: int) -> None:
        """Note that the clock stood at `sample` at that moment."""
        if sample == self._last_sample:
            return
        self._last_sample = sample
        error = sample - self.sample_at(monotonic_s) if self.seen else 0.0
        if not self.seen or abs(error) > _JUMP_S * self.sample_rate:
            self._origin_s, self._origin_sample = monotonic_s, float(sample)
            self._rate = float(self.sample_rate)
            self.seen = 1
            return
        elapsed = max(monotonic_s - self._origin_s, 1e-6)
        self._origin_sample = self.sample_at(monotonic_s) + _GAIN * error
        self._origin_s = monotonic_s
        drift = self._rate + _GAIN * _GAIN * error / elapsed * min(elapsed, 1.0)
        self._rate = min(max(drift, 0.999 * self.sample_rate), 1.001 * self.sample_rate)
        self.seen += 1

    def sample_at(self, monotonic_s: float) -> float:
        """Return the sample the clock shows at a moment, before or after now."""
        return self._origin_sample + (monotonic_s - self._origin_s) * (self._rate or self.sample_rate)

    @property
    def drift_ppm(self) -> float:
        """Return how much faster than nominal the sample clock runs, in parts per million."""
        return 1e6 * (self._rate / self.sample_rate - 1.0) if self._rate else 0.0
