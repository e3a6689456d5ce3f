"""A track: the voice that plays, the one that leaves, and the candidate on the cue bus."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.smoothing import Ramp
from synthhost.core.timebase import ms_to_samples
from synthhost.engine.crossfade import crossfade
from synthhost.engine.loading import Loader, Prepared
from synthhost.engine.strip import STRIP_PARAMS, STRIP_SPECS, Strip

_CUE_FADE_MS = 10.0


class Track:
    """Source, model, effects, gain and pan, with crossfaded changes of all of them."""

    def __init__(self, name: str, index: int, prepared: Prepared, loader: Loader, sample_rate: int) -> None:
        self.name = name
        self.index = index
        self.playing = prepared
        self.candidate: Prepared | None = None
        self.strip = Strip(sample_rate)
        self._loader = loader
        self._sample_rate = sample_rate
        self._leaving: Prepared | None = None
        self._fade_done = 0
        self._fade_samples = 1
        self._came_from_cue = False
        self._arrivals: deque[tuple[Prepared, float, bool]] = deque()
        self._cue_gain = Ramp(0.0, ms_to_samples(_CUE_FADE_MS, sample_rate))
        self._reset_when_closed = False
        self._spare_wet = np.empty((2, 0), dtype=np.float32)

    @property
    def values(self) -> dict[str, float]:
        """Return where every parameter of the track stands or is going. [render thread]"""
        return {**self.playing.values, **self.strip.values}

    def live_values(self) -> dict[str, float]:
        """Return where the source stands now, for a voice that is to join in. [render thread]"""
        live = {name: value for name, value in self.playing.values.items() if not name.startswith("fx.")}
        place = getattr(self.playing.voice.source, "place", None)
        return live if place is None else {**live, "position": place}

    def take_cost(self) -> float:
        """Return the seconds the track's models took since the last call. [render thread]"""
        voices = (self.playing, self._leaving, self.candidate)
        return sum(one.voice.take_cost() for one in voices if one is not None)

    def counters(self) -> dict[str, int]:
        """Return what the playing source held or missed. [render thread]"""
        return self.playing.voice.source.counters()

    def set_param(self, name: str, value: float) -> bool:
        """Move a parameter, of the candidate too; False if the track has none so named. [render thread]"""
        if name in STRIP_SPECS:
            self.strip.set_param(name, STRIP_SPECS[name].clamp(value))
            self._reset_when_closed = False
            return True
        known = self.playing.set_param(name, value)
        if not name.startswith("fx."):  # another preset's chain is another chain
            for prepared in self._beside():
                prepared.set_param(name, value)
        return known

    def push_frames(self, index: int | None, frames: Features) -> None:
        """Hand frames `[bands, frames]` to the source, and to the candidate's. [render thread]"""
        for prepared in (self.playing, *self._beside()):
            prepared.voice.source.push(index, frames)

    def swap(self, prepared: Prepared, crossfade_ms: float) -> None:
        """Crossfade to another voice, after any fade that is still going on. [render thread]"""
        self._arrivals.append((prepared, crossfade_ms, False))

    def audition(self, prepared: Prepared) -> None:
        """Play a candidate on the cue bus in place of an earlier one. [render thread]"""
        if self.candidate is not None:
            self._loader.retire(self.candidate)
        self.candidate = prepared
        self._cue_gain.jump_to(0.0)
        self._cue_gain.move_to(1.0)

    def commit(self, crossfade_ms: float) -> bool:
        """Crossfade to the candidate; False if there is none. [render thread]"""
        if self.candidate is None:
            return False
        self._arrivals.append((self.candidate, crossfade_ms, True))
        self.candidate = None
        return True

    def drop(self) -> bool:
        """Fade the candidate out; False if there is none. [render thread]"""
        if self.candidate is None:
            return False
        self._cue_gain.move_to(0.0)
        return True

    def panic(self) -> None:
        """Mute within a few milliseconds, then forget effect tails. [render thread]"""
        self.strip.set_param("mute", 1.0)
        self._reset_when_closed = True
        if self.candidate is not None:
            self._cue_gain.move_to(0.0)

    def render(self, wet: Audio, dry: Audio, cue: Audio) -> None:
        """Write the next samples: `wet` and `cue` `[2, samples]`, `dry` `[samples]`. [render thread]"""
        if self._leaving is None and self._arrivals:
            self._begin_fade()
        self.playing.voice.render(wet, dry)
        cue[:] = 0.0
        if self._leaving is not None:
            self._fade(wet, dry, cue)
        self.strip.apply(wet)
        if self._reset_when_closed and self.strip.closed:
            self.playing.voice.effects.reset()
            self._reset_when_closed = False
        if self.candidate is not None:
            self._render_candidate(cue)

    def _beside(self) -> list[Prepared]:
        waiting = [arriving for arriving, _, _ in self._arrivals]
        return waiting if self.candidate is None else [*waiting, self.candidate]

    def _begin_fade(self) -> None:
        arriving, crossfade_ms, self._came_from_cue = self._arrivals.popleft()
        self._leaving, self.playing = self.playing, arriving
        self._fade_done = 0
        self._fade_samples = max(ms_to_samples(crossfade_ms, self._sample_rate), 1)

    def _fade(self, wet: Audio, dry: Audio, cue: Audio) -> None:
        leaving = self._leaving
        assert leaving is not None
        count = dry.shape[0]
        old_wet, old_dry = self._spare(count)
        leaving.voice.render(old_wet, old_dry)
        if self._came_from_cue:
            silence = np.zeros_like(wet)
            crossfade(wet, silence, cue, self._fade_done, self._fade_samples)
        crossfade(old_dry, dry, dry, self._fade_done, self._fade_samples)
        self._fade_done = crossfade(old_wet, wet, wet, self._fade_done, self._fade_samples)
        if self._fade_done >= self._fade_samples:
            self._loader.retire(leaving)
            self._leaving = None

    def _render_candidate(self, cue: Audio) -> None:
        candidate = self.candidate
        assert candidate is not None
        count = cue.shape[1]
        wet, dry = self._spare(count)
        candidate.voice.render(wet, dry)
        curve = np.empty(count, dtype=np.float32)
        self._cue_gain.fill(curve)
        cue += wet * curve
        if self._cue_gain.settled and self._cue_gain.value == 0.0:
            self._loader.retire(candidate)
            self.candidate = None

    def _spare(self, count: int) -> tuple[Audio, Audio]:
        if self._spare_wet.shape[1] != count:
            self._spare_wet = np.empty((2, count), dtype=np.float32)
        return self._spare_wet, np.empty(count, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """Return what the control side must know of the track."""
        voice = self.playing.voice
        spec = voice.runner.spec
        return {
            "index": self.index,
            "preset": self.playing.name,
            "cue": self.candidate.name if self.candidate else None,
            "source": voice.source.kind,
            "bands": spec.bands,
            "model": {"name": spec.name, "family": spec.family, "chunk_frames": voice.chunk_frames},
            "params": [param.as_json() for param in (*voice.params, *STRIP_PARAMS)],
            "macros": self.playing.body.get("macros", []),
            "values": self.values,
        }
