"""Where the frames of a mel spectrogram lie in the sound, and how many there are."""

from __future__ import annotations

from synthhost.core.errors import FeatureError
from synthhost.core.mel_conventions import convention_of
from synthhost.core.specs import MelSpec


def edge_samples(spec: MelSpec) -> int:
    """Return how many samples are mirrored at each end, and how far a frame looks back before its own hop."""
    centred = convention_of(spec).edge == "centred"
    return (spec.n_fft if centred else spec.n_fft - spec.hop_samples) // 2


def windows_in(samples: int, spec: MelSpec) -> int:
    """Return how many whole windows there are, hop by hop, in sound whose ends are mirrored already."""
    return max(0, (samples - spec.n_fft) // spec.hop_samples + 1)


def frame_count(samples: int, spec: MelSpec) -> int:
    """Return how many frames the whole spectrogram of so many samples has."""
    return frames_at_end(samples + edge_samples(spec), spec)


def frames_at_end(samples: int, spec: MelSpec) -> int:
    """Return how many frames there are if sound whose start alone is mirrored ends after so many samples."""
    windows = windows_in(samples + edge_samples(spec), spec)
    return max(0, windows - 1) if convention_of(spec).drops_last else windows


def check_length(samples: int, spec: MelSpec) -> None:
    """Refuse sound too short to be mirrored at its ends.

    Raises:
        FeatureError: With the length needed.
    """
    needed = edge_samples(spec) + 1
    if samples < needed:
        raise FeatureError(
            f"the sound is {samples} samples long; a mel spectrogram needs at least {needed} "
            f"({1000 * needed / spec.sample_rate:.1f} ms at {spec.sample_rate} Hz). Give it more sound."
        )
