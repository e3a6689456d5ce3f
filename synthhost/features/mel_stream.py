"""Live log-mel analysis: sound in pieces of any size, the same frames as the whole recording gives."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.specs import MelSpec
from synthhost.features.mel import check_audio, check_length, check_mel_spec, edge_samples, log_mel


class MelStream:
    """A running mel analysis of one mono stream.

    A frame comes out as soon as its last sample is in: `n_fft - edge_samples` samples after the start of its
    hop. The start is mirrored as soon as enough sound is there, the end by `flush`.
    """

    def __init__(self, spec: MelSpec) -> None:
        check_mel_spec(spec)
        self.spec = spec
        self._edge = edge_samples(spec)
        self._held: Audio = np.empty(0, dtype=np.float32)  # from the next frame's first sample on
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
        held, started = self._held, self._started
        self._held, self._started = np.empty(0, dtype=np.float32), False
        if not started:
            check_length(len(held), self.spec)
        return log_mel(np.pad(held, (0, self._edge), mode="reflect"), self.spec)

    def _take(self) -> Features:
        frames = log_mel(self._held, self.spec)
        self._held = self._held[frames.shape[1] * self.spec.hop_samples :].copy()
        return frames

    def _none(self) -> Features:
        return np.empty((self.spec.bands, 0), dtype=np.float32)
