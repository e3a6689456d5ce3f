"""What tracks of one model cost in the engine: stepping together, and each by itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil

import numpy as np

from bench.race import Effort
from bench.stage import stage
from synthhost.core.arrays import Audio
from synthhost.core.errors import ModelError
from synthhost.core.seams import Runner
from synthhost.engine.loading import Stems
from synthhost.engine.renderer import Renderer
from synthhost.host.assembly import make_factory, make_renderer
from synthhost.host.joint import alone
from synthhost.host.loader import ImmediateLoader, Workshop
from synthhost.host.plan import Plan
from synthhost.host.planning import offline_plan

_SETTLE_S = 0.5  # of sound, untimed: look-ahead fills
_FEWEST_STEPS = 4  # of every track in one round
_SOUND_OVER_SLOT = 2.0  # several tracks take about that much less time than they sound


@dataclass(slots=True)
class TrackRounds:
    """Seconds in models for one step of every track, by round."""

    together_s: list[float] = field(default_factory=list)
    apart_s: list[float] = field(default_factory=list)

    @property
    def speed_over_apart(self) -> float:
        """How many times as fast tracks are that step together: the median of the rounds' ratios."""
        return float(np.median(np.asarray(self.apart_s) / np.asarray(self.together_s)))


def race_tracks(model: str, tracks: int, chunk_frames: int, threads: int, effort: Effort) -> TrackRounds:
    """Play the default set's first track so many times over, both ways by turns, and compare the sound.

    Raises:
        ModelError: Tracks that step together sounded otherwise than alone.
        SynthhostError: Something of the set cannot be loaded.
    """
    with stage(model) as place:
        plan = offline_plan(place.tape_set(tracks), threads, "native")
        together = _engine(plan, chunk_frames, lambda _runner, _frames: "together")
        apart = _engine(plan, chunk_frames, alone)
        step_s = _step_s(together)
        _play(together, apart, plan, _SETTLE_S)
        rounds = TrackRounds()
        sound_s = max(_SOUND_OVER_SLOT * effort.slot_s, _FEWEST_STEPS * step_s)
        for _ in range(effort.rounds):
            spent_s = _play(together, apart, plan, sound_s)
            rounds.together_s.append(spent_s[0] * step_s / sound_s)
            rounds.apart_s.append(spent_s[1] * step_s / sound_s)
        return rounds


def _engine(plan: Plan, chunk_frames: int, joint: Callable[[Runner, int], str | None]) -> Renderer:
    factory = make_factory(plan, lambda _reference, _runner: chunk_frames, joint=joint)
    loader = ImmediateLoader(Workshop(factory, _no_stems))
    return make_renderer(plan, factory, loader, lambda _event: None, self_activating=True)


def _no_stems(folder: str, _format: str) -> Stems:
    raise ModelError(f"{folder}: nothing is recorded while it is measured.")


def _step_s(renderer: Renderer) -> float:
    """Return how much sound one step of a track makes, in seconds."""
    voice = renderer.tracks[0].playing.voice
    return voice.chunk_frames * voice.runner.spec.hop_samples / voice.runner.spec.sample_rate


def _play(together: Renderer, apart: Renderer, plan: Plan, sound_s: float) -> tuple[float, float]:
    """Render so much sound with both, block by block in turns; return the seconds each spent in models."""
    spent_s = [0.0, 0.0]
    outs: list[Audio] = [np.zeros((4, plan.block_samples), np.float32) for _ in spent_s]
    for block in range(ceil(sound_s * plan.sample_rate / plan.block_samples)):
        pair = list(enumerate((together, apart)))
        for place, renderer in pair[:: 1 if block % 2 else -1]:
            renderer.render(outs[place])
            spent_s[place] += renderer.model_seconds
        if not np.array_equal(*outs):
            raise ModelError("Tracks that step together sound otherwise than alone; no figures.")
    return spent_s[0], spent_s[1]
