"""What a sink plays: the shared ring at the sink's own pace, with gaps concealed."""

from __future__ import annotations

from time import monotonic_ns

import numpy as np

from synthhost.core.arrays import Audio
from synthhost.core.board import StatusPage
from synthhost.core.rings import AudioRing

_FADE_SAMPLES = 256  # 5.3 ms at 48 kHz
_RESYNC_S = 0.5  # when sink and engine are further apart, the stream is taken up where the engine stands
_MAX_CALL_SAMPLES = 16384


class Playback:
    """Reads the ring by absolute time. Time goes on during a gap, so what comes later is not shifted.

    A gap begins with the last samples mirrored and faded out, and ends with a fade in: there is never a
    step in the output, and nothing is louder than what was played. After half a second without sound, or
    with the engine half a second too far ahead because the sink stood still, the stream is taken up where
    the engine then stands, with the usual distance, and that is counted as a resync. The end of the stream
    is no gap. [one thread: the sink's callback]

    Attributes:
        begun: Whether a sample of the stream has been played.
    """

    def __init__(self, ring: AudioRing, status: StatusPage, sample_rate: int) -> None:
        self.begun = False
        self._ring = ring
        self._status = status
        self._resync_samples = int(_RESYNC_S * sample_rate)
        self._position = ring.read_sample
        self._block = np.zeros((_MAX_CALL_SAMPLES, ring.channels), dtype=np.float32)
        self._history = np.zeros((_FADE_SAMPLES, ring.channels), dtype=np.float32)
        self._tail = np.zeros((_FADE_SAMPLES, ring.channels), dtype=np.float32)
        self._tail_played = _FADE_SAMPLES
        self._gap_samples = 0
        self._in_gap = False
        self._waiting = False
        place = (np.arange(1, _FADE_SAMPLES + 1) / _FADE_SAMPLES)[:, None]
        self._fade_out = (0.5 + 0.5 * np.cos(np.pi * place)).astype(np.float32)
        self._fade_in = np.float32(1.0) - self._fade_out  # never more than 1 together, however they overlap
        self._risen = _FADE_SAMPLES
        if self._position > 0 or ring.write_sample > ring.capacity_samples:
            self._take_up()

    def fill(self, out: Audio) -> None:
        """Write the next samples, `out` `[samples, channels]`; a single channel gets left and right mixed.

        [sink callback]
        """
        for begin in range(0, out.shape[0], _MAX_CALL_SAMPLES):
            self._fill_part(out[begin : begin + _MAX_CALL_SAMPLES])
        self._status["sink_clock_ns"] = 0  # who reads now sees that the two do not belong together
        self._status["sink_sample"] = self._position
        self._status["sink_clock_ns"] = self._status["sink_beat_ns"] = monotonic_ns()

    def _fill_part(self, out: Audio) -> None:
        count = out.shape[0]
        block = self._block[:count]
        if not self._started():
            out[:] = 0.0
            return
        self._catch_up()
        got = self._ring.read(self._position, block)
        self.begun |= got > 0
        if self._in_gap and got:
            self._in_gap = False
            self._risen = 0
        block[got:] = 0.0
        self._rise(block[:got])
        self._add_tail(block[:got])
        if got < count:
            self._gap(got, block)
        self._remember(block)
        self._advance(count)
        self._hand_over(block, out)

    @staticmethod
    def _hand_over(block: Audio, out: Audio) -> None:
        width = min(out.shape[1], block.shape[1])
        out[:, :width] = block[:, :width]
        out[:, width:] = 0.0
        if width == 1:
            out[:, 0] = np.float32(0.5) * (block[:, 0] + block[:, 1])

    def _started(self) -> bool:
        if not self._status["engine_ready"]:
            return False
        if self._waiting:
            enough = self._ring.write_sample - self._position >= self._status["ahead_samples"]
            self._waiting = not enough
        return not self._waiting

    def _gap(self, got: int, block: Audio) -> None:
        """Fill what is missing with the tail of what there was, and count it unless the stream is over."""
        missing = block.shape[0] - got
        ended = self._status["engine_ready"] == 2 and self._position + got >= self._ring.write_sample
        if not self._in_gap:
            self._begin_tail(block[:got])
            self._gap_samples = 0
            self._status["underruns"] += not ended
        self._in_gap = True
        self._gap_samples += missing
        self._status["concealed_samples"] += 0 if ended else missing
        self._add_tail(block[got:])

    def _begin_tail(self, played: Audio) -> None:
        last = np.concatenate((self._history, played))[-_FADE_SAMPLES:]
        self._tail[:] = last[::-1] * self._fade_out
        self._tail_played = 0

    def _rise(self, block: Audio) -> None:
        part = min(block.shape[0], _FADE_SAMPLES - self._risen)
        if part > 0:
            block[:part] *= self._fade_in[self._risen : self._risen + part]
            self._risen += part

    def _add_tail(self, block: Audio) -> None:
        part = min(block.shape[0], _FADE_SAMPLES - self._tail_played)
        if part > 0:
            block[:part] += self._tail[self._tail_played : self._tail_played + part]
            self._tail_played += part

    def _remember(self, block: Audio) -> None:
        count = block.shape[0]
        if count >= _FADE_SAMPLES:
            self._history[:] = block[-_FADE_SAMPLES:]
        else:
            self._history[:-count] = self._history[count:].copy()
            self._history[-count:] = block

    def _advance(self, count: int) -> None:
        self._position += count
        behind = self._position - self._ring.write_sample
        if self._in_gap and self._gap_samples > self._resync_samples and behind > 0:
            self._status["resyncs"] += 1
            self._position = self._ring.write_sample
            self._waiting = True
        self._ring.read_sample = self._position

    def _catch_up(self) -> None:
        """Leave out what was rendered while the sink stood still."""
        ahead = int(self._status["ahead_samples"])
        if self._ring.write_sample - self._position > ahead + self._resync_samples:
            self._status["resyncs"] += 1
            self._begin_tail(self._history[:0])
            self._position = self._ring.write_sample - ahead
            self._risen = 0

    def _take_up(self) -> None:
        """Begin in the middle of a running show, a fade away from silence."""
        self._position = max(self._ring.write_sample - int(self._status["ahead_samples"]), 0)
        self._ring.read_sample = self._position
        self._risen = 0
