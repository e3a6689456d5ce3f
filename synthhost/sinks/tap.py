"""A bounded place where the render thread leaves audio for a writer, and never waits."""

from __future__ import annotations

import numpy as np

from synthhost.core.arrays import Audio

MAX_RUN_SAMPLES = 1 << 16


class Tap:
    """A ring of whole blocks from one render thread to one writer thread.

    A block that does not fit is dropped whole and counted; each block carries its place in time, so the
    writer sees where something is missing. No locks: either side moves its own counters, after the samples.

    Attributes:
        position: Samples offered so far, dropped ones included: where the next block lies.
        dropped_blocks: Blocks that did not fit, or came after the tap went dead.
        dropped_samples: How many samples they held for each channel.
        alive: False once nobody writes any more.
    """

    def __init__(self, channels: int, capacity_samples: int, capacity_blocks: int) -> None:
        """Allocate (and touch) the ring.

        Args:
            channels: Channels of every block.
            capacity_samples: Samples for each channel that may wait.
            capacity_blocks: Blocks that may wait.
        """
        self.position = 0
        self.dropped_blocks = 0
        self.dropped_samples = 0
        self.alive = True
        self._ring: Audio = np.full((channels, capacity_samples), 0.0, dtype=np.float32)
        self._starts = [0] * capacity_blocks
        self._lengths = [0] * capacity_blocks
        self._blocks_in = 0
        self._blocks_out = 0
        self._samples_in = 0
        self._samples_out = 0

    def write(self, block: Audio) -> None:
        """Leave the next block, `[channels, samples]`; drop and count it where there is no room.

        [render thread]
        """
        samples = block.shape[1]
        start = self.position
        self.position = start + samples
        capacity = self._ring.shape[1]
        has_room = samples <= capacity - (self._samples_in - self._samples_out)
        if not (self.alive and has_room and self._blocks_in - self._blocks_out < len(self._starts)):
            self.dropped_blocks += 1
            self.dropped_samples += samples
            return
        at = self._samples_in % capacity
        first = min(samples, capacity - at)
        self._ring[:, at : at + first] = block[:, :first]
        self._ring[:, : samples - first] = block[:, first:]
        slot = self._blocks_in % len(self._starts)
        self._starts[slot] = start
        self._lengths[slot] = samples
        self._samples_in += samples
        self._blocks_in += 1  # last: from here on the writer may read it

    def read(self) -> tuple[int, Audio] | None:
        """Take the oldest unbroken run: its place in time (samples) and `[channels, samples]`, or None.

        [writer thread]
        """
        blocks, samples, start = self._run()
        if blocks == 0:
            return None
        capacity = self._ring.shape[1]
        at = self._samples_out % capacity
        first = min(samples, capacity - at)
        run = np.concatenate((self._ring[:, at : at + first], self._ring[:, : samples - first]), axis=1)
        self._samples_out += samples
        self._blocks_out += blocks  # last: from here on the render thread may use the slots again
        return start, run

    def _run(self) -> tuple[int, int, int]:
        """Return how many waiting blocks follow each other without a gap, their samples, and their start."""
        waiting = self._blocks_in - self._blocks_out
        slots = len(self._starts)
        start = self._starts[self._blocks_out % slots]
        blocks = samples = 0
        while blocks < waiting and samples < MAX_RUN_SAMPLES:
            slot = (self._blocks_out + blocks) % slots
            if self._starts[slot] != start + samples:
                break
            samples += self._lengths[slot]
            blocks += 1
        return blocks, samples, start
