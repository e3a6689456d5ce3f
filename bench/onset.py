"""Finding the moment a control's change is heard, by comparison with renderings that never changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from synthhost.core.arrays import Audio

_SETTLED = 0.1  # how near the old or the new sound the ends of the search must lie
_ASTRAY = 0.5  # further outside the way from one to the other, something else was heard: a gap


@dataclass(frozen=True, slots=True)
class Change:
    """Two renderings of the same performance, `[samples]`: the control at rest, and displaced throughout."""

    rest: Audio
    displaced: Audio

    def share(self, heard: Audio, first: int, last: int, window: int) -> NDArray[np.float64]:
        """Return how far the sound has gone from rest (0) to displaced (1), for samples `first` to `last`.

        Args:
            heard: What was played, `[samples]`, aligned with the renderings.
            first: Where to begin.
            last: Where to end.
            window: Samples that are weighed together, around each.
        """
        part = slice(max(first - window, 0), last + window)
        rest = self.rest[part].astype(np.float64)
        way = self.displaced[part] - rest
        weights = np.ones(window)
        gone = np.convolve((heard[part] - rest) * way, weights, "same")
        share = gone / np.maximum(np.convolve(way * way, weights, "same"), 1e-30)
        return share[first - part.start : last - part.start]

    def middle(self, heard: Audio, first: int, last: int, window: int) -> int | None:
        """Return the sample at which half of a change is done, either way.

        None if there is no whole change, or a gap beside it.

        Args:
            heard: What was played, `[samples]`, aligned with the renderings.
            first: Before the change.
            last: After it.
            window: Samples that are weighed together, around each.
        """
        if first < 0 or last + window > min(len(heard), len(self.rest), len(self.displaced)):
            return None
        share = self.share(heard, first, last, window)
        begin, end = float(np.median(share[:window])), float(np.median(share[-window:]))
        if min(abs(begin), abs(begin - 1.0)) > _SETTLED or abs(abs(end - begin) - 1.0) > 2 * _SETTLED:
            return None
        if share.min() < -_ASTRAY or share.max() > 1.0 + _ASTRAY:
            return None
        beyond = share >= 0.5 if end > begin else share <= 0.5
        return first + int(np.argmax(beyond))
