"""Live log-mel analysis: sound in pieces of any size, the same frames as the whole recording gives."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.specs import MelSpec
from synthhost.features.mel import log_mel
from synthhost.features.mel_checks import check_audio, check_mel_spec
from synthhost.features.mel_framing import check_length, edge_samples, frames_at_end, windows_in


class MelStream:
    """A running mel analysis of one mono stream.

    A frame comes out as soon as its last sample is in: `n_fft - edge_samples` samples after the start of its
    hop. The start is mirrored as soon as enough sound is there, which a first centred frame awaits one sample
    longer; the end is mirrored by `flush`.
    """

    def __init__(self, spec: MelSpec, *, floored: bool = False) -> None:
        """Stand before the first sample; `floored` is as for `mel_spectrogram`.

        Raises:
            FeatureError: If no mel spectrogram can be made with the spec.
        """
        check_mel_spec(spec)
        self.spec = spec
        self._floored = floored
        self._edge = edge_samples(spec)
        self._held: Audio = np.empty(0, dtype=np.float32)
        self._past = 0  # samples held from before the next frame's first, for the end to be mirrored
        self._started = False

    def push(self, samples: Audio) -> Features:
        """Take the next samples, `[samples]`, and return the frames now decided, `[bands, frames]`.

        Raises:
            FeatureError: If the samples are not finite mono sound; the stream is left as it was.
        """
        check_audio(samples)
        self._held = np.concatenate([self._held, np.asarray(samples, dtype=np.float32)])
        if not self._started and len(self._held) > self._edge:
            self._held = np.pad(self._held, (self._edge, 0), mode="reflect")
            self._started = True
        return self._take() if self._started else self._none()

    def flush(self) -> Features:
        """End the stream: return the frames that only the mirrored end decides, and begin anew.

        Raises:
            FeatureError: If less sound came than can be mirrored.
        """
        held, past, started = self._held, self._past, self._started
        self._held, self._past, self._started = np.empty(0, dtype=np.float32), 0, False
        if not started:
            check_length(len(held), self.spec)
        ended = np.pad(held, (0, self._edge), mode="reflect")[past:]
        frames = log_mel(ended, self.spec, floored=self._floored)
        return frames[:, : frames_at_end(len(held) - past, self.spec)]

    def _take(self) -> Features:
        ahead = self._held[self._past :]
        decided = min(windows_in(len(ahead), self.spec), frames_at_end(len(ahead), self.spec))
        frames = log_mel(ahead, self.spec, floored=self._floored)[:, :decided]
        self._keep_from(self._past + decided * self.spec.hop_samples)
        return frames

    def _keep_from(self, next_frame: int) -> None:
        """Forget what neither the next frame nor a mirrored end needs."""
        first = min(next_frame, len(self._held) - self._edge - 1)
        self._held = self._held[first:].copy()
        self._past = next_frame - first

    def _none(self) -> Features:
        return np.empty((self.spec.bands, 0), dtype=np.float32)
