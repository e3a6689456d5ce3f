"""Commands in the order of time, cut at block edges with their place inside the block."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from synthhost.core.messages import NOW, Command

CAPACITY = 65_536
"""Commands that may wait; a flood of future ones is refused beyond this."""

MAX_COMMANDS = 512
"""Commands that take effect in one block; what is beyond waits for the next, so no flood makes it late."""

MAX_CUTS = 16
"""Places inside one block at which commands may take effect; each costs the engine a smaller block."""


class EventQueue:
    """Holds commands until their sample is due.

    Commands for the same sample keep the order in which they came. `NOW` means the first sample of the next
    block, so it comes after whatever is already late and before what lies further inside that block. What is
    in the future costs its place in the queue and holds nothing back.

    Attributes:
        late: Commands whose sample had passed when they came due.
        worst_late_samples: The latest of them.
        refused: Commands that found the queue full or lay beyond the horizon.
        merged_cuts: Commands moved forward to the last allowed cut of their block.
    """

    def __init__(
        self,
        horizon_samples: int,
        capacity: int = CAPACITY,
        max_cuts: int = MAX_CUTS,
        max_commands: int = MAX_COMMANDS,
    ) -> None:
        assert min(capacity, max_cuts, max_commands) > 0, "a queue needs room"
        self._max_commands = max_commands
        self._horizon_samples = horizon_samples
        self._capacity = capacity
        self._max_cuts = max_cuts
        self._heap: list[tuple[int, int, Command]] = []  # sample, arrival, command: arrivals never tie
        self._arrivals = 0
        self._next_sample = 0
        self.late = 0
        self.worst_late_samples = 0
        self.refused = 0
        self.merged_cuts = 0

    def __len__(self) -> int:
        return len(self._heap)

    def push(self, command: Command) -> bool:
        """Place one command; False (and counted) when there is no room or it lies too far ahead.

        Logarithmic in the queue's length. [render thread]
        """
        sample = self._next_sample if command.at_sample == NOW else command.at_sample
        if len(self._heap) >= self._capacity or sample > self._next_sample + self._horizon_samples:
            self.refused += 1
            return False
        self._arrivals += 1
        heapq.heappush(self._heap, (sample, self._arrivals, command))
        return True

    def push_bundle(self, commands: Sequence[Command]) -> bool:
        """Place commands that belong together, all or none (each counted); False when there is no room.

        [render thread]
        """
        latest = max((command.at_sample for command in commands), default=NOW)
        room = self._capacity - len(self._heap)
        if len(commands) > room or latest > self._next_sample + self._horizon_samples:
            self.refused += len(commands)
            return False
        for command in commands:
            self.push(command)
        return True

    def due(self, first_sample: int, n_samples: int) -> list[tuple[int, list[Command]]]:
        """Take out what takes effect in the block of `n_samples` from `first_sample` on.

        Returns pairs of an offset in samples and the commands there, offsets rising; what is late lies at
        offset 0. At most `max_cuts` pairs: commands behind the last cut take effect at it. At most
        `max_commands` in all: what is beyond is late in the next block. [render thread]
        """
        heap = self._heap
        end_sample = first_sample + n_samples
        self._next_sample = end_sample
        cuts: list[tuple[int, list[Command]]] = []
        for _ in range(min(self._max_commands, len(heap))):
            if heap[0][0] >= end_sample:
                break
            sample, _, command = heapq.heappop(heap)
            offset = sample - first_sample
            if offset < 0:
                self._count_late(command, -offset)
                offset = 0
            if cuts and cuts[-1][0] == offset:
                cuts[-1][1].append(command)
            elif len(cuts) == self._max_cuts:
                cuts[-1][1].append(command)
                self.merged_cuts += 1
            else:
                cuts.append((offset, [command]))
        return cuts

    def _count_late(self, command: Command, late_samples: int) -> None:
        if command.at_sample == NOW:  # it asked for no sample it could miss
            return
        self.late += 1
        self.worst_late_samples = max(self.worst_late_samples, late_samples)
