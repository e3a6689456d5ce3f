"""A track: the voice that plays, the ones that come and go, and the candidate on the cue bus."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from synthhost.core.arrays import Audio, Features
from synthhost.core.computing import on_ladder, under
from synthhost.core.messages import NoteOff, Trigger
from synthhost.core.options import OptionValue
from synthhost.core.smoothing import Ramp
from synthhost.core.timebase import ms_to_samples
from synthhost.engine.crossfade import crossfade
from synthhost.engine.loading import Loader, Prepared
from synthhost.engine.poly_voice import PolyVoice
from synthhost.engine.sounding import Sounding
from synthhost.engine.strip import STRIP_PARAMS, STRIP_SPECS, Strip

_CUE_FADE_MS = 10.0
LONGEST_FADE_MS = 600_000.0
GATHERING = "depth"
"""The source parameter that says how many frames are gathered first: the latency changes with it."""


@dataclass(slots=True, eq=False)
class _Cued:
    """A voice that is heard on the cue bus, with its level there."""

    prepared: Prepared
    level: Ramp


@dataclass(slots=True, eq=False)
class _Arrival:
    """A voice that is to be crossfaded in, with its place on the cue bus if it comes from there."""

    prepared: Prepared
    crossfade_ms: float
    cued: _Cued | None


@dataclass(slots=True, eq=False)
class _Fade:
    """A crossfade that is going on."""

    leaving: Prepared
    cued: _Cued | None  # the arriving voice's place on the cue bus, which it leaves
    position: float
    step: float


class Track:
    """Source, model, effects, gain and pan, with crossfaded changes of all of them.

    Attributes:
        playing: The voice that plays, or arrives while a crossfade goes on.
        revision: Grows when another voice begins to play or to be auditioned, or none is any more, and when
            the latency changes.
    """

    def __init__(
        self,
        name: str,
        index: int,
        prepared: Prepared,
        loader: Loader,
        sample_rate: int,
        options: Mapping[str, OptionValue] | None = None,
        ladder: Sequence[Mapping[str, OptionValue]] = (),
    ) -> None:
        """Begin with a voice.

        `options` are those of every model on the track, such as its back end; `ladder` is that of presets
        which declare none.
        """
        self._options = options or {}
        self._ladder = ladder
        self.rung_reason = ""  # why the track plays on its rung of the ladder
        self.model_seconds = 0.0  # spent in its models so far
        self.name = name
        self.index = index
        self.playing = prepared
        self.revision = 0
        self.strip = Strip(sample_rate)
        self._loader = loader
        self._sample_rate = sample_rate
        self._fade: _Fade | None = None
        self._arrival: _Arrival | None = None  # waits for the present fade's end; a newer one takes its place
        self._cued: _Cued | None = None
        self._dropped: list[_Cued] = []  # candidates in their last milliseconds
        self._retired_bad_samples = 0
        self._retired_seconds = 0.0  # of models, not yet told by `take_cost`
        self._reset_when_closed = False
        self._spare_wet = np.empty((2, 0), dtype=np.float32)

    @property
    def candidate(self) -> Prepared | None:
        """Return what is being auditioned. [any thread]"""
        cued = self._cued  # once: the loader's thread asks too
        return cued.prepared if cued is not None else None

    @property
    def values(self) -> dict[str, float]:
        """Return where every parameter of the track stands or is going. [render thread]"""
        return {**self.playing.values, **self.strip.values}

    @property
    def bad_samples(self) -> int:
        """Return how many samples of the track's models were not finite so far. [render thread]"""
        return self._retired_bad_samples + sum(one.voice.bad_samples for one in self._voices())

    def live_values(self) -> dict[str, float]:
        """Return where the source stands now, for a voice that is to join in. [render thread]"""
        live = {name: value for name, value in self.playing.values.items() if not name.startswith("fx.")}
        place = getattr(self.playing.voice.source, "place", None)
        return live if place is None else {**live, "position": place}

    def body_here(self, body: dict[str, Any]) -> dict[str, Any]:
        """Return a preset's body as it plays on this track, under the track's options. [render thread]"""
        return on_ladder(under(body, self._options), self._ladder)

    @property
    def awaits(self) -> bool:
        """Whether a voice waits for the present fade's end, or for the next block. [render thread]"""
        return self._arrival is not None

    @property
    def rungs_left(self) -> int:
        """Return how many rungs of its preset's ladder are below the one it plays on. [any thread]"""
        body = self.playing.body
        return len(body.get("ladder") or ()) - int(body.get("rung", 0))

    def take_cost(self) -> float:
        """Return the seconds the track's models took since the last call. [render thread]"""
        retired, self._retired_seconds = self._retired_seconds, 0.0
        spent = retired + sum(one.voice.take_cost() for one in self._voices())
        self.model_seconds += spent
        return spent

    def counters(self) -> dict[str, int]:
        """Return what the playing source held or missed. [render thread]"""
        return self.playing.voice.source.counters()

    def set_param(self, name: str, value: float) -> bool:
        """Move a parameter, of waiting voices and the candidate too; False if none has one so named.

        [render thread]
        """
        if name in STRIP_SPECS:
            self.strip.set_param(name, STRIP_SPECS[name].clamp(value))
            self._reset_when_closed &= bool(self.strip.values["mute"])
            return True
        gathering = self.playing.values.get(GATHERING)
        known = self.playing.set_param(name, value)
        if not name.startswith("fx."):  # another preset's chain is another chain
            for prepared in self._beside():
                known |= prepared.set_param(name, value)
        self.revision += self.playing.values.get(GATHERING) != gathering
        return known

    def push_frames(self, index: int | None, frames: Features) -> bool:
        """Hand frames `[bands, frames]` to every source of the track; False if they fit none.

        [render thread]
        """
        taken = False
        for prepared in (self.playing, *self._beside()):
            if frames.shape[0] == prepared.voice.runner.spec.bands:
                prepared.voice.source.push(index, frames)
                taken = True
        return taken

    def trigger(self, command: Trigger) -> str | None:
        """Begin a clip on what is heard of the track, the candidate too; return why not, if so.

        [render thread]
        """
        refused = [voice.trigger(command) for voice in self._poly_voices()]
        if not refused:
            return "the track's present preset plays no clips"
        return refused[0] if all(refused) else None

    def release(self, command: NoteOff) -> str | None:
        """End a note on what is heard of the track; return why not, if so. [render thread]"""
        voices = self._poly_voices()
        for voice in voices:
            voice.release(command)
        return None if voices else "the track's present preset plays no clips"

    def swap(self, prepared: Prepared, crossfade_ms: float) -> None:
        """Crossfade to another voice, after any fade that is still going on.

        Of several that come during one fade the last is played; the others are retired. [render thread]
        """
        self._await(_Arrival(prepared, crossfade_ms, None))

    def audition(self, prepared: Prepared) -> None:
        """Play a candidate on the cue bus; an earlier one fades out. [render thread]"""
        self.drop()
        self._cued = _Cued(prepared, Ramp(0.0, ms_to_samples(_CUE_FADE_MS, self._sample_rate)))
        self._cued.level.move_to(1.0)
        self.revision += 1

    def commit(self, crossfade_ms: float) -> bool:
        """Crossfade to the candidate, off the cue bus; False if there is none. [render thread]"""
        if self._cued is None:
            return False
        self._await(_Arrival(self._cued.prepared, crossfade_ms, self._cued))
        self._cued = None
        self.rung_reason = ""
        self.revision += 1
        return True

    def drop(self) -> bool:
        """Fade the candidate out; False if there is none. [render thread]"""
        if self._cued is None:
            return False
        self._fade_from_cue(self._cued)
        self._cued = None
        self.revision += 1
        return True

    def panic(self) -> None:
        """Mute within a few milliseconds, on the cue bus too, then forget effect tails. [render thread]"""
        self.strip.set_param("mute", 1.0)
        self._reset_when_closed = True
        self.drop()
        for coming in (self._arrival, self._fade):
            if coming is not None and coming.cued is not None:
                coming.cued.level.move_to(0.0)
        self.revision += 1

    def sounding(self) -> Iterator[Sounding]:
        """Yield every voice that the next `render` plays. [render thread]"""
        self._arrive()
        return (prepared.voice for prepared in self._voices())

    def render(self, wet: Audio, dry: Audio, cue: Audio) -> None:
        """Write the next samples: `wet` and `cue` `[2, samples]`, `dry` `[samples]`. [render thread]"""
        self._arrive()
        cue[:] = 0.0
        self.playing.voice.render(wet, dry)
        if self._fade is not None:
            self._continue_fade(self._fade, wet, dry, cue)
        self.strip.apply(wet)
        if self._reset_when_closed and self.strip.closed:
            self._forget_tails()
        for cued in self._cued_apart():
            self._render_cued(cued, cue)
        self._retire_dropped()

    def _voices(self) -> Iterator[Prepared]:
        """Yield every voice of the track but those that wait in silence. [render thread]"""
        yield self.playing
        if self._fade is not None:
            yield self._fade.leaving
        for cued in self._cued_apart():
            yield cued.prepared

    def _poly_voices(self) -> list[PolyVoice]:
        """Return the voices of clips and notes heard that do not leave; one that waits has no time yet."""
        heard = [self.playing, *(cued.prepared for cued in self._cued_apart() if cued not in self._dropped)]
        return [one.voice for one in heard if isinstance(one.voice, PolyVoice)]

    def _beside(self) -> list[Prepared]:
        """Return the voices that may come to play. [render thread]"""
        waiting = [] if self._arrival is None else [self._arrival.prepared]
        return waiting if self._cued is None else [*waiting, self._cued.prepared]

    def _cued_apart(self) -> list[_Cued]:
        """Return what is heard on the cue bus and does not play yet. [render thread]"""
        arriving = None if self._arrival is None else self._arrival.cued
        waiting = [] if arriving is None else [arriving]
        return [*waiting, *self._dropped, *([] if self._cued is None else [self._cued])]

    def _await(self, arrival: _Arrival) -> None:
        """Let a voice wait for its fade, in place of one that waits already."""
        superseded, self._arrival = self._arrival, arrival
        if superseded is None:
            return
        if superseded.cued is not None:
            self._fade_from_cue(superseded.cued)
        else:
            self._retire(superseded.prepared)

    def _fade_from_cue(self, cued: _Cued) -> None:
        cued.level.move_to(0.0)
        self._dropped.append(cued)

    def _arrive(self) -> None:
        """Begin the fade of a voice that waits for it, as soon as there is no other."""
        if self._fade is None and self._arrival is not None:
            self._begin_fade(self._arrival)
            self._arrival = None

    def _begin_fade(self, arrival: _Arrival) -> None:
        fade_ms = min(max(arrival.crossfade_ms, 0.0), LONGEST_FADE_MS)
        step = 1.0 / max(ms_to_samples(fade_ms, self._sample_rate), 1)
        self._fade = _Fade(self.playing, arrival.cued, 0.0, step)
        self.playing = arrival.prepared
        self.revision += 1

    def _continue_fade(self, fade: _Fade, wet: Audio, dry: Audio, cue: Audio) -> None:
        old_wet, old_dry = self._spare(dry.shape[0])
        fade.leaving.voice.render(old_wet, old_dry)
        if fade.cued is not None:
            crossfade(wet * _filled(fade.cued.level, wet), np.zeros_like(wet), cue, fade.position, fade.step)
        crossfade(old_dry[None], dry[None], dry[None], fade.position, fade.step)
        fade.position = crossfade(old_wet, wet, wet, fade.position, fade.step)
        if fade.position >= 1.0:
            self._retire(fade.leaving)
            self._fade = None

    def _render_cued(self, cued: _Cued, cue: Audio) -> None:
        wet, dry = self._spare(cue.shape[1])
        cued.prepared.voice.render(wet, dry)
        cue += wet * _filled(cued.level, wet)

    def _retire_dropped(self) -> None:
        for cued in [cued for cued in self._dropped if cued.level.settled]:
            self._dropped.remove(cued)
            self._retire(cued.prepared)

    def _retire(self, prepared: Prepared) -> None:
        self._retired_bad_samples += prepared.voice.bad_samples
        self._retired_seconds += prepared.voice.take_cost()
        self._loader.retire(prepared)

    def _forget_tails(self) -> None:
        self.playing.voice.forget_tails()
        if self._fade is not None:
            self._fade.leaving.voice.forget_tails()
        self._reset_when_closed = False

    def _spare(self, count: int) -> tuple[Audio, Audio]:
        if self._spare_wet.shape[1] != count:
            self._spare_wet = np.empty((2, count), dtype=np.float32)
        return self._spare_wet, np.empty(count, dtype=np.float32)

    def describe(self) -> dict[str, Any]:
        """Return what the control side must know of the track. [any thread]"""
        playing = self.playing  # once: the render thread may put another in its place meanwhile
        voice = playing.voice
        spec = voice.runner.spec
        candidate = self.candidate
        return {
            "index": self.index,
            "preset": playing.name,
            "cue": candidate.name if candidate is not None else None,
            "source": voice.source.kind,
            "bands": spec.bands,
            "clip_bands": _clip_bands(playing, candidate),
            "mel": None if spec.mel is None else asdict(spec.mel),
            "model": {"name": spec.name, "family": spec.family, "chunk_frames": voice.chunk_frames},
            "params": [param.as_json() for param in (*voice.params, *STRIP_PARAMS)],
            "options": [asdict(spec) for spec in playing.option_specs],
            "option_values": dict(playing.options),
            "ladder": playing.body.get("ladder") or [],
            "rung": playing.body.get("rung", 0),
            "rung_reason": self.rung_reason,
            "computed": None if playing.computed is None else playing.computed.as_json(),
            "macros": playing.body.get("macros", []),
            "values": {**playing.values, **self.strip.values},
        }


def _clip_bands(*heard: Prepared | None) -> int | None:
    """Return the latent dimensions of the first that plays clips or notes. [any thread]"""
    voices = (one.voice for one in heard if one is not None)
    return next((voice.dimensions for voice in voices if isinstance(voice, PolyVoice)), None)


def _filled(level: Ramp, like: Audio) -> Audio:
    """Return the next values of a ramp, one a sample of `like`. [render thread]"""
    curve = np.empty(like.shape[-1], dtype=np.float32)
    level.fill(curve)
    return curve
