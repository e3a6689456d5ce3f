"""The mel front end and the sample rate of lmnt-com's programs, as a checkpoint's `params` tell them."""

from __future__ import annotations

from synthhost.checkpoints.settings import Settings
from synthhost.core.mel_conventions import MEL_CONVENTIONS
from synthhost.core.specs import MelSpec

DEFAULT_SAMPLE_RATE = 22050  # Hz, in both programs

_WINDOW_HOPS = 4
_LOWEST_HZ = 20.0


def sample_rate_of(params: Settings) -> int:
    """Return the sample rate in Hz, or both programs' default."""
    return params.whole("sample_rate", 1000, 384_000) if "sample_rate" in params else DEFAULT_SAMPLE_RATE


def mel_spec(bands: int, hop_samples: int, n_fft: int, sample_rate: int) -> MelSpec:
    """Return the convention with a model's own numbers; the highest band ends at half the sample rate."""
    published = MEL_CONVENTIONS["lmnt"].published
    return MelSpec(
        convention="lmnt",
        sample_rate=sample_rate,
        n_fft=n_fft,
        hop_samples=hop_samples,
        win_samples=_WINDOW_HOPS * hop_samples,
        bands=bands,
        fmin_hz=_LOWEST_HZ,
        fmax_hz=sample_rate / 2,
        log=published.log,
        floor=published.floor,
    )
