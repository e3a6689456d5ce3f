"""Tells where samples that are no numbers were played as silence."""

from __future__ import annotations

from synthhost.engine.renderer import Renderer


class Silenced:
    """Looks after each block whether silence took the place of samples, and tells of each place once."""

    def __init__(self) -> None:
        self._counted = 0
        self._told: set[str] = set()

    def news(self, renderer: Renderer) -> str | None:
        """Return a sentence when it happened on a track or bus for the first time. [render thread]"""
        if renderer.bad_samples == self._counted:
            return None
        self._counted = renderer.bad_samples
        counts = {track.name: track.bad_samples for track in renderer.tracks}
        counts |= {"master": renderer.master.limiter.bad_samples, "cue": renderer.cue.limiter.bad_samples}
        fresh = [name for name, count in counts.items() if count and name not in self._told]
        if not fresh:
            return None
        self._told.update(fresh)
        return (
            f"{', '.join(fresh)}: samples that are not finite are played as silence and counted "
            "(bad_samples in /status). Another preset, model or effect may help."
        )
